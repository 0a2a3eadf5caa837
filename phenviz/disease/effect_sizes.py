"""Effect sizes, their standard errors and p-values: the ones that a file lacks, and whether they agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri_exp
from scipy.stats import norm

from phenviz.disease import columns as tables
from phenviz.disease.formats import Format
from phenviz.disease.traits import TraitReport
from phenviz.errors import DataError

# a p-value near 1 says little of z, and is rounded
_TELLING_P = 0.5
_FEWEST_TO_JUDGE = 3
_ROUNDING = 0.005
_MOST_OPPOSITE = 0.05
_MOST_APART = np.log(1.25)


def check_effect_columns(part: pd.DataFrame, path: Path, form: Format) -> None:
    """Raise where a file has neither posteriors nor what they are computed from.

    Raises
    ------
    DataError
        Names the columns that the file has.
    """
    has = set(part)
    p_value = has & {"p_value", "neg_log_10_p_value"}
    if "posterior" in has or ({"beta", "odds_ratio"} & has and ({"se", "z"} & has or p_value)):
        return
    raise DataError(
        f"{path} has neither posteriors (column posterior, pip, pp or prob) nor beta with its standard error "
        f"(beta and se) to compute them from: read as {form.name}, it has {tables.said_columns(form)}"
    )


def with_effects(part: pd.DataFrame, path: Path, form: Format) -> pd.DataFrame:
    """Fill in beta from the odds ratio, or from z and its standard error, row by row.

    Raises
    ------
    DataError
        If an odds ratio is negative.
    """
    beta = part["beta"] if "beta" in part else pd.Series(np.nan, index=part.index)
    if "odds_ratio" in part:
        if (part["odds_ratio"] < 0).any():
            wrong = part[part["odds_ratio"] < 0]
            raise DataError(
                f"{path}, line {wrong.index[0]}, column {form.columns['odds_ratio']!r}: "
                f"{wrong['odds_ratio'].iloc[0]:g} is no odds ratio: if these are their logarithms, name the "
                "column beta"
            )
        beta = beta.fillna(np.log(part["odds_ratio"].where(part["odds_ratio"] > 0)))
    if {"z", "se"} <= set(part):
        beta = beta.fillna(part["z"] * part["se"])
    return part.assign(beta=beta.where(np.isfinite(beta)))


def negative_logarithm(table: pd.DataFrame, path: Path, form: Format, report: TraitReport) -> pd.DataFrame:
    """Turn log10 p into -log10 p where that is what a whole file has.

    Raises
    ------
    DataError
        If some are positive, others negative.
    """
    column, values = form.columns["neg_log_10_p_value"], table["neg_log_10_p_value"]
    if not (values < 0).any():
        return table
    if (values > 0).any():
        line = table.index[values < 0][0]
        raise DataError(
            f"{path}, line {line}, column {column!r}: {values.loc[[line]].iloc[0]:g} is negative, others are "
            "positive: a logarithm of p-values has one sign"
        )
    report.notes.append(f"column {column!r} is negative throughout: taken as log10 p, not -log10 p")
    return table.assign(neg_log_10_p_value=-values)


def log_p_given(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the natural logarithm of the file's p-values; NaN where it has none, or 0."""
    found = np.full(len(table), np.nan)
    if "p_value" in table:
        with np.errstate(divide="ignore"):
            found = np.log(table["p_value"].to_numpy(float))
    if "neg_log_10_p_value" in table:
        logs = -table["neg_log_10_p_value"].to_numpy(float) * np.log(10)
        found = np.where(np.isfinite(logs), logs, found)
    return np.where(np.isfinite(found), found, np.nan)


def consistent(table: pd.DataFrame, report: TraitReport) -> pd.DataFrame:
    """Fill in standard errors from p-values, and compare p with beta / se over the whole file.

    Standard errors that fit p only as those of the odds ratio, not of its logarithm (delta method: se / OR),
    are divided by it. What fits neither way is noted.
    """
    if table["beta"].isna().all() and "z" in table and table["z"].notna().any():
        report.notes.append("beta is missing, and z without se doesn't give it: variant-signed tests nothing")
    _note_opposite_signs(table, report)
    beta, log_p = table["beta"].to_numpy(float), log_p_given(table)
    size = -ndtri_exp(np.minimum(log_p, 0) - np.log(2))
    size = np.where(size > 0, size, np.nan)
    se, given = _standard_errors(table, beta, size, report)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.log(np.abs(beta) / se / size)
    telling = (log_p < np.log(_TELLING_P)) & np.isfinite(apart) & given & (beta != 0)
    if "odds_ratio" in table and _fits_as_of_ratio(apart[telling], beta[telling]):
        report.notes.append(
            "warning: p doesn't fit log(odds ratio) / se, but would if se were the standard error of the "
            f"odds ratio ({telling.sum():,} rows): divided by the odds ratio; give that of the logarithm"
        )
        return table.assign(se=se / np.exp(beta))
    _note_disagreement(apart[telling], log_p[telling], report)
    return table.assign(se=se)


def _standard_errors(
    table: pd.DataFrame, beta: NDArray[np.float64], size: NDArray[np.float64], report: TraitReport
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the standard errors, computed from z or p (``size``) where they lack, and which were given."""
    se, z = (
        table[name].to_numpy(float) if name in table else np.full(len(table), np.nan) for name in ("se", "z")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        computed = np.abs(beta) / np.where(z != 0, np.where(np.isnan(z), size, np.abs(z)), np.nan)
    lacking = np.isnan(se) & np.isfinite(computed) & (computed > 0)
    if lacking.any():
        report.notes.append(f"standard errors of {lacking.sum():,} rows were computed from beta and p (or z)")
    return np.where(lacking, computed, se), ~lacking


def _fits_as_of_ratio(apart: NDArray[np.float64], beta: NDArray[np.float64]) -> bool:
    """Tell whether p fits se / odds ratio, and not se; the larger the effects, the more the two differ."""
    if len(apart) < _FEWEST_TO_JUDGE:
        return False
    large = np.abs(beta) >= np.median(np.abs(beta))
    as_given, as_of_ratio = (np.median(np.abs(logs[large])) for logs in (apart, apart + beta))
    return bool(as_given > _ROUNDING and as_of_ratio < 0.25 * as_given)


def _note_opposite_signs(table: pd.DataFrame, report: TraitReport) -> None:
    if "z" not in table:
        return
    product = (table["beta"] * table["z"]).to_numpy(float)
    opposite, total = int((product < 0).sum()), int((product != 0).sum() - np.isnan(product).sum())
    if opposite > _MOST_OPPOSITE * total:
        report.notes.append(
            f"warning: in {opposite:,} of {total:,} rows beta and z have opposite signs, so they are of "
            "different alleles: the sign of beta is used, and is in doubt"
        )


def _note_disagreement(apart: NDArray[np.float64], log_p: NDArray[np.float64], report: TraitReport) -> None:
    strong = log_p < np.log(1e-4)
    for rows, least in ((np.ones(len(apart), dtype=bool), 0.5), (strong, 1 / 3)):
        off = np.abs(apart[rows]) > _MOST_APART
        if rows.sum() >= _FEWEST_TO_JUDGE and off.mean() >= least:
            times = np.exp(np.median(np.abs(apart[rows][off])))
            kind = " with p < 1e-4" if rows is strong else ""
            report.notes.append(
                f"warning: in {off.sum():,} of {rows.sum():,} rows{kind}, p and beta / se don't fit each "
                f"other (z differs {times:.3g} times): check what these columns are"
            )
            return


def log_p_of_z(beta: NDArray[np.float64], se: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the natural logarithm of the two-sided p-value of beta / se."""
    return np.asarray(norm.logsf(np.abs(beta / se)) + np.log(2), dtype=float)

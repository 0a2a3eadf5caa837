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
    beta, log_p = table["beta"].to_numpy(float), log_p_given(table)
    size = -ndtri_exp(np.minimum(log_p, 0) - np.log(2))
    size = np.where(size > 0, size, np.nan)
    se = table["se"].to_numpy(float) if "se" in table else np.full(len(table), np.nan)
    z = np.abs(table["z"].to_numpy(float)) if "z" in table else np.full(len(table), np.nan)
    lacking = np.isnan(se) & ~np.isnan(beta)
    with np.errstate(divide="ignore", invalid="ignore"):
        computed = np.abs(beta) / np.where(z > 0, z, size)
        lacking &= np.isfinite(computed) & (computed > 0)
        if lacking.any():
            report.notes.append(
                f"standard errors of {lacking.sum():,} rows were computed from beta and p (or z)"
            )
            se = np.where(lacking, computed, se)
        apart = np.log(np.abs(beta) / se / size)
    telling = (log_p < np.log(_TELLING_P)) & np.isfinite(apart) & ~lacking & (beta != 0)
    if telling.sum() >= _FEWEST_TO_JUDGE and "odds_ratio" in table:
        # the larger the effect, the more the two differ
        far = telling & (np.abs(beta) >= np.quantile(np.abs(beta[telling]), 0.5))
        as_given, of_ratio = (np.median(np.abs(a[far])) for a in (apart, apart + beta))
        if as_given > 0.005 and of_ratio < 0.25 * as_given:
            report.notes.append(
                "warning: p doesn't fit log(odds ratio) / se, but would if se were the standard error of the "
                f"odds ratio ({far.sum():,} rows): divided by the odds ratio; give that of the logarithm"
            )
            return table.assign(se=se / np.exp(beta))
    _note_disagreement(apart[telling], log_p[telling], report)
    return table.assign(se=se)


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

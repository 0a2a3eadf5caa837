"""Posteriors from GWAS summary statistics: Wakefield's approximate Bayes factors in each locus."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from phenviz.disease.effect_sizes import log_p_given, log_p_of_z
from phenviz.disease.traits import STATISTIC_COLUMNS, TraitReport
from phenviz.errors import DataError

GENOME_WIDE = 5e-8
REACH = 500_000
# coloc's default for quantitative traits in units of their standard deviation
PRIOR_SD = 0.15
LEAST_POSTERIOR = 0.001


class NoLocus(DataError):
    """A table of summary statistics has no variant that is significant on its own."""


def all_statistics(table: pd.DataFrame) -> pd.DataFrame:
    """Return z of every variant of a table of summary statistics, each once: `STATISTIC_COLUMNS`.

    Parameters
    ----------
    table
        As of `approximate_posteriors`; ``z`` is beta over its standard error, else the file's own.
    """
    usable = table["beta"].notna() & (table["se"] > 0) & np.isfinite(table["se"])
    z = (table["beta"] / table["se"]).where(usable)
    z = z.fillna(table["z"]) if "z" in table else z
    names = table["id"].fillna("").astype(str) if "id" in table else ""
    table = table.assign(z=z, id=names)[np.isfinite(z)]
    key = ["trait", "contig", "position", "ref", "alt"]
    table = table.sort_values([*key, "se", "beta"], kind="stable").drop_duplicates(key)
    return table[STATISTIC_COLUMNS].reset_index(drop=True)


def approximate_posteriors(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    report: TraitReport,
    *,
    prior_sd: float = PRIOR_SD,
    threshold: float = GENOME_WIDE,
    reach: int = REACH,
) -> pd.DataFrame:
    """Fine-map each genome-wide significant locus, assuming one causal variant in it.

    Loci: the variant with the smallest p takes all within ``reach`` bases as its locus, then the smallest of
    the rest below ``threshold``, and so on. Variants outside loci are left out, as are those with a
    posterior below 0.001. No LD is used, so a locus with several signals is described by its strongest.

    Parameters
    ----------
    table
        From `check_alleles`: ``trait``, ``contig``, ``position``, ``ref``, ``alt``, ``beta`` with ``se``; a
        p-value where known.
    report
        Gets a note of what was done.
    prior_sd
        Standard deviation of the causal effect.

    Returns
    -------
    pd.DataFrame
        The variants of loci, with ``region`` and ``posterior``, which sums to about 1 in each locus.

    Raises
    ------
    NoLocus
        If no locus is significant.
    """
    usable = table["beta"].notna() & (table["se"] > 0) & np.isfinite(table["se"])
    report.count("skipped", "without_beta_or_standard_error", [""] * int((~usable).sum()))
    table = _each_once(table[usable], report)
    log_p = _log_p(table)
    lead = _loci(table, log_p, np.log(threshold), reach)
    inside = lead >= 0
    if not inside.any() and len(table):
        best = np.exp(log_p.min())
        raise NoLocus(
            f"{os.fspath(path)}: no variant on the contigs here reaches p < {threshold:g} (best "
            f"{best:.2g}), so "
            "there is no locus to fine-map: give a table with posteriors, or another study"
        )
    posterior = np.zeros(len(table))
    log_bf = log_bayes_factor(table["beta"].to_numpy(float), table["se"].to_numpy(float), prior_sd)
    for number in np.unique(lead[inside]):
        rows = np.flatnonzero(lead == number)
        posterior[rows] = np.exp(log_bf[rows] - logsumexp(log_bf[rows]))
    keep = inside & (posterior >= LEAST_POSTERIOR)
    report.count("skipped", "outside_significant_loci", [""] * int((~inside).sum()))
    report.count("skipped", "with_posterior_below_0.001", [""] * int((inside & ~keep).sum()))
    if not len(table):
        return table.assign(posterior=posterior, region="")
    count = len(set(lead[inside]))
    report.notes.append(
        f"posteriors: Wakefield's approximate Bayes factors (prior sd {prior_sd:g}) in {count} "
        f"{'locus' if count == 1 else 'loci'} with p < {threshold:g}, {reach / 1e3:g} kb to each side of the "
        "lead, one causal variant per locus"
    )
    region = np.char.add("locus", (lead + 1).astype(str))
    return table.assign(posterior=posterior, region=region)[keep]


def log_bayes_factor(
    beta: NDArray[np.float64], se: NDArray[np.float64], prior_sd: float
) -> NDArray[np.float64]:
    """Return the log of Wakefield's approximate Bayes factor for an effect against none [1]_.

    ``0.5 (log(1 - r) + r z^2)`` with ``r = W / (V + W)``, W the prior's and V the estimate's variance.

    References
    ----------
    .. [1] Wakefield 2009, Genet Epidemiol 33:79.
    """
    shrink = prior_sd**2 / (se**2 + prior_sd**2)
    bayes: NDArray[np.float64] = 0.5 * (np.log1p(-shrink) + shrink * (beta / se) ** 2)
    return bayes


def _each_once(table: pd.DataFrame, report: TraitReport) -> pd.DataFrame:
    """Keep each variant of a trait once, the most precise estimate: a Bayes factor counts every row."""
    key = ["trait", "contig", "position", "ref", "alt"]
    table = table.sort_values([*key, "se", "beta"], kind="stable")
    again = table.duplicated(key)
    twice = table[again]
    report.count("skipped", "listed_twice", [":".join(map(str, row)) for row in twice[key[1:]].to_numpy()])
    differing = len(twice) - int(table.duplicated([*key, "se", "beta"]).sum())
    if differing:
        report.notes.append(
            f"{differing:,} of the variants listed twice have different effects: the one with the smallest "
            "standard error was kept"
        )
    return table[~again].reset_index(drop=True)


def _log_p(table: pd.DataFrame) -> NDArray[np.float64]:
    """Natural logarithm of each p-value, from z where the file has none (and where it says 0)."""
    given = log_p_given(table)
    return np.where(
        np.isnan(given), log_p_of_z(table["beta"].to_numpy(float), table["se"].to_numpy(float)), given
    )


def _loci(table: pd.DataFrame, log_p: NDArray[np.float64], threshold: float, reach: int) -> NDArray[np.int64]:
    """Return the number of each variant's locus, -1 outside; a trait's loci are numbered along its leads."""
    locus = np.full(len(table), -1)
    number = 0
    place = table["position"].to_numpy(np.int64)
    for rows in table.groupby(["trait", "contig"], sort=False).indices.values():
        free = np.ones(len(rows), dtype=bool)
        for lead in rows[np.argsort(log_p[rows], kind="stable")]:
            if log_p[lead] >= threshold:
                break
            if locus[lead] >= 0:
                continue
            near = free & (np.abs(place[rows] - place[lead]) <= reach)
            locus[rows[near]] = number
            free &= ~near
            number += 1
    return locus

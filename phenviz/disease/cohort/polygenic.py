"""Polygenic scores from genotypes: clumping and thresholding, and ridge regression (LDpred-inf)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.covariates import CovariateModel
from phenviz.disease.cohort.dosages import Dosages
from phenviz.progress import NO_PROGRESS, Progress

THRESHOLDS = (5e-8, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 1.0)
CLUMP_R2, CLUMP_BASES = 0.1, 250_000
HERITABILITIES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to weigh variants; which one is used is chosen on the validation people.

    Parameters
    ----------
    method
        Name to read.
    settings
        What it was made with.
    weights
        Of each of the variants it was made from, for each copy of ALT.
    """

    method: str
    settings: dict[str, Any]
    weights: NDArray[np.float64] = field(repr=False)


def clump(
    association: pd.DataFrame,
    dosages: Dosages,
    people: NDArray[np.intp],
    *,
    r2: float = CLUMP_R2,
    bases: int = CLUMP_BASES,
    progress: Progress = NO_PROGRESS,
) -> NDArray[np.intp]:
    """Choose variants that aren't in linkage disequilibrium, the most significant first.

    Parameters
    ----------
    association
        As from `phenviz.disease.cohort.gwas.associate`.
    dosages, people
        Genotypes that the linkage is measured in: the training people's.
    r2, bases
        A variant is left out if it has at least this squared correlation with a more significant one within
        so many bases.
    progress
        Told after each chosen variant, in variants that are decided.

    Returns
    -------
    NDArray[np.intp]
        Rows of the chosen variants, most significant first.
    """
    p = association["p_value"].to_numpy()
    position = association["position"].to_numpy()
    contig = association["contig"].astype("category").cat.codes.to_numpy()
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    # on one line, contigs far apart
    place = position + contig.astype(np.int64) * 10**10
    sorted_rows = np.argsort(place, kind="stable")
    sorted_places = place[sorted_rows]
    left = ~np.isnan(p)
    chosen: list[int] = []
    progress.stage("clumping", int(left.sum()))
    for row in order:
        if not left[row]:
            continue
        low, high = np.searchsorted(sorted_places, [place[row] - bases, place[row] + bases + 1])
        near = sorted_rows[low:high]
        near = near[left[near]]
        linked = near[_squared_correlation(dosages, people, int(row), near) >= r2]
        left[linked] = False
        left[row] = False
        chosen.append(int(row))
        progress.advance(len(linked))
    return np.array(chosen, dtype=np.intp)


def clump_and_threshold(association: pd.DataFrame, chosen: NDArray[np.intp], count: int) -> list[Candidate]:
    """Weigh the clumped variants that pass each threshold by their effect."""
    p, beta = association["p_value"].to_numpy()[chosen], association["beta"].to_numpy()[chosen]
    found = []
    before = -1
    for threshold in THRESHOLDS:
        passing = p <= threshold
        if passing.sum() in (0, before):
            continue
        before = int(passing.sum())
        weights = np.zeros(count)
        weights[chosen[passing]] = beta[passing]
        found.append(Candidate("C+T", {"p_value": threshold, "variants": before}, weights))
    return found


def ridge(
    dosages: Dosages,
    labels: NDArray[np.floating],
    people: NDArray[np.intp],
    covariates: CovariateModel,
    *,
    progress: Progress = NO_PROGRESS,
) -> list[Candidate]:
    """Fit all variants together, every one with a small effect (BLUP; LDpred-inf with the people's own LD).

    Parameters
    ----------
    dosages
        Variants.
    labels
        Of everybody; NaN where unknown.
    people
        Rows of the training people.
    covariates
        Fitted on them: what it explains is left aside.
    progress
        Told after each batch, in variants.

    Returns
    -------
    list of Candidate
        One for each assumed heritability.
    """
    known = people[~np.isnan(labels[people])]
    rest = labels[known] - covariates.probability[known]
    kernel = np.zeros((len(known), len(known)))
    progress.stage("ridge", 2 * len(dosages))
    for rows in dosages.slices():
        values = dosages.standardised(rows, known)
        kernel += values.T @ values
        progress.advance(rows.stop - rows.start)
    kernel /= len(dosages)
    size, vectors = np.linalg.eigh(kernel)
    turned = vectors.T @ (rest - rest.mean())
    duals = []
    for share in HERITABILITIES:
        penalty = (1 - share) / share
        duals.append(vectors @ (turned / (np.maximum(size, 0) + penalty)))
    weights = np.empty((len(dosages), len(duals)))
    together = np.stack(duals, axis=1).astype(np.float32)
    for rows in dosages.slices():
        weights[rows] = dosages.standardised(rows, known) @ together
        progress.advance(rows.stop - rows.start)
    weights /= len(dosages) * dosages.deviation[:, None]
    return [
        Candidate("ridge", {"heritability": share}, weights[:, number])
        for number, share in enumerate(HERITABILITIES)
    ]


def _squared_correlation(
    dosages: Dosages, people: NDArray[np.intp], row: int, others: NDArray[np.intp]
) -> NDArray[np.float64]:
    values = dosages.values[others][:, people].astype(np.float32)
    own = dosages.values[row, people].astype(np.float32)
    for one in (values, own[None]):
        missing = one < 0
        if missing.any():
            one[missing] = np.nan
            centre = np.nanmean(one, axis=1, keepdims=True)
            np.copyto(one, np.broadcast_to(centre, one.shape), where=missing)
    values -= values.mean(axis=1, keepdims=True)
    own = own - own.mean()
    norms = (values**2).sum(axis=1) * (own**2).sum()
    product: NDArray[np.float64] = (values @ own) ** 2 / np.maximum(norms, 1e-12)
    return product

"""Association of single variants with a trait, in the training people only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from phenviz.disease.cohort.dosages import Dosages
from phenviz.errors import DataError
from phenviz.progress import NO_PROGRESS, Progress

_ITERATIONS, _TOLERANCE = 25, 1e-7
# variants whose arrays of all people are held at once, in numbers
_NUMBERS = 2_000_000
# a log odds this large means that a genotype tells cases from controls without an exception
_SEPARATED = 15.0


def associate(
    dosages: Dosages,
    labels: NDArray[np.floating],
    covariates: NDArray[np.floating],
    people: NDArray[np.intp],
    *,
    progress: Progress = NO_PROGRESS,
) -> pd.DataFrame:
    """Fit a logistic regression of a trait on each variant and the covariates.

    Parameters
    ----------
    dosages
        Variants.
    labels
        Of everybody, (people,): 1, 0, NaN where unknown.
    covariates
        Of everybody, (people, covariates); an intercept is added, a missing one takes the mean.
    people
        Rows that may be looked at: the training people. Who has no label, and at each variant who has no
        genotype, is left out.
    progress
        Told after each batch, in variants.

    Returns
    -------
    pd.DataFrame
        One row for each variant: contig, position, ref, alt, id, ``frequency`` (of ALT), ``people``, ``beta``
        (log odds for each copy of ALT), ``se``, ``z`` and ``p_value``; NaN where the fit doesn't converge, as
        where a genotype tells cases from controls without an exception.

    Raises
    ------
    DataError
        If there are no cases or no controls.
    """
    known = people[~np.isnan(labels[people])]
    outcome = labels[known].astype(np.float64)
    if not 0 < outcome.sum() < len(outcome):
        raise DataError("an association needs cases and controls among the training people")
    design = with_intercept(covariates[known])
    start = _null_model(design, outcome)
    found = np.full((len(dosages), 3), np.nan)
    step = max(_NUMBERS // len(known), 16)
    progress.stage("association", len(dosages))
    for rows in dosages.slices(step):
        found[rows] = _fit(dosages.values[rows][:, known], outcome, design, start)
        progress.advance(rows.stop - rows.start)
    z = found[:, 0] / found[:, 1]
    return dosages.variants.assign(
        frequency=dosages.frequency,
        people=found[:, 2].astype(np.int64),
        beta=found[:, 0],
        se=found[:, 1],
        z=z,
        p_value=2 * norm.sf(np.abs(z)),
    )


def with_intercept(covariates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale covariates, fill missing ones with the mean, leave constant ones out, and add an intercept."""
    values = covariates.astype(np.float64)
    known = ~np.isnan(values)
    centre = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - centre, 0)
    spread = centred.std(axis=0)
    kept = centred[:, spread > 0] / spread[spread > 0]
    return np.column_stack([np.ones(len(values)), kept])


def _null_model(design: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.zeros(design.shape[1])
    for _ in range(_ITERATIONS):
        fitted = expit(design @ weights)
        spread = fitted * (1 - fitted)
        step = np.linalg.lstsq((design * spread[:, None]).T @ design, design.T @ (outcome - fitted))[0]
        weights += step
        if np.abs(step).max() < _TOLERANCE:
            break
    return weights


def _fit(
    values: NDArray[np.int8],
    outcome: NDArray[np.float64],
    design: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit many variants side by side by Newton's method: beta, standard error, people, (variants, 3)."""
    called = values >= 0
    count = called.sum(axis=1)
    genotype = np.where(called, values, 0).astype(np.float64)
    # moving the zero changes the intercept only, and keeps the sums small
    genotype -= genotype.sum(axis=1, keepdims=True) / np.maximum(count, 1)[:, None]
    genotype[~called] = 0
    variants, width = len(values), design.shape[1]
    squares = (design[:, :, None] * design[:, None]).reshape(len(design), -1)
    weights = np.tile(np.append(start, 0.0), (variants, 1))
    hessian = np.empty((variants, width + 1, width + 1))
    gradient = np.empty((variants, width + 1))
    open_, done = np.arange(variants), np.zeros(variants, dtype=bool)
    for _ in range(_ITERATIONS):
        g, mask = genotype[open_], called[open_]
        fitted = expit(weights[open_, :width] @ design.T + weights[open_, width:] * g)
        spread, rest = fitted * (1 - fitted) * mask, (outcome - fitted) * mask
        hessian[open_, :width, :width] = (spread @ squares).reshape(-1, width, width)
        weighted = spread * g
        hessian[open_, :width, width] = hessian[open_, width, :width] = weighted @ design
        hessian[open_, width, width] = (weighted * g).sum(axis=1)
        gradient[open_, :width], gradient[open_, width] = rest @ design, (rest * g).sum(axis=1)
        step = _solve(hessian[open_], gradient[open_])
        weights[open_] += step
        settled = np.abs(step).max(axis=1) < _TOLERANCE
        done[open_[settled]] = True
        lost = ~np.isfinite(step).all(axis=1) | (np.abs(weights[open_, width]) > _SEPARATED)
        open_ = open_[~settled & ~lost]
        if not len(open_):
            break
    found = np.full((variants, 3), np.nan)
    found[:, 2] = count
    usable = np.flatnonzero(done & (hessian[:, width, width] > 1e-8))
    if len(usable):
        unit = np.zeros((len(usable), width + 1))
        unit[:, width] = 1
        variance = _solve(hessian[usable], unit)[:, width]
        found[usable, 0] = weights[usable, width]
        found[usable, 1] = np.sqrt(np.where(variance > 0, variance, np.nan))
    return found


def _solve(matrices: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.solve(matrices, sides[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        # one of many is singular: the others are solved one by one
        solved = np.full(sides.shape, np.nan)
        for row, (matrix, side) in enumerate(zip(matrices, sides, strict=True)):
            if np.linalg.cond(matrix) < 1e12:
                solved[row] = np.linalg.solve(matrix, side)
        return solved

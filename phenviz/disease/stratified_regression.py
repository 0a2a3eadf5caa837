"""Stratified LD score regression: which annotations hold more heritability than their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Array = NDArray[np.float64]

BLOCKS = 200
# neighbouring blocks must not share LD, or the standard error is too small
BLOCK_BASES = 250_000
FEWEST_BLOCKS = 10
# a few variants of huge effect would decide everything
_LARGEST_CHI_SQUARE = 80.0
_ROUNDS = 2


@dataclass(frozen=True)
class Stratified:
    """Coefficients of annotations; arrays are (C,).

    Parameters
    ----------
    coefficient
        N tau: rise of the expected chi-square per unit of an annotation's LD score, given the others.
    se
        By block jackknife.
    z, p_value
        One-sided: larger than 0; t with as many degrees of freedom as blocks less one.
    intercept, intercept_se
        Expected chi-square of a variant without LD.
    blocks
        How many the jackknife left out in turn.
    variants
        How many were regressed on.
    """

    coefficient: Array
    se: Array
    z: Array
    p_value: Array
    intercept: float
    intercept_se: float
    blocks: int
    variants: int


def stratified_regression(
    chi_square: Array, scores: Array, weight_scores: Array, block: NDArray[np.intp], sizes: Array
) -> Stratified:
    """Regress chi-squares on LD scores, with weights and a block jackknife.

    ``E[chi^2_j] = N sum_c tau_c l_jc + N a + 1`` (stratified LD score regression [1]_). Weights are
    ``1 / l_j`` (for what variants in LD say twice) times ``1 / (1 + N h^2 l_j / M)^2`` (for the variance of
    chi-square), with N h^2 / M from the mean chi-square first and then from the fit.

    Parameters
    ----------
    chi_square
        Of the variants, (V,).
    scores
        LD scores of the annotations, (V, C). The first is of all variants.
    weight_scores
        LD scores among the regressed variants, (V,).
    block
        Number of each variant's block, from `blocks_of`.
    sizes
        Variants of each annotation, (C,).

    Returns
    -------
    Stratified
        NaN throughout where there are too few blocks, or an annotation follows from the others.

    References
    ----------
    .. [1] Finucane 2015, Nat Genet 47:1228; Finucane 2018, Nat Genet 50:621 (LDSC-SEG).
    """
    kept = np.isfinite(chi_square) & (chi_square <= _LARGEST_CHI_SQUARE) & np.isfinite(scores).all(1)
    y, x, block = chi_square[kept], np.column_stack([scores[kept], np.ones(kept.sum())]), block[kept]
    numbers, block = np.unique(block, return_inverse=True)
    annotations = scores.shape[1]
    scale = np.maximum(np.sqrt((x**2).mean(0)), 1e-300) if len(x) else np.ones(annotations + 1)
    if len(numbers) < FEWEST_BLOCKS or np.linalg.matrix_rank(x / scale, tol=1e-7 * len(x)) < x.shape[1]:
        none = np.full(annotations, np.nan)
        return Stratified(none, none, none, none, np.nan, np.nan, len(numbers), len(y))
    overlap, total = np.maximum(weight_scores[kept], 1.0), np.maximum(x[:, 0], 1.0)
    slope = (y.mean() - 1) / total.mean()
    for _ in range(_ROUNDS):
        expected = 1 + max(slope, 0.0) * total
        fitted, left_out = _jackknife(x / scale, y, 1 / (overlap * expected**2), block)
        slope = float((fitted / scale)[:-1] @ sizes / sizes[0])
    pseudo = len(numbers) * fitted - (len(numbers) - 1) * left_out
    estimate, se = fitted / scale, np.sqrt(pseudo.var(0, ddof=1) / len(numbers)) / scale
    z = estimate / np.where(se > 0, se, np.nan)
    return Stratified(
        estimate[:-1], se[:-1], z[:-1], student.sf(z[:-1], len(numbers) - 1), float(estimate[-1]),
        float(se[-1]), len(numbers), len(y),
    )  # fmt: skip


def blocks_of(contig: NDArray[np.str_], position: NDArray[np.int64]) -> NDArray[np.intp]:
    """Part variants into blocks of neighbours: 200 of as many variants, but none shorter than 250 kb.

    Only what is left at the end of a contig may be shorter.

    Parameters
    ----------
    contig, position
        Of the variants, in order of both.
    """
    even = (np.arange(len(position)) * BLOCKS) // max(len(position), 1)
    block = np.zeros(len(position), dtype=np.intp)
    number, start = 0, 0
    for place in range(1, len(position)):
        far = position[place] - position[start] >= BLOCK_BASES
        if contig[place] != contig[start] or (far and even[place] != even[start]):
            number, start = number + 1, place
        block[place] = number
    return block


def _jackknife(x: Array, y: Array, weights: Array, block: NDArray[np.intp]) -> tuple[Array, Array]:
    """Fit by weighted least squares: with all blocks (K,), and without each (B, K)."""
    count, columns = int(block.max()) + 1, x.shape[1]
    weighted = x * weights[:, None]
    products = np.zeros((count, columns, columns))
    targets = np.zeros((count, columns))
    for number in range(count):
        own = block == number
        products[number], targets[number] = weighted[own].T @ x[own], weighted[own].T @ y[own]
    whole, target = products.sum(0), targets.sum(0)
    fitted = np.linalg.solve(whole, target)
    rest = whole - products
    left_out = np.array([np.linalg.lstsq(rest[i], target - targets[i], rcond=None)[0] for i in range(count)])
    return fitted, left_out

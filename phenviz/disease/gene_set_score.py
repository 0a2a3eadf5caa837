"""Are the genes of a disease expressed more in a context than matched sets of other genes? The idea of scDRS.

The genes with the largest association z make a set, weighted by z. Its weighted mean expression in a context
is compared with that of random sets, in which each gene is replaced by one of about the same mean and
variance of expression over contexts [1]_. scDRS does so in single cells; here a context is a population of
cells, measured once, so that no technical variance is known and all genes weigh by z alone.

References
----------
.. [1] Zhang et al. 2022, Nat Genet 54:1572.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phenviz.disease.engine import TestResult, plain_result, untested
from phenviz.progress import NO_PROGRESS, Progress

Array = NDArray[np.float64]

# scDRS takes the first 1,000 of about 18,000 genes, and no weight above 10
_SHARE, _LARGEST_WEIGHT = 1 / 18, 10.0
_FEWEST_GENES, _MOST_GENES = 10, 1_000
FEWEST_TESTED = 30
# matched by as many quantiles of the mean, and in each of the variance, if each then holds enough genes
_QUANTILES, _IN_A_BIN = 20, 8
_AT_ONCE = 2_000_000


def gene_set_test(
    z: Array,
    expression: Array,
    sets: int,
    generator: np.random.Generator,
    *,
    progress: Progress = NO_PROGRESS,
) -> TestResult:
    """Test whether the most strongly associated genes are expressed more in a context than matched ones.

    Parameters
    ----------
    z
        Association of the genes, larger where stronger, (G,).
    expression
        Of the same genes in each context, in logarithms, (G, C).
    sets
        Random sets that are drawn.
    generator
        Draws them.
    progress
        Checked for cancelling.

    Returns
    -------
    TestResult
        ``effect``: the weighted mean expression of the set beyond the mean of the random sets, ``se`` and
        ``z`` by their standard deviation, ``p_value`` the share of them that reach it. NaN where there are
        fewer than `FEWEST_TESTED` genes or none is associated.
    """
    genes, contexts = expression.shape
    chosen, weight = disease_genes(z)
    if genes < FEWEST_TESTED or not weight.sum() > 0:
        return untested(contexts)
    weight = weight / weight.sum()
    every = matched_genes(expression.mean(axis=1), expression.var(axis=1))
    alike = [every[gene] for gene in chosen]
    count = np.array([len(one) for one in alike])
    table = np.zeros((len(alike), count.max()), dtype=np.intp)
    for row, one in enumerate(alike):
        table[row, : len(one)] = one
    observed, drawn = weight @ expression[chosen], []
    step = max(1, _AT_ONCE // max(len(chosen) * contexts, 1))
    for start in range(0, sets, step):
        progress.check()
        number = (generator.random((min(step, sets - start), len(chosen))) * count).astype(np.intp)
        drawn.append(np.einsum("g,sgc->sc", weight, expression[table[np.arange(len(chosen)), number]]))
    null = np.concatenate(drawn)
    effect, spread = observed - null.mean(axis=0), null.std(axis=0, ddof=1)
    p_value = (1 + (null >= observed - 1e-12).sum(axis=0)) / (1 + sets)
    with np.errstate(divide="ignore", invalid="ignore"):
        return plain_result(effect, spread, effect / spread, p_value)


def disease_genes(z: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the rows of the genes that make the set, and their weights: z, from 0 to 10."""
    count = min(max(round(len(z) * _SHARE), _FEWEST_GENES), _MOST_GENES, len(z))
    chosen = np.sort(np.argsort(-np.nan_to_num(z, nan=-np.inf), kind="stable")[:count])
    return chosen, np.clip(np.nan_to_num(z[chosen]), 0.0, _LARGEST_WEIGHT)


def matched_genes(mean: Array, variance: Array) -> list[NDArray[np.intp]]:
    """Return, for each gene, the rows of those of about the same mean and variance, itself among them."""
    parts = int(np.clip(np.sqrt(len(mean) / _IN_A_BIN), 1, _QUANTILES))
    found: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)] * len(mean)
    for by_mean in np.array_split(np.argsort(mean, kind="stable"), parts):
        for group in np.array_split(by_mean[np.argsort(variance[by_mean], kind="stable")], parts):
            rows = np.sort(group)
            for row in rows:
                found[row] = rows
    return found

"""Association of genes with a trait, from summary statistics and LD: MAGMA's SNP-wise mean model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from phenviz.disease.ld_panel import LdPanel
from phenviz.genome.locus import on_contig

Array = NDArray[np.float64]

# bases before and behind a gene that count as its own, along its strand: as many published analyses have it
UPSTREAM, DOWNSTREAM = 35_000, 10_000
# genes further apart than this don't share LD
GENE_REACH = 5_000_000


@dataclass(frozen=True)
class GeneAssociation:
    """Association of the genes of one contig with one trait.

    Parameters
    ----------
    table
        ``gene_name``, ``contig``, ``start``, ``end`` (window, 0-based half-open), ``variants``,
        ``effective`` (number of independent ones), ``frequency`` (mean of the rarer allele), ``statistic``
        (sum of chi-squares), ``z``, ``p_value``.
    correlation
        Of the statistics of two genes where there is no association, (G, G).
    """

    table: pd.DataFrame
    correlation: Array


def gene_windows(genes: pd.DataFrame) -> pd.DataFrame:
    """Return the window of each gene: 35 kb before its start, 10 kb behind its end, along its strand."""
    forward = (genes["strand"] == "+").to_numpy()
    before, behind = np.where(forward, UPSTREAM, DOWNSTREAM), np.where(forward, DOWNSTREAM, UPSTREAM)
    start = np.maximum(genes["start"].to_numpy(np.int64) - before, 0)
    return genes[["gene_name", "contig"]].assign(start=start, end=genes["end"].to_numpy(np.int64) + behind)


def associate_genes(
    statistics: pd.DataFrame,
    panel: LdPanel,
    genes: pd.DataFrame,
    *,
    shared: dict[bytes, GeneLd] | None = None,
) -> GeneAssociation:
    """Test every gene of a contig by the sum of the chi-squares of its variants.

    Where there is no association, z of the variants is normal with correlation R, so that their sum of
    squares is a sum of chi-squares of one degree of freedom, weighted by the eigenvalues of R (SNP-wise mean
    model of MAGMA [1]_); two genes' sums have the covariance ``2 sum_ij r_ij^2``. R is that of the people of
    ``panel``; ancestry should be that of the study.

    Parameters
    ----------
    statistics
        ``position``, ``ref``, ``alt``, ``z`` of one trait on the panel's contig. Signs don't count.
    panel
        LD.
    genes
        ``gene_name``, ``contig``, ``start``, ``end``, ``strand``.
    shared
        Keeps LD for other traits of this panel.

    References
    ----------
    .. [1] de Leeuw 2015, PLoS Comput Biol 11:e1004219.
    """
    rows = panel.rows(statistics)
    known = (rows >= 0) & np.isfinite(statistics["z"].to_numpy(float))
    order = np.argsort(rows[known], kind="stable")
    rows, z = rows[known][order], statistics["z"].to_numpy(float)[known][order]
    # traits of one study have the same variants, and so the same LD
    key = rows.tobytes()
    shared = {} if shared is None else shared
    if key not in shared:
        shared[key] = _gene_ld(rows, panel, genes)
    ld = shared[key]
    statistic = np.array([float((z[low:high] ** 2).sum()) for low, high in ld.ranges])
    score = np.array([mixture_z(q, own) for q, own in zip(statistic, ld.weights, strict=True)])
    table = ld.table.assign(statistic=statistic, z=score, p_value=norm.sf(score))
    return GeneAssociation(table, ld.correlation)


@dataclass(frozen=True)
class GeneLd:
    """What the association of genes needs of LD: their windows, eigenvalues and correlation."""

    table: pd.DataFrame
    ranges: tuple[tuple[int, int], ...]
    weights: tuple[Array, ...]
    correlation: Array


def _gene_ld(rows: NDArray[np.intp], panel: LdPanel, genes: pd.DataFrame) -> GeneLd:
    place = panel.variants["position"].to_numpy(np.int64)[rows] - 1
    contig = panel.variants["contig"].iloc[0] if len(panel.variants) else ""
    windows = gene_windows(genes[on_contig(genes["contig"], str(contig))])
    windows = windows.sort_values(["start", "end", "gene_name"], ignore_index=True)
    first, last = (np.searchsorted(place, windows[side].to_numpy(np.int64)) for side in ("start", "end"))
    filled = last > first
    windows, first, last = windows[filled].reset_index(drop=True), first[filled], last[filled]
    found, weights = [], []
    products = np.zeros((len(windows), len(windows)))
    near: list[tuple[int, NDArray[np.float32]]] = []
    ends = windows["end"].to_numpy(np.int64)
    frequency = panel.variants["frequency"].to_numpy(float)[rows]
    rarer = np.minimum(frequency, 1 - frequency)
    for number, (low, high, start) in enumerate(zip(first, last, windows["start"], strict=True)):
        own = panel.genotypes[rows[low:high]].astype(float)
        weights.append(eigenvalues(own))
        effective = weights[-1].sum() ** 2 / (weights[-1] ** 2).sum()
        found.append((high - low, effective, rarer[low:high].mean()))
        # sum_ij r_ij^2 of two genes is the product of their (people x people) matrices, element by element
        near = [(other, theirs) for other, theirs in near if start - ends[other] <= GENE_REACH]
        near.append((number, (own.T @ own / panel.people).astype(np.float32)))
        for other, theirs in near:
            products[number, other] = products[other, number] = np.vdot(near[-1][1], theirs)
    table = pd.concat([windows, pd.DataFrame(found, columns=["variants", "effective", "frequency"])], axis=1)
    ranges = tuple((int(low), int(high)) for low, high in zip(first, last, strict=True))
    correlation = _correlation(products, table["variants"].to_numpy(float), panel.people)
    return GeneLd(table, ranges, tuple(weights), correlation)


def eigenvalues(genotypes: Array) -> Array:
    """Return the eigenvalues of the correlation of some variants (n, people) that aren't 0."""
    variants, people = genotypes.shape
    product = genotypes @ genotypes.T if variants <= people else genotypes.T @ genotypes
    values = np.linalg.eigvalsh(product / people)
    return np.asarray(values[values > 1e-6 * max(values.max(initial=0.0), 1e-12)])


def mixture_z(statistic: float, weights: Array) -> float:
    """Return the normal deviate whose upper tail is that of a weighted sum of chi-squares of one degree.

    Lugannani and Rice's saddlepoint approximation in Barndorff-Nielsen's form, ``w + log(v / w) / w`` [1]_,
    which also holds where p underflows.

    Parameters
    ----------
    statistic
        The sum.
    weights
        Positive.

    References
    ----------
    .. [1] Kuonen 1999, Biometrika 86:929.
    """
    # a common factor changes nothing
    q, weights = statistic / weights.max(), weights / weights.max()
    mean, variance = weights.sum(), 2 * (weights**2).sum()
    if q <= 0:
        return -np.inf
    if abs(q - mean) < 1e-4 * np.sqrt(variance):
        # at the mean w and v are 0: the limit, by the skewness
        return float(8 * (weights**3).sum() / variance**1.5 / 6)

    def slope(t: float) -> float:
        return float((weights / (1 - 2 * t * weights)).sum() - q)

    # it rises; each term is below -1 / 2t left of 0, and that of the largest weight is 1 / (1 - 2t)
    t = float(brentq(slope, -len(weights) / q, 0.5 - 0.25 / q, xtol=1e-14))
    cumulant = -0.5 * np.log1p(-2 * t * weights).sum()
    w = np.sign(t) * np.sqrt(max(2 * (t * q - cumulant), 1e-30))
    v = t * np.sqrt(2 * ((weights / (1 - 2 * t * weights)) ** 2).sum())
    return float(w + np.log(v / w) / w)


def _correlation(shared: Array, variants: Array, people: int) -> Array:
    """Correlate the genes' sums of chi-squares: ``sum_ij r_ij^2`` over the root of the product of their own.

    What chance gives in so many people is taken off, as in `unbiased_square`; pairs too far apart hold 0.
    """
    pairs = np.outer(variants, variants)
    shared = np.where(shared > 0, shared - (pairs - shared) / (people - 2), 0.0)
    sd = np.sqrt(np.maximum(np.diag(shared), 1e-12))
    correlation = np.clip(shared / np.outer(sd, sd), 0.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)

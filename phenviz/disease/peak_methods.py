"""Baselines on observed peaks and regulatory elements: g-chromVAR, overlap (Fisher) and a rank test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import fisher_exact, norm, rankdata

from phenviz.disease.background import elements
from phenviz.disease.covariates import gc_content, standardise
from phenviz.disease.engine import plain_result, untested
from phenviz.disease.inputs import Inputs
from phenviz.disease.methods import Method, Outcome
from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.intervals import holding
from phenviz.genome.locus import bare_contig

Array = NDArray[np.float64]

LEAST_POSTERIOR = 0.1
_NEAREST = 50
_CONTROLS = 40


@dataclass(frozen=True)
class _PeakTable:
    """Union peaks of the reference's contigs: accessibility (P, C), and matched peaks of each, (P, 50)."""

    accessibility: Array
    matched: NDArray[np.intp]


def gchromvar(inputs: Inputs, name: str) -> Outcome:
    """Compare posterior-weighted accessibility of peaks with peaks matched on GC and mean accessibility.

    Following g-chromVAR [1]_: for peaks p of weight w_p (sum of the posteriors of the variants inside) and
    accessibility X_pc, the deviation is ``(sum_p w_p X_pc - E_c) / E_c``, where E is what the peaks' totals
    and the context's share lead to expect. z compares it with sets of matched peaks, as g-chromVAR does; p is
    the share of these sets that reach it, one-sided, and not that of z under a normal distribution as in
    g-chromVAR: with few peaks of weight the null is skewed, and the normal tail called 3.6 % of null traits
    at 0.01.

    References
    ----------
    .. [1] Ulirsch et al. 2019, Nat Genet 51:683.
    """
    peaks = _peak_table(inputs)
    x = peaks.accessibility
    total, share = x.sum(1), x.sum(0) / x.sum()
    peak_of = inputs.peaks.peak_of(inputs.variants)
    results = {}
    for trait in inputs.traits.traits:
        table, rows = inputs.trait(trait)
        inside = peak_of[rows] >= 0
        weight: Array = np.bincount(
            peak_of[rows][inside], table["posterior"].to_numpy(float)[inside], minlength=len(x)
        ).astype(float)
        held = np.flatnonzero(weight)
        if not len(held):
            results[trait] = untested(x.shape[1])
            continue
        null = _matched_sets(
            weight[held], held, peaks, inputs.settings.permutations, inputs.generator(trait, name)
        )
        observed = _deviation(weight[held] @ x[held], weight[held] @ total[held] * share)
        effect, sd = observed - null.mean(0), np.maximum(null.std(0), 1e-12)
        # a peak is among those that it is matched with, so the observed set is one of those drawn from
        reached = (null >= observed - 1e-9 * np.abs(observed)).sum(0)
        results[trait] = plain_result(effect, sd, effect / sd, (1 + reached) / (1 + len(null)))
    return Outcome(inputs.peaks.contexts, results, {})


def accessibility_rank(inputs: Inputs, name: str) -> Outcome:
    """Test whether peaks that hold fine-mapped variants rank high in a context's specificity.

    Following CHEERS [1]_: peaks are quantile-normalised over contexts, scaled to unit length, and ranked in
    each context. The mean rank of the peaks that hold variants (weighted by their posteriors here) is
    compared with that of as many random peaks under a normal approximation, one-sided.

    References
    ----------
    .. [1] Soskic et al. 2019, Nat Genet 51:1486.
    """
    x = _peak_table(inputs).accessibility
    ranks = _specificity_ranks(x)
    peak_of = inputs.peaks.peak_of(inputs.variants)
    results = {}
    for trait in inputs.traits.traits:
        table, rows = inputs.trait(trait)
        inside = peak_of[rows] >= 0
        weight = np.bincount(
            peak_of[rows][inside], table["posterior"].to_numpy(float)[inside], minlength=len(x)
        )
        weight = np.minimum(weight, 1.0)
        if not weight.sum() > 0:
            results[trait] = untested(x.shape[1])
            continue
        share = weight / weight.sum()
        effect = share @ ranks - 0.5
        se = np.full(x.shape[1], np.sqrt((share**2).sum() / 12))
        results[trait] = plain_result(effect, se, effect / se, norm.sf(effect / se))
    return Outcome(inputs.peaks.contexts, results, {})


def overlap(inputs: Inputs, name: str) -> Outcome:
    """Test overlap of fine-mapped variants with peaks of each context (Fisher's exact test, one-sided)."""
    return _fisher(inputs, inputs.peaks.contexts, lambda variants: inputs.peaks.at(variants) > 0)


def overlap_remo(inputs: Inputs, name: str) -> Outcome:
    """Test overlap with the regulatory elements of each cell type (REMO modules)."""
    regulatory = inputs.world.annotation.elements
    if regulatory.empty:
        raise DataError(
            f"world {inputs.world.name!r} has no regulatory elements: set 'elements' in its "
            f"project.yaml, or leave "
            "the method overlap-remo out"
        )
    names = sorted({name for cell in regulatory["cell_types"] for name in str(cell).split("|") if name})
    curies = _curies()
    contexts = tuple(
        Context(name, name, curies.get(name, ""), "REMO cell types", "#8a94a0") for name in names
    )
    return _fisher(inputs, contexts, lambda variants: _in_elements(regulatory, names, variants))


def _peak_table(inputs: Inputs) -> _PeakTable:
    places, accessibility = inputs.peaks.union
    reference = inputs.world.reference
    known = {bare_contig(contig): contig for contig in reference.contigs}
    here = places["contig"].isin(known).to_numpy()
    # peaks elsewhere have no sequence here; they stay in the table so that numbers of peaks hold
    gc = np.full(len(places), np.nan)
    gc[here] = gc_content(places[here].assign(contig=places["contig"].map(known)), reference)
    mean = np.log1p(accessibility.mean(1))
    points = np.column_stack([mean / max(mean.std(), 1e-9), np.nan_to_num(gc) / max(np.nanstd(gc), 1e-9)])
    rows = np.flatnonzero(here)
    if len(rows) < 2:
        raise DataError(
            "hardly any observed peak lies on the contigs of this world: give peaks of its assembly"
        )
    tree = cKDTree(points[rows])
    nearest = tree.query(points, k=min(_NEAREST, len(rows)))[1].reshape(len(points), -1)
    return _PeakTable(accessibility, rows[nearest])


def _matched_sets(
    weight: Array,
    held: NDArray[np.signedinteger],
    peaks: _PeakTable,
    sets: int,
    generator: np.random.Generator,
) -> Array:
    """Return the deviations of sets in which each peak is replaced by a matched one, (sets, C)."""
    x = peaks.accessibility
    total, share = x.sum(1), x.sum(0) / x.sum()
    seen, expected = np.zeros((sets, x.shape[1])), np.zeros((sets, 1))
    for peak, own in zip(held, weight, strict=True):
        drawn = peaks.matched[peak, generator.integers(0, peaks.matched.shape[1], sets)]
        seen += own * x[drawn]
        expected += own * total[drawn, None]
    return _deviation(seen, expected * share)


def _deviation(seen: Array, expected: Array) -> Array:
    return np.asarray((seen - expected) / np.maximum(expected, 1e-12))


def _specificity_ranks(x: Array) -> Array:
    """Rank of each peak in each context from 0 to 1, (P, C)."""
    order = np.argsort(np.argsort(x, axis=0, kind="stable"), axis=0, kind="stable")
    # ties (peaks that a context lacks) share the mean of their places
    quantile = np.sort(x, axis=0).mean(1)
    normal = np.empty_like(x)
    for column in range(x.shape[1]):
        values = quantile[order[:, column]]
        tied, where = np.unique(x[:, column], return_inverse=True)
        normal[:, column] = (np.bincount(where, values) / np.bincount(where, minlength=len(tied)))[where]
    length = np.sqrt((normal**2).sum(1, keepdims=True))
    scaled = normal / np.maximum(length, 1e-12)
    return np.asarray((rankdata(scaled, axis=0) - 0.5) / len(x))


def _fisher(
    inputs: Inputs, contexts: tuple[Context, ...], inside: Callable[[pd.DataFrame], NDArray[np.bool_]]
) -> Outcome:
    """Compare the share of a trait's elements that lie inside with that of comparable positions.

    Comparable positions: for each element the 40 background positions that are most like its heaviest
    variant in distance to the TSS and GC content. Neighbours within an element count once.
    """
    side = inputs.observed if inputs.cheapest_kind == "observed" else inputs.model
    first = (side.background.variants["stage"] == 1).to_numpy()
    columns = ["tss_distance", "gc"]
    tree = cKDTree(standardise(side.pool_covariates[first], columns))
    points = standardise(side.covariates, columns)
    base = inside(side.background.variants[first])
    ours = inside(inputs.variants)
    results = {}
    for trait in inputs.traits.traits:
        table, rows = inputs.trait(trait)
        strong = (table["posterior"] >= LEAST_POSTERIOR).to_numpy()
        if not strong.any():
            results[trait] = untested(len(contexts))
            continue
        kept = rows[strong][_one_an_element(table[strong].reset_index(drop=True))]
        like = tree.query(points[kept], k=min(_CONTROLS, len(base)))[1].ravel()
        own, hits = ours[kept], ours[kept].sum(0)
        base_in, base_all = base[like].sum(0), len(like)
        cells = np.array([hits, len(own) - hits, base_in, base_all - base_in], dtype=float)
        p = np.array([fisher_exact(four.reshape(2, 2), alternative="greater").pvalue for four in cells.T])
        # half a count more in each cell (Haldane) keeps the odds ratio finite
        effect = np.log2((cells[0] + 0.5) * (cells[3] + 0.5) / ((cells[1] + 0.5) * (cells[2] + 0.5)))
        se = np.sqrt((1 / (cells + 0.5)).sum(0)) / np.log(2)
        results[trait] = plain_result(effect, se, effect / se, np.minimum(p, 1.0))
    return Outcome(contexts, results, {})


def _one_an_element(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return the row of the heaviest variant of each element."""
    order = np.lexsort((table["position"].to_numpy(), table["contig"].to_numpy(str)))
    number = np.empty(len(table), dtype=np.int64)
    number[order] = elements(
        table["contig"].to_numpy(str)[order], table["position"].to_numpy(np.int64)[order]
    )
    best = table.assign(number=number).sort_values("posterior", ascending=False, kind="stable")
    return np.sort(best.drop_duplicates("number").index.to_numpy())


def _in_elements(regulatory: pd.DataFrame, names: list[str], variants: pd.DataFrame) -> NDArray[np.bool_]:
    column = {name: number for number, name in enumerate(names)}
    active = np.zeros((len(regulatory), len(names)), dtype=bool)
    for row, listed in enumerate(regulatory["cell_types"]):
        active[row, [column[name] for name in str(listed).split("|") if name]] = True
    result = np.zeros((len(variants), len(names)), dtype=bool)
    rows, found = holding(variants, regulatory)
    np.logical_or.at(result, rows, active[found])
    return result


def _curies() -> dict[str, str]:
    from phenviz.data.embedded import ELEMENT_CELL_TYPES

    table = pd.read_csv(ELEMENT_CELL_TYPES, sep="\t")
    return dict(zip(table["cell_type"].astype(str), table["curie"].astype(str), strict=True))


METHODS = {
    "gchromvar": Method(
        "g-chromVAR on observed peaks",
        "Posterior-weighted accessibility of observed peaks was compared with sets of peaks matched on GC "
        "and mean accessibility (g-chromVAR, with p-values from these sets instead of the normal tail).",
        "deviation from the expected accessibility",
        gchromvar,
        summary="The field's weighted enrichment of observed peaks, for comparison.",
    ),
    "overlap": Method(
        "overlap with observed peaks",
        "The share of variants with posterior of at least 0.1 in peaks of each context was compared "
        "with that of 40 "
        "positions each of like distance to the TSS and GC (Fisher's exact test; neighbours within 300 "
        "bp count once).",
        "log2 odds ratio",
        overlap,
        summary="Do the variants lie in observed peaks more often than other places do? It ranks best where "
        "peaks of the cell type were measured.",
    ),
    "overlap-remo": Method(
        "overlap with REMO elements",
        "The same test was done with the regulatory elements of each REMO cell type.",
        "log2 odds ratio",
        overlap_remo,
        summary="Do the variants lie in regulatory elements of one of 144 cell types, many beyond blood?",
    ),
    "accessibility-rank": Method(
        "rank test of observed accessibility",
        "The mean specificity rank of peaks that hold variants, weighted by posterior, was tested "
        "against uniform ranks "
        "(after CHEERS).",
        "mean rank minus 0.5",
        accessibility_rank,
        summary="Do the peaks that hold variants rank high in a context, after CHEERS?",
    ),
}

"""LD scores for a study's variants: those that the project names, or computed from its people and peaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.ld_panel import LdPanel, read_panels
from phenviz.disease.ld_scores import WINDOW, joined, ld_scores, read_ld_scores, read_ldcts
from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.intervals import holding
from phenviz.genome.locus import bare_contig

if TYPE_CHECKING:
    from phenviz.disease.inputs import Inputs
    from phenviz.genome import Annotation

Array = NDArray[np.float64]

# rarer variants have no part in LDSC's heritability
LEAST_FREQUENCY = 0.05
# bases on each side of a transcription start
PROMOTER = 1_000
_BASELINE = ("all", "open in any context", "promoter", "exon")
_COLOUR = "#8a94a0"


@dataclass(frozen=True)
class StudyLdScores:
    """LD scores of reference variants with respect to a baseline and to each context.

    Parameters
    ----------
    variants
        ``contig``, ``position``, ``id`` and, where computed here, ``ref`` and ``alt``; in order.
    baseline
        LD scores of the baseline annotations, the first of all variants, (V, B).
    own
        Context -> LD scores of its annotations, the last its own, (V, k).
    weights
        LD scores among the variants that are regressed on, (V,).
    baseline_sizes, own_sizes
        Variants of each annotation.
    contexts
        What is tested.
    source
        Where they come from, in words.
    """

    variants: pd.DataFrame
    baseline: Array
    own: Mapping[str, Array]
    weights: Array
    baseline_sizes: Array
    own_sizes: Mapping[str, Array]
    contexts: tuple[Context, ...]
    source: str

    def rows(self, statistics: pd.DataFrame) -> pd.DataFrame:
        """Match a study: ``row``, ``contig``, ``position``, ``z`` of its variants that have LD scores.

        By place and alleles where the LD scores have alleles; else by rsID where most of the study's
        variants have one, and by place where not.
        """
        ours = _bare(self.variants).assign(row=np.arange(len(self.variants)))
        theirs = _bare(statistics)
        if "ref" in ours:
            key = ["contig", "position", "ref", "alt"]
        elif theirs["id"].str.startswith("rs").mean() > 0.5:
            key = ["id"]
        else:
            key = ["contig", "position"]
        ours = ours.drop_duplicates(key)
        theirs = theirs.drop_duplicates(key)[[*key, "z"]]
        found = ours.merge(theirs, on=key, how="inner")[["row", "contig", "position", "z"]]
        return found.sort_values("row", ignore_index=True)

    def of(self, context: Context, rows: NDArray[np.intp]) -> Array:
        """Return the LD scores to regress on for one context: the baseline's, then its own."""
        return np.column_stack([self.baseline[rows], self.own[context.name][rows]])

    def sizes(self, context: Context) -> Array:
        """Return the number of variants of each of these annotations."""
        return np.concatenate([self.baseline_sizes, self.own_sizes[context.name]])


def study_ld_scores(inputs: Inputs) -> StudyLdScores:
    """Read the LD scores that the project names, or compute them from its people, peaks and genes.

    Raises
    ------
    DataError
        If files of LD scores can't be read, or don't belong together.
    """
    named = inputs.world.project.ld_scores
    return _named(inputs, named) if named else _computed(inputs)


def _named(inputs: Inputs, named: Mapping[str, Path]) -> StudyLdScores:
    statistics = inputs.traits.statistics
    assert statistics is not None
    contigs = sorted({bare_contig(str(name)) for name in statistics["contig"].unique()})
    with inputs.world.project.naming("ld_scores"):
        lists = read_ldcts(named["contexts"])
        # contexts usually share their controls
        prefixes = dict.fromkeys([named["baseline"], named["weights"], *chain(*lists.values())])
        parts = {str(prefix): read_ld_scores(prefix, contigs) for prefix in prefixes}
    whole = joined(parts)
    if whole.variants.empty:
        raise DataError(
            f"the LD scores of {named['baseline']}, {named['weights']} and {named['contexts']} have no "
            "variant in common: give files of one release"
        )
    at = dict(zip(parts, np.cumsum([0, *(len(part.names) for part in parts.values())])[:-1], strict=True))
    order = np.argsort(whole.variants["position"].to_numpy(np.int64), kind="stable")
    order = order[np.argsort(whole.variants["contig"].to_numpy(str)[order], kind="stable")]
    scores = whole.scores[order]

    def columns(prefix: Path) -> NDArray[np.intp]:
        return at[str(prefix)] + np.arange(len(parts[str(prefix)].names))

    own, sizes = {}, {}
    for name, listed in lists.items():
        # the first is the context's, the others are controls; its own comes last
        chosen = np.concatenate([columns(prefix) for prefix in reversed(listed)])
        own[name], sizes[name] = scores[:, chosen], whole.sizes[chosen]
    known = {context.name: context for context in inputs.contexts}
    contexts = tuple(known.get(name, Context(name, name, "", "named LD scores", _COLOUR)) for name in lists)
    base = columns(named["baseline"])
    # the annotation of all variants is the largest; the regression's weights go by it
    base = base[np.argsort(-whole.sizes[base], kind="stable")]
    return StudyLdScores(
        whole.variants.iloc[order].reset_index(drop=True), scores[:, base], own,
        scores[:, columns(named["weights"])[0]], whole.sizes[base], sizes, contexts,
        f"with the LD scores that the project names ({named['contexts'].name})",
    )  # fmt: skip


def _computed(inputs: Inputs) -> StudyLdScores:
    people, statistics = inputs.world.individuals, inputs.traits.statistics
    assert people is not None and statistics is not None
    tables, baseline, own, weights = [], [], [], []
    studied = statistics.drop_duplicates(["contig", "position", "ref", "alt"])
    count = 0
    for panel in read_panels(
        people, statistics, least_frequency=LEAST_FREQUENCY, reach=WINDOW, progress=inputs.progress
    ):
        inputs.progress.check()
        marks = _annotations(panel, inputs)
        regressed = np.zeros((len(panel.variants), 1))
        rows = panel.rows(studied[studied["contig"] == panel.variants["contig"].iloc[0]])
        regressed[rows[rows >= 0]] = 1
        scores = ld_scores(panel, np.column_stack([marks, regressed]))
        tables.append(panel.variants.assign(id=""))
        first = len(_BASELINE)
        baseline.append((scores[:, :first], marks[:, :first].sum(0)))
        own.append((scores[:, first:-1], marks[:, first:].sum(0)))
        weights.append(scores[:, -1])
        count = panel.people
    contexts = inputs.peaks.contexts
    if not tables:
        nothing = np.zeros((0, 1))
        return StudyLdScores(
            pd.DataFrame({name: [] for name in ("contig", "position", "ref", "alt", "id")}),
            np.zeros((0, len(_BASELINE))), {c.name: nothing for c in contexts}, np.zeros(0),
            np.zeros(len(_BASELINE)), {c.name: np.zeros(1) for c in contexts}, contexts, "",
        )  # fmt: skip
    stacked = np.concatenate([scores for scores, _ in own])
    sizes = np.sum([size for _, size in own], axis=0)
    return StudyLdScores(
        pd.concat(tables, ignore_index=True),
        np.concatenate([scores for scores, _ in baseline]),
        {context.name: stacked[:, [place]] for place, context in enumerate(contexts)},
        np.concatenate(weights),
        np.sum([size for _, size in baseline], axis=0),
        {context.name: sizes[[place]] for place, context in enumerate(contexts)},
        contexts,
        f"with LD scores of {count:,} people",
    )


def _bare(table: pd.DataFrame) -> pd.DataFrame:
    names = {name: bare_contig(str(name)) for name in table["contig"].unique()}
    return table.assign(contig=table["contig"].map(names))


def _annotations(panel: LdPanel, inputs: Inputs) -> Array:
    """Mark the panel's variants: all, open in any context, promoter, exon, then open in each context."""
    annotation = inputs.world.annotation
    variants = panel.variants
    peaks = (inputs.peaks.at(variants) > 0).astype(float)
    inside = [np.ones(len(variants)), peaks.max(1), _in(variants, _promoters(annotation)),
              _in(variants, _exons(annotation))]  # fmt: skip
    return np.column_stack([*inside, peaks])


def _in(variants: pd.DataFrame, intervals: pd.DataFrame) -> Array:
    marked = np.zeros(len(variants))
    marked[holding(variants, intervals)[0]] = 1
    return marked


def _promoters(annotation: Annotation) -> pd.DataFrame:
    genes = annotation.genes
    start = (genes["tss"] - PROMOTER).clip(lower=0)
    return pd.DataFrame({"contig": genes["contig"], "start": start, "end": genes["tss"] + PROMOTER})


def _exons(annotation: Annotation) -> pd.DataFrame:
    genes = annotation.genes
    rows = [
        (contig, start, end)
        for contig, starts, ends in zip(
            genes["contig"], genes["exon_starts"], genes["exon_ends"], strict=True
        )
        for start, end in zip(starts, ends, strict=True)
    ]
    return pd.DataFrame(rows, columns=["contig", "start", "end"])

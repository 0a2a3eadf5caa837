"""Whole figures: what the Explore page shows, and what a single result looks like."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.errors import ResultError
from phenviz.figures.activity import (
    ActivityAreas,
    ActivityHeatmap,
    by_lineage,
    context_colours,
    select_contexts,
)
from phenviz.figures.bases import Attribution, Contribution, Logo, MutagenesisHeatmap, letters_fit
from phenviz.figures.chart import Chart
from phenviz.figures.component import Component
from phenviz.figures.elements import Elements, ObservedPeaks
from phenviz.figures.expression import expression_effects_figure, expression_figure
from phenviz.figures.figure import LocusFigure
from phenviz.figures.genes import Genes
from phenviz.figures.haplotypes import (
    HAPLOTYPES,
    REFERENCE,
    CarriedVariants,
    HaplotypeDifference,
    HaplotypeTracks,
    check_personal,
    most_changed,
)
from phenviz.figures.marks import Highlights, Overlay
from phenviz.figures.measured import measured_figure
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.position import Ideogram, Ruler
from phenviz.figures.variants import variants_figure
from phenviz.formats import FIGURE, writes
from phenviz.genome.locus import Locus
from phenviz.genome.ticks import format_length
from phenviz.results import kind_of, locus_of, validate
from phenviz.results.palette import lineage_colours

_MOST_CONTEXTS = 3
_MOST_PERSONAL_CONTEXTS = 4
# of a two-column figure's width, what names and scales take
SIDES_MM = 40.0


class FigureAnnotation(Protocol):
    """The part of an annotation that figures read."""

    elements: pd.DataFrame

    def genes_in(self, locus: Locus) -> pd.DataFrame:
        """Genes that overlap a locus."""

    def elements_in(self, locus: Locus) -> pd.DataFrame:
        """Regulatory elements that overlap a locus."""

    def bands(self, contig: str) -> pd.DataFrame:
        """Bands of a contig."""


def explore_figure(
    locus: Locus,
    *,
    annotation: FigureAnnotation | None = None,
    prediction: xr.Dataset | None = None,
    observed: pd.DataFrame | None = None,
    attribution: xr.Dataset | None = None,
    mutagenesis: xr.Dataset | None = None,
    contexts: Sequence[str] | None = None,
    style: str = "heatmap",
    without: Collection[str] = (),
    focus: Locus | str | None = None,
    overlays: Sequence[Overlay] = (),
    width_mm: float = TWO_COLUMNS_MM,
    title: str | None = None,
) -> LocusFigure:
    """Draw the tracks of the Explore page for print.

    Parameters
    ----------
    locus
        Window.
    annotation
        Gives ideogram, genes and regulatory elements.
    prediction, attribution, mutagenesis
        Results; each adds its tracks. Attribution and mutagenesis become letters where these can be read.
    observed
        Measured peaks: columns context, start, end (and contig).
    contexts
        Short names of the contexts to draw; all by default. A mutagenesis, and an attribution in several
        contexts, are drawn in those of them that they hold (in their own where they hold none), at most the
        three strongest.
    style
        ``heatmap`` or ``areas``, for the prediction.
    without
        Parts of the annotation to leave out: ``genes``, ``elements``.
    focus
        A gene's name to stress, or a locus to tint.
    overlays
        More marks across the tracks, such as `VariantMarks`.
    title
        By default the locus and its length.

    Raises
    ------
    ResultError
        If a result isn't of the kind it is passed as, lacks a context, or has nothing in the window.
    """
    _check_kinds(prediction=prediction, attribution=attribution, mutagenesis=mutagenesis)
    drawn = next((part for part in (prediction, mutagenesis, attribution) if part is not None), None)
    gene = focus if isinstance(focus, str) else None
    tracks: list[Component | Overlay] = [*overlays]
    if isinstance(focus, Locus):
        tracks.append(Highlights([(focus.start, focus.end)]))
    tracks += _annotation_tracks(locus, annotation, drawn, gene, without)
    if observed is not None:
        tracks.append(_observed_track(observed, drawn, contexts))
    if prediction is not None:
        tracks.append(_activity_track(prediction, contexts, style))
    if attribution is not None:
        tracks += _attribution_tracks(locus, attribution, contexts, width_mm)
    if mutagenesis is not None:
        tracks += _mutagenesis_tracks(locus, mutagenesis, contexts, width_mm)
    if title is None:
        title = f"{locus} ({format_length(locus.length)})"
    return LocusFigure(locus, tracks, width_mm=width_mm, title=title)


def personal_figure(
    personal: xr.Dataset,
    *,
    locus: Locus | None = None,
    annotation: FigureAnnotation | None = None,
    variants: pd.DataFrame | None = None,
    contexts: Sequence[str] | None = None,
    overlays: Sequence[Overlay] = (),
    width_mm: float = TWO_COLUMNS_MM,
    title: str | None = None,
) -> LocusFigure:
    """Draw a person's two haplotypes against the reference.

    Parameters
    ----------
    personal
        What `phenviz.effects.predict_haplotypes` returned.
    locus
        Window; what the result is about by default.
    annotation
        Gives ideogram, genes and regulatory elements.
    variants
        What the person carries, as `CarriedVariants` takes it.
    contexts
        Short names of the contexts to draw; by default the differences of all, and the activity of the
        few that differ most.
    overlays
        More marks across the tracks, such as `VariantMarks`.
    title
        By default the person, the locus and its length.

    Raises
    ------
    ResultError
        If it is another result, lacks a context, or has nothing in the window.
    """
    check_personal(personal)
    locus = locus_of(personal) if locus is None else locus
    tracks: list[Component | Overlay] = [
        *overlays,
        *_annotation_tracks(locus, annotation, personal.sel(haplotype=REFERENCE), None),
    ]
    if variants is not None:
        tracks.append(CarriedVariants(variants, personal))
    tracks += [HaplotypeDifference(personal, name, contexts) for name in HAPLOTYPES]
    shown = most_changed(personal, _MOST_PERSONAL_CONTEXTS) if contexts is None else list(contexts)
    tracks.append(HaplotypeTracks(personal, shown))
    if title is None:
        who = str(personal.attrs.get("sample", "")) or "Both haplotypes"
        title = f"{who}, {locus} ({format_length(locus.length)})"
    return LocusFigure(locus, tracks, width_mm=width_mm, title=title)


@writes("prediction", *FIGURE)
@writes("mutagenesis", *FIGURE)
@writes("attribution", *FIGURE)
@writes("haplotypes", *FIGURE)
@writes("variant effects", *FIGURE)
def _written(
    dataset: xr.Dataset, path: Path, *, annotation: FigureAnnotation | None = None, progress: object = None
) -> tuple[Path, ...]:
    return (figure_of(dataset, annotation).save(path),)


def figure_of(
    dataset: xr.Dataset, annotation: FigureAnnotation | None = None, *, width_mm: float = TWO_COLUMNS_MM
) -> LocusFigure | Chart:
    """Draw one result: over the locus it is about, or effects of variants as a chart.

    Raises
    ------
    ResultError
        If it is no prediction (of the reference or of two haplotypes), mutagenesis, attribution, table of
        variants, expression of genes that differs from something, or agreement with measured expression.
    """
    kind = validate(dataset)
    if kind == "variant effects":
        return variants_figure(dataset, width_mm=width_mm)
    if kind == "effects on expression":
        return expression_effects_figure(dataset, width_mm=width_mm)
    if kind == "gene expression" and "haplotype" in dataset.dims:
        return expression_figure(dataset, width_mm=width_mm)
    if kind == "measured":
        return measured_figure(dataset, width_mm=width_mm)
    if kind == "gene expression":
        raise ResultError("expression of genes is no figure over a locus: save it as .parquet, .tsv or .nc")
    if kind == "risk":
        raise ResultError("scores of people are no figure over a locus: save them as .tsv, .parquet or .nc")
    if "haplotype" in dataset.dims:
        return personal_figure(dataset, annotation=annotation, width_mm=width_mm)
    results: dict[str, xr.Dataset] = {kind: dataset}
    return explore_figure(locus_of(dataset), annotation=annotation, width_mm=width_mm, **results)  # type: ignore[arg-type]


def _check_kinds(**results: xr.Dataset | None) -> None:
    for wanted, dataset in results.items():
        if dataset is not None and (kind := kind_of(dataset)) != wanted:
            raise ResultError(
                f"passed as {wanted} is {kind or 'a dataset of unknown kind'}: pass it as what it is"
            )


def _annotation_tracks(
    locus: Locus,
    annotation: FigureAnnotation | None,
    dataset: xr.Dataset | None,
    gene: str | None,
    without: Collection[str] = (),
) -> list[Component]:
    assembly = "" if dataset is None else str(dataset.attrs.get("assembly", ""))
    tracks: list[Component] = [Ruler(locus.contig, assembly)]
    if annotation is None:
        return tracks
    bands = annotation.bands(locus.contig)
    if len(bands):
        tracks.insert(0, Ideogram(bands))
    if "genes" not in without:
        tracks.append(Genes(annotation.genes_in(locus), focus=gene))
    elements = annotation.elements_in(locus)
    if len(elements) and "elements" not in without:
        tracks.append(Elements(elements, element_colours(dataset)))
    return tracks


def element_colours(dataset: xr.Dataset | None) -> dict[str, str]:
    """Colours of the elements' lineages: those of the contexts, so that one hue means one lineage."""
    if dataset is None or not {"context_label", "group"} <= set(dataset.coords):
        return lineage_colours(())
    ordered = by_lineage(dataset)
    colours = context_colours(ordered)
    pairs = zip(ordered["group"].values, ordered["context"].values, strict=True)
    return lineage_colours((str(group), colours[str(name)]) for group, name in pairs)


def _observed_track(
    observed: pd.DataFrame, dataset: xr.Dataset | None, contexts: Sequence[str] | None
) -> ObservedPeaks:
    if dataset is not None and "context" in dataset.dims:
        chosen = by_lineage(select_contexts(dataset, contexts))
        return ObservedPeaks(observed, chosen["context"].values.astype(str).tolist(), context_colours(chosen))
    names = list(contexts) if contexts is not None else list(dict.fromkeys(observed["context"].astype(str)))
    return ObservedPeaks(observed, names)


def _activity_track(prediction: xr.Dataset, contexts: Sequence[str] | None, style: str) -> Component:
    if style == "heatmap":
        return ActivityHeatmap(prediction, contexts)
    if style == "areas":
        return ActivityAreas(prediction, contexts)
    raise ResultError(f"no style {style!r} for activity: choose heatmap or areas")


def _attribution_tracks(
    locus: Locus, attribution: xr.Dataset, contexts: Sequence[str] | None, width_mm: float
) -> list[Component]:
    letters = "reference" in attribution and letters_fit(locus, width_mm - SIDES_MM)
    track = Logo if letters else Attribution
    if "context" not in attribution["attribution"].dims:
        return [track(attribution)]
    chosen = _of_held(attribution, contexts)
    names = _strongest(chosen, abs(chosen["attribution"]).max("position").values)
    return [track(chosen, name) for name in names]


def _mutagenesis_tracks(
    locus: Locus, mutagenesis: xr.Dataset, contexts: Sequence[str] | None, width_mm: float
) -> list[Component]:
    letters = letters_fit(locus, width_mm - SIDES_MM)
    track = Logo if letters else Contribution
    chosen = _of_held(mutagenesis, contexts)
    names = _strongest(chosen, abs(chosen["effect"]).max(["position", "allele"]).values)
    return [part for name in names for part in (track(chosen, name), MutagenesisHeatmap(chosen, name))]


def _of_held(dataset: xr.Dataset, contexts: Sequence[str] | None) -> xr.Dataset:
    """Keep the wanted contexts of a result that was computed in some: others are for the tracks above."""
    held = dataset["context"].values.astype(str).tolist()
    return select_contexts(dataset, [name for name in contexts or () if name in held] or None)


def _strongest(dataset: xr.Dataset, size: np.ndarray) -> list[str]:
    """Return the names of the contexts of the largest sizes, in the result's order."""
    chosen = np.sort(np.argsort(-size, kind="stable")[:_MOST_CONTEXTS])
    return dataset["context"].values.astype(str)[chosen].tolist()

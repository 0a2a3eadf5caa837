"""Figures of what is on screen: the same tracks, contexts and scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.figures.activity import ActivityAreas, ActivityHeatmap, context_colours
from phenviz.figures.bases import Attribution, Contribution, Logo, MutagenesisHeatmap, letters_fit
from phenviz.figures.component import Component
from phenviz.figures.elements import Elements, ObservedHeatmap
from phenviz.figures.explore import SIDES_MM, element_colours
from phenviz.figures.figure import LocusFigure
from phenviz.figures.finemapped import FineMapped
from phenviz.figures.genes import Genes
from phenviz.figures.haplotypes import (
    HAPLOTYPES,
    CarriedVariants,
    HaplotypeDifference,
    HaplotypeTracks,
    check_personal,
)
from phenviz.figures.marks import Highlights, Overlay, VariantMarks
from phenviz.figures.motifs import MotifRow
from phenviz.figures.own_tracks import DrawnIntervals, DrawnSignal
from phenviz.figures.paper import TWO_COLUMNS_MM
from phenviz.figures.position import Ideogram, Ruler
from phenviz.genome.annotation import named_in
from phenviz.genome.ticks import format_length
from phenviz.results import locus_of
from phenviz.results.contrast import minus_others
from phenviz.results.display import Display

if TYPE_CHECKING:
    from phenviz.data.own_tracks import OwnTrack
    from phenviz.figures.explore import FigureAnnotation


_GENE_ROWS, _TRANSCRIPT_ROWS = 8, 30


def screen_figure(
    display: Display,
    annotation: FigureAnnotation,
    *,
    prediction: xr.Dataset | None = None,
    observed: pd.DataFrame | None = None,
    attribution: xr.Dataset | None = None,
    mutagenesis: xr.Dataset | None = None,
    transcripts: pd.DataFrame | None = None,
    finemapped: pd.DataFrame | None = None,
    own: Sequence[OwnTrack] = (),
    width_mm: float = TWO_COLUMNS_MM,
) -> LocusFigure:
    """Draw what the genome browser shows for print.

    Parameters
    ----------
    display
        What it shows, and with which scales (`phenviz.tracks.Browser.display`).
    annotation
        Genes, elements and bands.
    prediction, observed, attribution, mutagenesis
        What the browser draws; a track that isn't on screen isn't drawn.

    transcripts
        All transcripts, for a view that shows them.
    finemapped
        Fine-mapped variants: columns contig, position (from 1), posterior.
    own
        Tracks of the user's own.

    Raises
    ------
    ResultError
        If a result is of another kind, or lacks a context.
    """
    makers: dict[str, Callable[[], list[Component]]] = {
        **_annotated(display, annotation, prediction, transcripts),
        "finemapped": lambda: [] if finemapped is None else [FineMapped(finemapped)],
        "observed": lambda: _observed(display, observed, prediction),
        "activity": lambda: _activity(display, prediction),
        "attribution": lambda: _attribution(display, attribution, width_mm),
        "mutagenesis": lambda: _mutagenesis(display, mutagenesis, width_mm),
    }
    makers |= {track.name: partial(_own, display, track) for track in own}
    return _figure(display, annotation, makers, width_mm, f"{display.locus}")


def personal_screen_figure(
    display: Display,
    annotation: FigureAnnotation,
    personal: xr.Dataset,
    variants: pd.DataFrame | None,
    *,
    note: str = "",
    width_mm: float = TWO_COLUMNS_MM,
) -> LocusFigure:
    """Draw what the Individual page shows for print.

    Parameters
    ----------
    display, annotation
        As for `screen_figure`.
    personal
        What `phenviz.effects.predict_haplotypes` returned.
    variants
        What the person carries, as `CarriedVariants` takes it.
    note
        What stands behind the title.
    """
    check_personal(personal)
    names = list(display.contexts)
    makers: dict[str, Callable[[], list[Component]]] = {
        **_annotated(display, annotation, personal),
        "variants": lambda: [] if variants is None else [CarriedVariants(variants)],
        "difference": lambda: [
            HaplotypeDifference(personal, haplotype, names, limit=display.difference)
            for haplotype in HAPLOTYPES
        ],
        "haplotypes": lambda: [HaplotypeTracks(personal, names, limit=display.haplotypes)],
    }
    return _figure(
        display, annotation, makers, width_mm, f"{personal.attrs.get('sample', '')}, {display.locus}", note
    )


def _figure(
    display: Display,
    annotation: FigureAnnotation,
    makers: dict[str, Callable[[], list[Component]]],
    width_mm: float,
    title: str,
    note: str = "",
) -> LocusFigure:
    bands = annotation.bands(display.locus.contig)
    parts: list[Component | Overlay] = [Ideogram(bands)] if len(bands) else []
    if display.lines:
        parts.append(VariantMarks(display.lines))
    if display.strips:
        parts.append(Highlights(display.strips))
    for name in display.tracks:
        parts += makers[name]() if name in makers else []
    title = f"{title} ({format_length(display.locus.length)}){note}"
    return LocusFigure(display.locus, parts, width_mm=width_mm, title=title)


def _annotated(
    display: Display,
    annotation: FigureAnnotation,
    dataset: xr.Dataset | None,
    transcripts: pd.DataFrame | None = None,
) -> dict[str, Callable[[], list[Component]]]:
    locus = display.locus
    every = transcripts if display.transcripts else None
    genes = annotation.genes_in(locus) if every is None else named_in(every, locus)
    rows = _GENE_ROWS if every is None else _TRANSCRIPT_ROWS
    assembly = "" if dataset is None else str(dataset.attrs.get("assembly", ""))
    return {
        "ruler": lambda: [Ruler(locus.contig, assembly)],
        "genes": lambda: [Genes(genes, most_rows=rows)],
        "elements": lambda: [Elements(annotation.elements_in(locus), element_colours(dataset))],
    }


def _observed(display: Display, observed: pd.DataFrame | None, dataset: xr.Dataset | None) -> list[Component]:
    if observed is None or display.observed is None or not display.contexts:
        return []
    colours = {} if dataset is None else context_colours(dataset)
    return [ObservedHeatmap(observed, display.contexts, display.observed, colours)]


def _own(display: Display, track: OwnTrack) -> list[Component]:
    if track.intervals is not None:
        return [DrawnIntervals(track)]
    limits = dict(display.own).get(track.name)
    return [] if limits is None else [DrawnSignal(track, limits)]


def _activity(display: Display, prediction: xr.Dataset | None) -> list[Component]:
    if prediction is None or not display.contexts:
        return []
    track = ActivityHeatmap if display.style == "heatmap" else ActivityAreas
    return [track(prediction, display.contexts, drawn=display.activity)]


def _attribution(display: Display, result: xr.Dataset | None, width_mm: float) -> list[Component]:
    if result is None or not locus_of(result).overlaps(display.locus):
        return []
    letters = "reference" in result and letters_fit(display.locus, width_mm - SIDES_MM)
    name = _focus_in(result, display)
    part = Logo(result, name) if letters else Attribution(result, name)
    part.limits = display.attribution
    return [part, *([MotifRow(display.motifs)] if display.motifs else [])]


def _mutagenesis(display: Display, result: xr.Dataset | None, width_mm: float) -> list[Component]:
    if result is None or not locus_of(result).overlaps(display.locus):
        return []
    name = _focus_in(result, display)
    track = Logo if letters_fit(display.locus, width_mm - SIDES_MM) else Contribution
    if display.logo == "difference" and name is not None:
        parts = [track(minus_others(result, name))]
        parts[0].label = f"Contribution\n{name} minus\nmean of others"
    else:
        parts = [track(result, row) for row in (display.logos if display.logo == "stacked" else [name])]
    for part in parts:
        part.limits = display.contribution
    motifs = [MotifRow(display.motifs)] if display.motifs else []
    return [*parts, *motifs, MutagenesisHeatmap(result, name, limit=display.effect)]


def _focus_in(dataset: xr.Dataset, display: Display) -> str | None:
    """Return the context whose bases are on screen; None where the result has no contexts."""
    if "context" not in dataset.dims:
        return None
    names = np.atleast_1d(dataset["context"].values).astype(str).tolist()
    return display.focus if display.focus in names else names[0]

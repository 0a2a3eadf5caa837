"""Boxes in rows: regulatory elements by kind of cell, and observed peaks by context."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import FuncNorm
from matplotlib.patches import Rectangle

from phenviz.figures.component import SCALE_ROOM_MM, RowsComponent, bases_per_mm, colour_bar
from phenviz.figures.style import FAINT, NEUTRAL, SEQUENTIAL
from phenviz.genome.intervals import join_intervals, overlapping
from phenviz.genome.lineages import lineages_of
from phenviz.genome.locus import Locus, on_contig
from phenviz.genome.ticks import format_length
from phenviz.results.display import Colouring
from phenviz.results.painted_peaks import average_peaks, of_contig

_HALF = 0.36
# bases in a mm from which on boxes would run into one bar: a row then shows the share of bases covered
_DENSITY_FROM = 30_000


class _Boxes(RowsComponent):
    """Rows of boxes; subclasses say which intervals stand in which row."""

    colours: Mapping[str, str]

    @abstractmethod
    def intervals(self, row_name: str, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
        """Return starts and ends of a row's boxes."""

    def height(self, locus: Locus, width_mm: float) -> float:
        """One line of text a row."""
        return len(self.row_names) * self.row_mm

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw each row's boxes, or how densely they lie where single ones can't be seen."""
        places = np.arange(len(self.row_names)) + 0.5
        ax.set_ylim(len(self.row_names), 0)
        scale = bases_per_mm(ax, locus)
        dense = scale >= _DENSITY_FROM
        if dense:
            self.draw_note(ax, "density")
        for name, place in zip(self.row_names, places, strict=True):
            line = place + _HALF if dense else place
            ax.plot([locus.start, locus.end], [line, line], color=FAINT, linewidth=0.4, zorder=0.5)
            starts, ends = self.intervals(name, locus)
            if not dense:
                boxes = [
                    Rectangle((start, place - _HALF), max(end - start, 0.25 * scale), 2 * _HALF)
                    # those that would touch on paper are one
                    for start, end in join_intervals(starts, ends, int(0.25 * scale) + 1)
                ]
            else:
                edges, shares = _covered(starts, ends, locus, 0.5 * scale)
                boxes = [
                    Rectangle((edge, place + _HALF), 0.5 * scale, -2 * _HALF * share)
                    for edge, share in zip(edges, shares, strict=True)
                    if share > 0
                ]
            patches = PatchCollection(boxes, facecolor=self.colours[name], edgecolor="none")
            ax.add_collection(patches, autolim=False)
        self.draw_row_names(ax, places)


class Elements(_Boxes):
    """Regulatory elements, in one row for each lineage of the cells that they are active in.

    Parameters
    ----------
    elements
        Columns start, end (0-based half-open), cell_types (names joined by ``|``).
    colours
        Colour of each lineage of `phenviz.genome.lineages`.
    """

    def __init__(self, elements: pd.DataFrame, colours: Mapping[str, str] = {}) -> None:
        self.label = "Elements"
        self.elements = elements
        lineages, member = lineages_of(elements["cell_types"])
        self._rows = dict(zip(lineages, member.T, strict=True))
        self.row_names = tuple(lineages)
        self.colours = {name: colours.get(name, NEUTRAL) for name in self.row_names}

    def intervals(self, row_name: str, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
        """Return starts and ends of a lineage's elements in the locus."""
        return _inside(self.elements[self._rows[row_name]], locus)


class ObservedPeaks(_Boxes):
    """Measured peaks, one row per context.

    Parameters
    ----------
    peaks
        Columns context, start, end (0-based half-open), and contig where there are several.
    contexts
        Rows from top to bottom.
    colours
        Colour of each context.
    """

    def __init__(self, peaks: pd.DataFrame, contexts: Sequence[str], colours: Mapping[str, str] = {}) -> None:
        self.label = "Observed\npeaks"
        self.peaks = peaks
        self.row_names = tuple(contexts)
        self.colours = {name: colours.get(name, NEUTRAL) for name in self.row_names}

    def meanings(self, locus: Locus) -> list[str]:
        """Say whose rows are empty because no peaks of theirs were given."""
        return _not_given(self.peaks, self.row_names)

    def intervals(self, row_name: str, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
        """Return starts and ends of a context's peaks in the locus."""
        peaks = self.peaks[self.peaks["context"] == row_name]
        if "contig" in peaks.columns:
            peaks = peaks[on_contig(peaks["contig"], locus.contig)]
        return _inside(peaks, locus)


class ObservedHeatmap(RowsComponent):
    """Measured peaks as on screen: one row per context, coloured by fold enrichment.

    Parameters
    ----------
    peaks
        Columns contig, start, end (0-based half-open), context, fold_enrichment.
    contexts
        Rows from top to bottom.
    drawn
        Where the colours end, and whether the mean over points is drawn.
    colours
        Colour of each context, for its name.
    """

    def __init__(
        self,
        peaks: pd.DataFrame,
        contexts: Sequence[str],
        drawn: Colouring,
        colours: Mapping[str, str] = {},
    ) -> None:
        self.label = "Observed\npeaks"
        self.row_names = tuple(contexts)
        self.drawn = drawn
        self._peaks, self._colours = peaks, dict(colours)

    def height(self, locus: Locus, width_mm: float) -> float:
        """One line of text a context."""
        return len(self.row_names) * self.row_mm

    def right_room(self) -> float:
        """Width in mm for the colour bar."""
        return SCALE_ROOM_MM

    def meanings(self, locus: Locus) -> list[str]:
        """Say what the colours are, and whose rows are empty because no peaks of theirs were given."""
        how = f"; mean of each {format_length(self.drawn.bases)}" if self.drawn.mean else ""
        colours = f"Observed peaks: fold enrichment measured (ATAC-seq){how}"
        return [colours, *_not_given(self._peaks, self.row_names)]

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw each peak as a box, the strongest on top, or means over points; then the colour bar."""
        rows = len(self.row_names)
        norm = FuncNorm((np.log1p, np.expm1), vmin=0, vmax=self.drawn.high)
        colours = ScalarMappable(norm, SEQUENTIAL)
        peaks = of_contig(self._peaks, locus.contig)
        if self.drawn.mean:
            edges, means = average_peaks(peaks, self.row_names, locus, self.drawn.bases)
            ax.imshow(
                means, aspect="auto", interpolation="nearest", cmap=SEQUENTIAL, norm=norm,
                extent=(edges[0], edges[-1], rows, 0),
            )  # fmt: skip
        else:
            self._draw_boxes(ax, peaks, locus, colours)
        ax.set_ylim(rows, 0)
        ax.set_xlim(locus.start, locus.end)
        self.draw_row_names(ax, np.arange(rows) + 0.5, self._colours)
        colour_bar(ax, colours, "fold enrichment")
        for spine in ax.spines.values():
            spine.set(visible=True, color=FAINT, linewidth=0.5)

    def _draw_boxes(self, ax: Axes, peaks: pd.DataFrame, locus: Locus, colours: ScalarMappable) -> None:
        row_of = {name: row for row, name in enumerate(self.row_names)}
        inside = overlapping(peaks, locus) & peaks["context"].isin(row_of)
        shown = peaks[inside].sort_values("fold_enrichment")
        least = 0.25 * bases_per_mm(ax, locus)
        boxes = [
            Rectangle((start, row_of[name]), max(end - start, least), 1)
            for start, end, name in zip(shown["start"], shown["end"], shown["context"], strict=True)
        ]
        faces = colours.to_rgba(shown["fold_enrichment"].to_numpy(float))
        ax.add_collection(PatchCollection(boxes, facecolors=faces, edgecolor="none"), autolim=False)


def _not_given(peaks: pd.DataFrame, contexts: Sequence[str]) -> list[str]:
    held = set(peaks["context"].astype(str))
    missing = [name for name in contexts if name not in held]
    return [f"Observed peaks: none were given for {', '.join(missing)}"] if missing else []


def _inside(table: pd.DataFrame, locus: Locus) -> tuple[np.ndarray, np.ndarray]:
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    hit = (starts < locus.end) & (ends > locus.start)
    return np.maximum(starts[hit], locus.start), np.minimum(ends[hit], locus.end)


def _covered(
    starts: np.ndarray, ends: np.ndarray, locus: Locus, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Left edges of intervals of ``step`` bases, and how much boxes cover of each (1: the most covered)."""
    count = max(int(np.ceil(locus.length / step)), 1)
    at = ((starts + ends) / 2 - locus.start) / step
    covered = np.bincount(np.minimum(at.astype(int), count - 1), weights=ends - starts, minlength=count)
    return locus.start + step * np.arange(count), covered / max(covered.max(initial=0.0), 1.0)

"""A person's two haplotypes beside the reference, and the variants on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from phenviz.errors import ResultError
from phenviz.figures.activity import ActivityAreas, by_lineage, select_contexts
from phenviz.figures.component import (
    SCALE_ROOM_MM,
    RowsComponent,
    axes_mm,
    colour_bar,
    short_number,
    value_scale,
)
from phenviz.figures.reduce import groups_of, reduce_strongest
from phenviz.figures.style import DIVERGING, FAINT, INK, MUTED, NEUTRAL, SMALL_PT, text_width_mm
from phenviz.genome.locus import Locus
from phenviz.results import bin_size_of, palette, validate
from phenviz.results.haplotypes import reaching

REFERENCE = "reference"
HAPLOTYPES = ("1", "2")
HAPLOTYPE_COLOURS = dict(zip(HAPLOTYPES, palette.HAPLOTYPES, strict=True))
DIFFERENCE = "log2(1 + haplotype) - log2(1 + reference) of each bin"

_ROW_MM, _LEAST_MM = 2.7, 20.0
_LEGEND_MM = 3.6
_SWATCH_MM = 4.0
_TOP = 0.84
_MOST_COLUMNS = 1_600
# what is smaller shall look like nothing: it is rounding, or close to it
_LEAST_LIMIT = 0.05
# share of the width that words need
_ROOM_FOR_WORDS = 0.1


class HaplotypeTracks(RowsComponent):
    """One row per context: the reference as an area, the two haplotypes as lines over it, all on one scale.

    Parameters
    ----------
    personal
        What `phenviz.effects.predict_haplotypes` returned: activity (haplotype, context, bin).
    contexts
        Which rows, from top to bottom; all by default.
    row_mm
        Height of a row.
    limit
        Activity at the top of a row; by default the highest in the window.

    Raises
    ------
    ResultError
        If it is another result, or lacks a context.
    """

    def __init__(
        self,
        personal: xr.Dataset,
        contexts: Sequence[str] | None = None,
        *,
        row_mm: float = 8.5,
        limit: float | None = None,
    ) -> None:
        self._limit = limit
        self.source = self._personal = check_personal(personal)
        self.label = "Predicted\nactivity"
        self.row_mm = row_mm
        self._areas = {
            name: ActivityAreas(personal.sel(haplotype=name, drop=True), contexts)
            for name in (REFERENCE, *HAPLOTYPES)
        }
        self.row_names = self._areas[REFERENCE].row_names

    def height(self, locus: Locus, width_mm: float) -> float:
        """One row per context, and the legend."""
        return len(self.row_names) * self.row_mm + _LEGEND_MM

    def right_room(self) -> float:
        """Width in mm for numbers and the unit."""
        return SCALE_ROOM_MM

    def meanings(self, locus: Locus) -> list[str]:
        """Say what activity is, and how bins are joined; the scale holds the highest of them."""
        unknown = str(self._personal.attrs.get("not_covered", ""))
        return [self._areas[REFERENCE].meaning(locus), *([unknown] if unknown else [])]

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the rows, the legend above them, and the scale."""
        drawn = {name: area.summary(locus) for name, area in self._areas.items()}
        highest = max(float(np.nanmax(values, initial=0.0)) for _, values in drawn.values()) or 1.0
        top = self._limit or highest
        rows = len(self.row_names)
        bases = rows - 1.0 - np.arange(rows)
        for name, (edges, values) in drawn.items():
            for base, row in zip(bases, values, strict=True):
                heights = base + _TOP * np.minimum(np.nan_to_num(row) / top, 1.0)
                _outline(ax, edges, base, np.append(heights, heights[-1]), name)
        for base in bases:
            ax.plot([locus.start, locus.end], [base, base], color=FAINT, linewidth=0.5)
        self.draw_row_names(ax, bases + 0.4)
        value_scale(ax, 0, rows, self._areas[REFERENCE].units)
        ax.set_yticks([*(bases + _TOP), 0.0], [*[short_number(top)] * rows, "0"], color=INK)
        ax.set_yticks(bases, minor=True)
        ax.set_ylim(0, rows + _LEGEND_MM / self.row_mm)
        ax.set_xlim(locus.start, locus.end)
        _stripes(ax, uncovered_of(self._personal, locus), rows)
        self._draw_legend(ax)

    def _draw_legend(self, ax: Axes) -> None:
        width, height = axes_mm(ax)
        x, y = 0.0, 1 - _LEGEND_MM / 2 / height
        names = {REFERENCE: "reference", **{name: f"haplotype {name}" for name in HAPLOTYPES}}
        for name, text in names.items():
            colour, wide = (NEUTRAL, 4.0) if name == REFERENCE else (HAPLOTYPE_COLOURS[name], 1.2)
            line = [x / width, (x + _SWATCH_MM) / width]
            ax.plot(line, [y, y], transform=ax.transAxes, color=colour, linewidth=wide, clip_on=False)
            x += _SWATCH_MM + 1.2
            ax.text(x / width, y, text, transform=ax.transAxes, va="center_baseline", fontsize=SMALL_PT)
            x += text_width_mm(text, SMALL_PT) + 4.0


class HaplotypeDifference(RowsComponent):
    """How one haplotype differs from the reference: contexts x bins, white where it doesn't.

    Parameters
    ----------
    personal
        As for `HaplotypeTracks`.
    haplotype
        ``"1"`` or ``"2"``.
    contexts
        Which rows; all by default. They are grouped by lineage.
    limit
        Difference of the darkest colours, either way; by default the largest of both haplotypes here.
    """

    def __init__(
        self,
        personal: xr.Dataset,
        haplotype: str,
        contexts: Sequence[str] | None = None,
        *,
        limit: float | None = None,
    ) -> None:
        if haplotype not in HAPLOTYPES:
            raise ResultError(f"no haplotype {haplotype!r}: choose {' or '.join(HAPLOTYPES)}")
        self.source = self._personal = check_personal(personal)
        self.label = f"Haplotype {haplotype}\nagainst reference"
        self._haplotype, self._limit = haplotype, limit
        self._change = difference_of(by_lineage(select_contexts(personal, contexts)))
        self._size = bin_size_of(personal)
        self.row_names = tuple(self._change["context"].values.astype(str))
        self.row_mm = max(_ROW_MM, _LEAST_MM / len(self.row_names))

    def height(self, locus: Locus, width_mm: float) -> float:
        """One line of text a context, and room for the scale beside a few."""
        return len(self.row_names) * self.row_mm

    def right_room(self) -> float:
        """Width in mm for the colour bar."""
        return SCALE_ROOM_MM

    def meanings(self, locus: Locus) -> list[str]:
        """Say what the difference is."""
        return [f"Haplotype against reference: {DIFFERENCE}"]

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the map as one image; of bins that share a point the one farthest from zero."""
        starts = self._change["bin_start"].values
        inside = (starts < locus.end) & (starts + self._size > locus.start)
        if not inside.any():
            raise ResultError(f"this result has no bin in {locus}: predict there first")
        both = self._change.transpose("haplotype", "context", "bin").values[:, :, inside]
        limit = self._limit or max(float(np.nanmax(np.abs(both), initial=0.0)), _LEAST_LIMIT)
        joined = groups_of(both.shape[2], _MOST_COLUMNS)
        shown = reduce_strongest(both[HAPLOTYPES.index(self._haplotype)], joined)
        first, rows = starts[inside][0], len(self.row_names)
        image = ax.imshow(
            np.ma.masked_invalid(shown), aspect="auto", interpolation="nearest", cmap=DIVERGING, vmin=-limit,
            vmax=limit, extent=(first, first + self._size * joined * shown.shape[1], rows, 0),
        )  # fmt: skip
        ax.set_xlim(locus.start, locus.end)
        _stripes(ax, uncovered_of(self._personal, locus), rows)
        self.draw_row_names(ax, np.arange(rows) + 0.5)
        colour_bar(ax, image, "log2 fold change")
        for spine in ax.spines.values():
            spine.set(visible=True, color=FAINT, linewidth=0.5)


class CarriedVariants(RowsComponent):
    """A dot for each variant on the haplotype that carries it, coloured by its effect where that is known.

    A line shows how far the replaced bases reach.

    Parameters
    ----------
    variants
        Columns position (from 1), haplotype_1 and haplotype_2 (1 where it is carried) and, if there, ref and
        effect (log2 fold change).
    personal
        The person's activity, which knows where genotypes are known; None where all are.
    """

    def __init__(self, variants: pd.DataFrame, personal: xr.Dataset | None = None) -> None:
        self.variants = variants
        self._personal = personal
        self.label = "Variants"
        self.row_mm = 4.0
        self.row_names = tuple(f"haplotype {name}" for name in HAPLOTYPES)

    def height(self, locus: Locus, width_mm: float) -> float:
        """Two rows; none where nothing is carried, and that is known."""
        return 2 * self.row_mm if len(self._inside(locus)) or self._unknown(locus) else 0.0

    def right_room(self) -> float:
        """Width in mm for the colour bar."""
        return SCALE_ROOM_MM

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the dots, those that do most on top."""
        inside = self._inside(locus)
        effect = inside["effect"].to_numpy(float) if "effect" in inside else np.full(len(inside), np.nan)
        limit = max(float(np.nanmax(np.abs(effect), initial=0.0)), _LEAST_LIMIT)
        order = np.argsort(np.abs(np.nan_to_num(effect)), kind="stable")
        colours = ScalarMappable(Normalize(-limit, limit), DIVERGING)
        colours.set_array([])
        ax.set_ylim(2, 0)
        for row, name in enumerate(HAPLOTYPES):
            ax.axhline(row + 0.5, color=FAINT, linewidth=0.5)
            own = order[(inside[f"haplotype_{name}"].to_numpy() == 1)[order]]
            faces = colours.to_rgba(np.nan_to_num(effect[own]))
            faces[np.isnan(effect[own])] = 1.0  # white, as if there were no effect
            # what begins before the figure stands at its edge
            places = np.maximum(inside["position"].to_numpy()[own], locus.start + 1) - 0.5
            heights = np.full(len(own), row + 0.5)
            if "ref" in inside:
                ends = inside["position"].to_numpy()[own] + inside["ref"].str.len().to_numpy()[own] - 1.5
                ax.hlines(heights, places, np.minimum(ends, locus.end), color=MUTED, linewidth=1.2)
            ax.scatter(places, heights, s=9, c=faces, edgecolors=MUTED, linewidths=0.35, zorder=3)
        _stripes(ax, self._unknown(locus), 2, words="not covered")
        self.draw_row_names(ax, np.array([0.5, 1.5]))
        if np.isfinite(effect).any():
            colour_bar(ax, colours, "effect")

    def _unknown(self, locus: Locus) -> list[tuple[int, int]]:
        return [] if self._personal is None else uncovered_of(self._personal, locus)

    def _inside(self, locus: Locus) -> pd.DataFrame:
        return self.variants[reaching(self.variants, locus)]


def check_personal(dataset: xr.Dataset) -> xr.Dataset:
    """Return a person's activity, checked.

    Raises
    ------
    ResultError
        If it is another result.
    """
    names = set(dataset["haplotype"].values.astype(str)) if "haplotype" in dataset.dims else set()
    if not {REFERENCE, *HAPLOTYPES} <= names or validate(dataset) != "prediction":
        raise ResultError(
            "this track draws activity along the reference and haplotypes 1 and 2: pass what "
            "phenviz.effects.predict_haplotypes returned"
        )
    return dataset


def uncovered_of(personal: xr.Dataset, locus: Locus) -> list[tuple[int, int]]:
    """Return of which bases of a locus nothing is known about the person: starts and ends, 0-based."""
    if "covered" not in personal.attrs:
        return []
    covered = [tuple(map(int, one.split("-"))) for one in str(personal.attrs["covered"]).split()]
    edges = [locus.start, *(min(max(at, locus.start), locus.end) for one in covered for at in one), locus.end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def difference_of(personal: xr.Dataset) -> xr.DataArray:
    """Return log2(1 + haplotype) - log2(1 + reference), dimensions (haplotype, context, bin)."""
    activity = personal["activity"]
    logarithm = activity.copy(data=np.log2(1 + activity.values))
    return logarithm.sel(haplotype=list(HAPLOTYPES)) - logarithm.sel(haplotype=REFERENCE, drop=True)


def most_changed(personal: xr.Dataset, count: int) -> list[str]:
    """Return the contexts with the largest differences from the reference, by lineage."""
    ordered = by_lineage(personal)
    largest = abs(difference_of(ordered)).max(["haplotype", "bin"]).fillna(0).values
    chosen = np.sort(np.argsort(-largest, kind="stable")[:count])
    return [str(name) for name in ordered["context"].values[chosen]]


def _stripes(ax: Axes, places: list[tuple[int, int]], rows: int, words: str = "") -> None:
    """Mark where nothing is known, so that it isn't taken for what is as in the reference."""
    above: dict[str, Any] = {"linewidth": 0, "zorder": 4}
    for start, end in places:
        ax.fill_between([start, end], 0, rows, facecolor="white", alpha=0.5, **above)
        ax.fill_between(
            [start, end], 0, rows, facecolor="none", edgecolor=MUTED, hatch="//////", alpha=0.35, **above
        )
        left, right = ax.get_xlim()
        if words and (end - start) / (right - left) > _ROOM_FOR_WORDS:
            place: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 5}
            ax.text((start + end) / 2, rows / 2, words, fontsize=SMALL_PT, color=INK, **place)


def _outline(ax: Axes, edges: NDArray, base: float, heights: NDArray, name: str) -> None:
    if name == REFERENCE:
        ax.fill_between(edges, base, heights, step="post", color=NEUTRAL, alpha=0.6, linewidth=0)
        return
    # the first is wider, so that both are seen where they are the same
    wide = 1.3 if name == HAPLOTYPES[0] else 0.6
    ax.step(edges, heights, where="post", color=HAPLOTYPE_COLOURS[name], linewidth=wide)

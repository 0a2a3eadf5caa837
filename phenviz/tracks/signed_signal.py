"""Signed numbers about a zero line: areas when zoomed out, letters when zoomed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xarray as xr
from bokeh.models import ColumnDataSource, MultiPolygons, Span, VArea
from numpy.typing import NDArray

from phenviz.genome.locus import Locus
from phenviz.genome.true_minus import true_minus
from phenviz.tracks.frame import Track
from phenviz.tracks.letters import place_letters
from phenviz.tracks.pyramid import Pyramid, Summary
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import LoadedInterval, View, nice_ceiling, x_of

# for two lines of names
ROOM = 0.36
# lower and upper border of a band, shape (n,) each
Band: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
_NO_STEPS: dict[str, list[float]] = {"x": [], "zero": [], "low": [], "high": []}
_NO_BAND: dict[str, list[float]] = {"x": [], "low": [], "high": []}
_NO_LETTERS: dict[str, list[object]] = {"xs": [], "ys": [], "colour": []}


@dataclass(frozen=True, slots=True)
class Bases:
    """Rows of numbers, one per base, over a part of a contig, at every zoom level.

    Parameters
    ----------
    contig
        Where it lies.
    start
        First base, 0-based.
    pyramid
        The numbers; NaN where there is none.
    """

    contig: str
    start: int
    pyramid: Pyramid

    @classmethod
    def of(cls, contig: str, positions: NDArray[np.int64], values: NDArray[np.floating]) -> Bases:
        """Lay values, shape (rows, n), at positions, shape (n,), in any order and with gaps."""
        start, end = int(positions.min()), int(positions.max()) + 1
        if end - start == len(positions) and (np.diff(positions) == 1).all():
            return cls(contig, start, Pyramid.of(values))
        laid = np.full((values.shape[0], end - start), np.nan, dtype=np.float32)
        laid[:, positions - start] = values
        return cls(contig, start, Pyramid.of(laid))

    @property
    def locus(self) -> Locus:
        """From the first to the last base."""
        return Locus(self.contig, self.start, self.start + self.pyramid.n_bins)

    def overlaps(self, locus: Locus) -> bool:
        """Tell whether any of the numbers lies within a locus."""
        return self.locus.overlaps(locus)

    def summary(self, loaded: LoadedInterval, pixels: int) -> Summary:
        """Read an interval at one point per pixel, however small a part of it these bases are.

        More points than pixels would be worse than fewer: a peak narrower than a pixel is hardly painted.
        """
        begin, end = loaded.locus.start - self.start, loaded.locus.end - self.start
        inside = max(min(end, self.pyramid.n_bins) - max(begin, 0), 0)
        points = math.ceil(loaded.points(pixels) * inside / loaded.locus.length)
        here = self.pyramid.summary(begin, end, max(points, 1))
        return Summary(here.edges + self.start, here.minimum, here.mean, here.maximum)

    def values(self, locus: Locus) -> tuple[int, NDArray[np.float32]]:
        """Return the first base within a locus, and the numbers from it on, shape (rows, n)."""
        begin = max(locus.start, self.start)
        end = min(locus.end, self.locus.end)
        summary = self.pyramid.summary(begin - self.start, end - self.start, max(end - begin, 1))
        return begin, summary.mean


class SignedPlot:
    """Areas above and below zero, or letters, with limits that `fit` takes from what is on screen.

    Parameters
    ----------
    track
        Whose figure it lies in.

    Attributes
    ----------
    limits
        Bottom and top of the y axis.
    data_limits
        The part of it that numbers reach.
    names_below
        Whether letters leave room at the bottom for names of motifs.
    """

    def __init__(self, track: Track) -> None:
        self._track = track
        self.steps = ColumnDataSource(dict(_NO_STEPS))
        self.letters = ColumnDataSource(dict(_NO_LETTERS))
        fig = track.figure
        self.band = ColumnDataSource(dict(_NO_BAND))
        self._spread = VArea(x="x", y1="low", y2="high", fill_alpha=0.35)
        self._high = VArea(x="x", y1="zero", y2="high")
        self._low = VArea(x="x", y1="zero", y2="low")
        self._zero = Span(location=0.0, dimension="width", line_width=1)
        # first, so that it lies under the rest
        fig.add_glyph(self.band, self._spread)
        fig.add_glyph(self.steps, self._high)
        fig.add_glyph(self.steps, self._low)
        fig.add_glyph(self.letters, MultiPolygons(xs="xs", ys="ys", fill_color="colour", line_color=None))
        fig.add_layout(self._zero)
        self.limits = self.data_limits = (-1.0, 1.0)
        # share of the height that is left free at the bottom of letters, for what names them
        self.room = 0.0
        # borders of what is drawn, shape (n + 1,), and how low and high it reaches in between
        self._reach: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None
        self.names_below = False
        # what the axis reaches in any case, so that two plots can be compared
        self.least = (0.0, 0.0)
        self.restyle(track.theme)

    def show_areas(
        self,
        edges: NDArray[np.int64],
        low: NDArray[np.float32],
        high: NDArray[np.float32],
        band: Band | None = None,
    ) -> None:
        """Draw from the lowest to the highest number of each point, and a band; all have shape (n,)."""
        self._clear_letters()
        if len(low) == 0:
            self.clear()
            return
        x, lows = stairs(edges, np.minimum(np.nan_to_num(low), 0))
        _, highs = stairs(edges, np.maximum(np.nan_to_num(high), 0))
        self.steps.data = {"x": x, "zero": np.zeros(len(x)), "low": lows, "high": highs}
        lowest, highest = np.minimum(np.nan_to_num(low), 0.0), np.maximum(np.nan_to_num(high), 0.0)
        self._show_band(edges, band, lowest.astype(float), highest.astype(float))

    def show_letters(
        self, start: int, bases: str, values: NDArray[np.float32], band: Band | None = None
    ) -> None:
        """Draw bases as letters, as high as their numbers, shape (n,), from a 0-based position on."""
        self._clear_steps()
        known = np.flatnonzero(np.isfinite(values))
        heights = values[known].astype(float)
        edges = start + np.arange(len(values) + 1)
        all_heights = np.nan_to_num(values).astype(float)
        self._show_band(edges, band, np.minimum(all_heights, 0), np.maximum(all_heights, 0))
        limit = float(np.abs(heights).max(initial=0.0)) or 1.0
        left = x_of(start + known.astype(float)) + 0.03
        letters = [bases[index] if index < len(bases) else "N" for index in known]
        xs, ys = place_letters(letters, left, 0.0, 0.94, heights, least_height=limit / 40)
        colours = [self._track.theme.bases.get(base, self._track.theme.bases["N"]) for base in letters]
        self.letters.data = {"xs": xs, "ys": ys, "colour": colours}

    def clear(self) -> None:
        """Draw nothing."""
        self._clear_letters()
        self._clear_steps()
        self._clear_band()
        self._reach = None
        self._track.overlay.set(ticks=())
        self._zero.visible = False

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._high.fill_color = theme.positive
        self._low.fill_color = theme.negative
        self._spread.fill_color = theme.muted
        self._zero.update(line_color=theme.muted, line_alpha=0.6)

    def _show_band(
        self,
        edges: NDArray[np.int64],
        band: Band | None,
        lows: NDArray[np.float64],
        highs: NDArray[np.float64],
    ) -> None:
        """Draw the band, and keep how far all that is drawn reaches."""
        self._zero.visible = True
        if band is None:
            self._clear_band()
            self._reach = edges.astype(float), lows, highs
            return
        low, high = (np.nan_to_num(side).astype(float) for side in band)
        x, bottom = stairs(edges, low)
        _, top = stairs(edges, high)
        self.band.data = {"x": x, "low": bottom, "high": top}
        self._reach = edges.astype(float), np.minimum(lows, low), np.maximum(highs, high)

    def _clear_band(self) -> None:
        if len(self.band.data["x"]):
            self.band.data = dict(_NO_BAND)

    def _clear_letters(self) -> None:
        if len(self.letters.data["xs"]):
            self.letters.data = dict(_NO_LETTERS)

    def _clear_steps(self) -> None:
        if len(self.steps.data["x"]):
            self.steps.data = dict(_NO_STEPS)

    def fit(self, view: View) -> None:
        """Choose the limits for what is on screen."""
        if self._reach is None:
            return
        edges, lows, highs = self._reach
        shown = (edges[1:] > view.start) & (edges[:-1] < view.end)
        top = float(highs[shown].max(initial=self.least[1]))
        bottom = float(-lows[shown].min(initial=self.least[0]))
        limit = max(top, bottom)
        if limit <= 0:
            self._track.y_range.update(start=-1, end=1)
            self._track.overlay.set(ticks=(("0", 0.5),))
            self.limits = self.data_limits = (-1.0, 1.0)
            return
        # the weaker side keeps a quarter of the room, so that the zero line never lies on the border
        high = nice_ceiling(max(top, limit / 4))
        low = nice_ceiling(max(bottom, limit / 4))
        self.room = ROOM if self.names_below and len(self.letters.data["xs"]) else 0.0
        self.data_limits = (-low * 1.04, high * 1.04)
        tall = (low + high) * 1.04
        self.limits = (-low * 1.04 - tall * self.room / (1 - self.room), high * 1.04)
        self._track.y_range.update(start=self.limits[0], end=self.limits[1])
        below, above = self.limits
        places = ((value, (value - below) / (above - below)) for value in (-low, 0.0, high))
        self._track.overlay.set(ticks=tuple((true_minus(f"{value:g}"), place) for value, place in places))


def stairs(
    edges: NDArray[np.int64], values: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outline n steps between edges, shape (n + 1,), as 2 n points.

    Bokeh has a glyph for steps (``VAreaStep``), but up to 3.9 a page hangs for ever in one that has no data.
    """
    return x_of(np.repeat(edges.astype(float), 2)[1:-1]), np.repeat(values.astype(float), 2)


def choose_context(dataset: xr.Dataset, focus: str) -> str | None:
    """Return the context in focus if the result has it, else its first; None where it has no contexts."""
    if "context" not in dataset.dims:
        return None
    names = [str(name) for name in dataset["context"].to_numpy()]
    return focus if focus in names else names[0]


def label_of(dataset: xr.Dataset, context: str | None) -> str:
    """Name to read of a context of a result."""
    if context is None:
        return str(dataset.attrs.get("target", ""))
    if "context_label" in dataset.coords:
        return str(dataset["context_label"].sel(context=context).item())
    return context


def elsewhere(what: str, locus: Locus) -> str:
    """Say that a result lies outside the view."""
    return f"{what} for {locus}: move there, or run it here"


def covered_part(locus: Locus, view: View) -> str | None:
    """Say which part of the view a result covers; None where it covers all of it."""
    shown = view.locus
    if locus.start <= shown.start and locus.end >= shown.end:
        return None
    part = Locus(locus.contig, max(locus.start, shown.start), min(locus.end, shown.end))
    return f"computed here: {part}"

"""Tracks of the user's own: signal of a bigWig, or intervals as boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import ColumnDataSource, Quad, VArea

from phenviz.errors import DataError
from phenviz.genome.true_minus import true_minus
from phenviz.results.display import Display, Limits
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.signed_signal import stairs
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.viewport import LoadedInterval, View, nice_ceiling, x_of

if TYPE_CHECKING:
    from phenviz.data.own_tracks import OwnTrack, SignalPoints
    from phenviz.tracks.track_stack import Stack

_SIGNAL, _LEAST_SIGNAL, _MOST_SIGNAL = 44, 26, 90
_BOXES = 14
# of colours in which a track is drawn, against the page
_CONTRAST = 3.0
_MOST_BOXES = 3_000
_STEPS = ("x", "zero", "low", "high", "mean")
_TOLD = ("left", "right", "bottom", "top", "place", "mean", "lowest", "highest")
_BOX = ("left", "right", "name", "place", "fold")


def make_own(own: OwnTrack, axis: Axis, stack: Stack) -> list[Track]:
    """Make the figure of a track of the user's own, in the colours that its stack has by then."""
    theme = stack.theme
    return [OwnSignal(axis, theme, own) if own.intervals is None else OwnIntervals(axis, theme, own)]


class OwnSignal(Track):
    """Mean of each pixel in full colour, up to its highest and down to its lowest value in pale."""

    def __init__(self, axis: Axis, theme: Theme, own: OwnTrack) -> None:
        self.name, self.title = own.name, own.label
        super().__init__(axis, theme, _SIGNAL)
        self.resize(_SIGNAL, _LEAST_SIGNAL, _MOST_SIGNAL)
        self._own = own
        self._points: SignalPoints | None = None
        self._limits = (0.0, 1.0)
        self._steps = ColumnDataSource({name: [] for name in _STEPS})
        self._told = ColumnDataSource({name: [] for name in _TOLD})
        self._pale = VArea(x="x", y1="low", y2="high", fill_alpha=0.35)
        self._full = VArea(x="x", y1="zero", y2="mean")
        self.figure.add_glyph(self._steps, self._pale)
        self.figure.add_glyph(self._steps, self._full)
        # not seen: what the mouse points at
        quads = Quad(left="left", right="right", bottom="bottom", top="top", fill_alpha=0, line_color=None)
        fields = [("", "@place"), *((name, f"@{name}") for name in ("mean", "lowest", "highest"))]
        self.add_hover(self.figure.add_glyph(self._told, quads), fields)
        self._paint()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Read an interval of the file, one point per pixel."""
        problem = ""
        try:
            points = self._own.points(loaded.locus, loaded.points(view.pixels))
        except DataError as error:
            points = None
            # where the file lies on the server is nobody's business
            problem = str(error).replace(str(self._own.path), self._own.path.name)
        self._points = points
        known = np.isfinite(points.mean) if points is not None else np.zeros(0, bool)
        nothing = "" if known.any() else problem or "No signal here"
        self.say(description="mean, and highest in pale" if known.any() else "", empty=nothing)
        if points is None or not known.any():
            self._steps.data = {name: [] for name in _STEPS}
            self._told.data = {name: [] for name in _TOLD}
            return
        lows, means, highs = (np.nan_to_num(part) for part in (points.low, points.mean, points.high))
        lows, highs = np.minimum(lows, 0), np.maximum(highs, 0)
        x, low = stairs(points.edges, lows)
        high, mean = stairs(points.edges, highs)[1], stairs(points.edges, means)[1]
        self._steps.data = {"x": x, "zero": np.zeros(len(x)), "low": low, "high": high, "mean": mean}
        left, right = points.edges[:-1][known], points.edges[1:][known]
        self._told.data = {
            "left": x_of(left.astype(float)), "right": x_of(right.astype(float)),
            "bottom": lows[known], "top": highs[known], "place": _places(left, right),
            "mean": _written(points.mean[known]),
            "lowest": _written(points.low[known]),
            "highest": _written(points.high[known]),
        }  # fmt: skip

    def fit(self, view: View) -> None:
        """Choose the scale for what is on screen."""
        limits = _limits(self._points, view) if self._points is not None else None
        if limits is None:
            self.overlay.set(ticks=())
            return
        low, high = self._limits = limits
        self.y_range.update(start=low, end=high)
        ends = [low, 0.0, high] if low < 0 < high else [low, high]
        ticks = tuple((true_minus(f"{value:g}"), (value - low) / (high - low)) for value in ends)
        self.overlay.set(ticks=ticks)

    def tell(self, display: Display) -> Display:
        """Add its scale."""
        return replace(display, own=(*display.own, (self.name, self._limits)))

    def _paint(self) -> None:
        colour = legible(self._own.colour or self.theme.accent, self.theme, _CONTRAST)
        self._pale.fill_color = self._full.fill_color = colour


class OwnIntervals(Track):
    """A box for each interval; where they are many, those that share a pixel are one box."""

    tinted = True

    def __init__(self, axis: Axis, theme: Theme, own: OwnTrack) -> None:
        self.name, self.title = own.name, own.label
        super().__init__(axis, theme, _BOXES)
        self._own = own
        self._boxes = ColumnDataSource({name: [] for name in _BOX})
        # with a border, so that the narrowest is seen however far one zooms out
        self._box = Quad(left="left", right="right", bottom=0.1, top=0.9, fill_alpha=0.75, line_width=1)
        told = [("", "@name"), ("", "@place"), ("fold enrichment", "@fold")]
        told = told if own.measured else told[:2]
        self.add_hover(self.figure.add_glyph(self._boxes, self._box), told)
        self._paint()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the intervals of an interval."""
        near = self._own.within(loaded.locus)
        if len(near) > _MOST_BOXES:
            near = self._own.within(loaded.locus, gap=view.bases_per_pixel)
        starts, ends = near["start"].to_numpy(), near["end"].to_numpy()
        self._boxes.data = {
            "left": x_of(starts.astype(float)), "right": x_of(ends.astype(float)),
            "name": near["name"].tolist(), "place": _places(starts, ends),
            "fold": ["" if fold != fold else f"{fold:.3g}" for fold in near["fold_enrichment"]],
        }  # fmt: skip

    def follow(self, view: View) -> None:
        """Say how many are in view."""
        count = len(self._own.within(view.locus))
        self.say(description=f"{count:,} interval{'s' * (count != 1)} in view" if count else "none here")

    def _paint(self) -> None:
        self._box.fill_color = self._box.line_color = legible(
            self._own.colour or self.theme.accent, self.theme, _CONTRAST
        )


def _limits(points: SignalPoints, view: View) -> Limits | None:
    """Return the y axis for the points that are on screen, with zero in it; None where none has a value."""
    shown = (points.edges[1:] > view.start) & (points.edges[:-1] < view.end) & np.isfinite(points.high)
    if not shown.any():
        return None
    low, high = float(points.low[shown].min()), float(points.high[shown].max())
    if low >= 0 >= high:
        return 0.0, 1.0
    return -nice_ceiling(-low) if low < 0 else 0.0, nice_ceiling(high) if high > 0 else 0.0


def _places(starts: np.ndarray, ends: np.ndarray) -> list[str]:
    pairs = zip((starts + 1).tolist(), ends.tolist(), strict=True)
    return [f"{start:,}-{end:,}" if end > start else f"{start:,}" for start, end in pairs]


def _written(values: np.ndarray) -> list[str]:
    return [true_minus(f"{value:.4g}") for value in values]

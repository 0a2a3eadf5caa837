"""Contributions of several contexts, a row each, on one scale."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource, MultiPolygons, Patches
from numpy.typing import NDArray

from phenviz.tracks.frame import Track
from phenviz.tracks.letters import place_letters
from phenviz.tracks.pyramid import Summary
from phenviz.tracks.signed_signal import stairs
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import View, nice_ceiling, x_of

# share of a row that the largest contribution takes, up or down
_REACH = 0.48
_NOTHING: dict[str, list[object]] = {"xs": [], "ys": [], "colour": []}


class StackedLogos:
    """Rows of letters, or of areas when zoomed out; rows are one unit high, the first on top.

    Parameters
    ----------
    track
        Whose figure they lie in.

    Attributes
    ----------
    limit
        Contribution that reaches the border of a row.
    """

    def __init__(self, track: Track) -> None:
        self._track = track
        self.limit = 1.0
        self.letters, self.areas = ColumnDataSource(dict(_NOTHING)), ColumnDataSource(dict(_NOTHING))
        track.figure.add_glyph(self.areas, Patches(xs="xs", ys="ys", fill_color="colour", line_color=None))
        track.figure.add_glyph(
            self.letters, MultiPolygons(xs="xs", ys="ys", fill_color="colour", line_color=None)
        )
        # borders of what is drawn, shape (n + 1,), its lows and highs, shape (rows, n), and its letters
        self._drawn: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32], str] | None = None

    def show_letters(self, start: int, bases: str, values: NDArray[np.float32]) -> None:
        """Draw bases from a 0-based position on, as high as their contributions, shape (rows, n)."""
        self._drawn = start + np.arange(values.shape[1] + 1), values, values, bases

    def show_areas(self, summary: Summary) -> None:
        """Draw from the lowest to the highest contribution of each point."""
        self._drawn = summary.edges, summary.minimum, summary.maximum, ""

    def clear(self) -> None:
        """Draw nothing."""
        self._drawn = None
        for source in (self.letters, self.areas):
            if source.data["xs"]:
                source.data = dict(_NOTHING)

    def fit(self, view: View) -> None:
        """Choose the scale for what is on screen, and draw."""
        if self._drawn is None:
            return
        edges, lows, highs, bases = self._drawn
        shown = (edges[1:] > view.start) & (edges[:-1] < view.end)
        both = np.concatenate([lows[:, shown], highs[:, shown]])
        self.limit = nice_ceiling(float(np.nanmax(np.abs(both), initial=0.0)))
        if bases:
            self.letters.data, self.areas.data = self._letters(edges, lows, bases), dict(_NOTHING)
        else:
            self.letters.data, self.areas.data = dict(_NOTHING), self._areas(edges, lows, highs)

    def _letters(
        self, edges: NDArray[np.int64], values: NDArray[np.float32], bases: str
    ) -> dict[str, list[object]]:
        theme: Theme = self._track.theme
        found = dict(_NOTHING) | {"xs": [], "ys": [], "colour": []}
        for row, heights in enumerate(values):
            known = np.flatnonzero(np.isfinite(heights))
            letters = [bases[index] if index < len(bases) else "N" for index in known]
            tall = heights[known].astype(float) * _REACH / self.limit
            xs, ys = place_letters(
                letters, x_of(edges[known].astype(float)) + 0.03, len(values) - row - 0.5, 0.94, tall,
                least_height=0.012,
            )  # fmt: skip
            found["xs"] += xs
            found["ys"] += ys
            found["colour"] += [theme.bases.get(letter, theme.bases["N"]) for letter in letters]
        return found

    def _areas(
        self, edges: NDArray[np.int64], lows: NDArray[np.float32], highs: NDArray[np.float32]
    ) -> dict[str, list[object]]:
        theme: Theme = self._track.theme
        found = dict(_NOTHING) | {"xs": [], "ys": [], "colour": []}
        for row, (low, high) in enumerate(zip(lows, highs, strict=True)):
            base = len(lows) - row - 0.5
            for side, colour in ((np.maximum(high, 0), theme.positive), (np.minimum(low, 0), theme.negative)):
                x, y = stairs(edges, base + np.nan_to_num(side) * _REACH / self.limit)
                found["xs"].append(np.concatenate([x[:1], x, x[-1:]]))
                found["ys"].append(np.concatenate([[base], y, [base]]))
                found["colour"].append(colour)
        return found

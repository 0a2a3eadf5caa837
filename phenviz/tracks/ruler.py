"""Ruler: positions counted from 1, and the reference bases when zoomed in. Dragging on it zooms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, MultiPolygons, Segment, Span, Text
from numpy.typing import NDArray

from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.ticks import format_position, tick_step
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.letters import place_letters
from phenviz.tracks.theme import FONT, Theme
from phenviz.tracks.viewport import LoadedInterval, View, x_of

SEQUENCE_BELOW = 220
_HEIGHT = 40
# in pixels from the bottom: bases, then the line with its ticks, then the numbers
_LETTERS, _LINE, _NUMBERS = (1, 14), 18, 25
_LABEL_PIXELS = 125
_HALF_LABEL = 34


class Ruler(Track):
    """Position axis and reference bases.

    Its ticks are glyphs and no Bokeh axis: they stand at the same places as the grid of all tracks, and
    dashboards that restyle every axis on a page leave them alone.

    Parameters
    ----------
    sequence
        Reads the bases of a locus; None where there is no reference.
    """

    name = "ruler"
    title = ""
    drag = "zoom"
    header = 6
    tinted = True
    # where the page scrolls, positions and bases stay in sight above the tracks they belong to
    placed: ClassVar[dict[str, str]] = {"position": "sticky", "top": "0", "z-index": "1"}

    def __init__(
        self,
        axis: Axis,
        theme: Theme,
        contig: str,
        sequence: Callable[[Locus], str] | None,
    ) -> None:
        super().__init__(axis, theme, _HEIGHT, (0, _HEIGHT))
        self._sequence = sequence
        self._step = 1
        self._majors: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._ticks = ColumnDataSource({"x": [], "top": []})
        self._labels = ColumnDataSource({"x": [], "text": []})
        self._letters = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        fig = self.figure
        self._line = Span(location=_LINE, dimension="width", line_width=1)
        fig.add_layout(self._line)
        self._tick = Segment(x0="x", y0=_LINE, x1="x", y1="top")
        fig.add_glyph(self._ticks, self._tick)
        self._label = Text(
            x="x", y=_NUMBERS, text="text", text_font=value(FONT), text_font_size="11.5px",
            text_align="center", text_baseline="bottom",
        )  # fmt: skip
        fig.add_glyph(self._labels, self._label)
        fig.add_glyph(self._letters, MultiPolygons(xs="xs", ys="ys", fill_color="colour", line_color=None))
        self._grid.visible = False
        self.overlay.set(title=shown_contig(contig))
        self._paint_glyphs()

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Place ticks, and the bases when few enough are on screen to be read."""
        # as many as leave that room between two; one more may lie on the borders
        count = min(max(view.pixels / _LABEL_PIXELS, 2), 12)
        self._step = tick_step(view.length, count + 1)
        self._majors = _multiples(loaded.locus, self._step)
        minors = _multiples(loaded.locus, max(self._step // 5, 1))
        tops = np.where(minors % self._step == 0, _LINE + 6, _LINE + 3)
        self._ticks.data = {"x": minors.astype(float), "top": tops.astype(float)}
        self.axis.ticker.ticks = self._majors.astype(float).tolist()
        self._lay_bases(loaded, view)

    def follow(self, view: View) -> None:
        """Write the numbers of the ticks in sight, but none that the border would cut through."""
        near = _HALF_LABEL * view.bases_per_pixel
        inside = (self._majors > x_of(view.start) + near) & (self._majors < x_of(view.end) - near)
        places = self._majors[inside]
        if places.tolist() != list(self._labels.data["x"]):
            texts = [format_position(int(place), self._step) for place in places]
            self._labels.data = {"x": places.tolist(), "text": texts}

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint_glyphs()
        super().restyle(theme)

    def _lay_bases(self, loaded: LoadedInterval, view: View) -> None:
        if self._sequence is None or view.length > SEQUENCE_BELOW:
            self._letters.data = {"xs": [], "ys": [], "colour": []}
            return
        bases = self._sequence(loaded.locus)
        # a letter doesn't get wider than it looks right at this height
        width = min(0.86, 13 * view.bases_per_pixel)
        left = x_of(loaded.locus.start + np.arange(len(bases))) + (1 - width) / 2
        xs, ys = place_letters(bases, left, _LETTERS[0], width, _LETTERS[1] - _LETTERS[0])
        colours = [self.theme.bases.get(base, self.theme.bases["N"]) for base in bases]
        self._letters.data = {"xs": xs, "ys": ys, "colour": colours}

    def _paint_glyphs(self) -> None:
        self.figure.styles = self.figure.styles | {"background-color": self.theme.surface}
        self._line.line_color = self._tick.line_color = self.theme.muted
        self._label.text_color = self.theme.ink
        self.overlay.set(hint="drag to zoom")


def _multiples(locus: Locus, step: int) -> NDArray[np.int64]:
    """Return the positions counted from 1 that a step divides."""
    return np.arange(math.ceil((locus.start + 1) / step), locus.end // step + 1, dtype=np.int64) * step

"""Predicted activity: one row per context as a heat map, or areas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from bokeh.models import ColumnDataSource, GlyphRenderer, VArea
from numpy.typing import NDArray

from phenviz.genome.contexts import FOLD_ENRICHMENT, Context, units_of
from phenviz.results.display import Colouring, Display
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import LOG_COLOURS, Hatching, HeatMap, number_hover
from phenviz.tracks.overlay import Scale
from phenviz.tracks.pyramid import Pyramid
from phenviz.tracks.signed_signal import stairs
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.viewport import AVERAGED_FROM, LoadedInterval, View, mean_over, nice_ceiling

STYLES = ("heatmap", "areas")
_MOST_PIXELS = 416
# where the colour scale ends by itself: above it lie few of the values on screen
_QUANTILE = 0.998
# a view of nothing but background shall look empty: it ends here at least, by the unit of activity
_LEAST_HIGH = {FOLD_ENRICHMENT: 5.0}
# of a row: as its content asks for, at least, and at most
_ROW_PIXELS = {"heatmap": (13, 7, 34), "areas": (26, 14, 48)}


class Activity(Track):
    """Predicted activity of the chosen contexts over the contig.

    Where several bins share a pixel, their maximum is drawn, so that no peak is lost; where so many do that
    nearly every pixel would hold one, their mean.
    """

    name = "activity"
    title = "Predicted activity"

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 16 * _ROW_PIXELS[STYLES[0]][0], (0, 16))
        self._pyramid: Pyramid | None = None
        self._rows: Sequence[int] = ()
        self._contexts: Sequence[Context] = ()
        self._focus = ""
        self._style = STYLES[0]
        self._high, self._fixed = 1.0, 0.0
        self._scale: Scale | None = None
        self._values = np.zeros(1, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
        self._how = ""
        self._hatching = Hatching(self, theme)
        self._heat = HeatMap(self, theme.sequential)
        self._areas: list[tuple[ColumnDataSource, GlyphRenderer]] = []
        self.add_hover(
            self._heat.renderer,
            [("", "$y{custom}"), ("activity", "@image{custom}"), ("position", "$x{custom}")],
            number_hover("Math.expm1(value)"),
        )

    def set_contexts(self, contexts: Sequence[Context], rows: Sequence[int]) -> None:
        """Choose the contexts that are drawn, and say which rows of the pyramid they are; -1 for none."""
        if contexts and (tuple(contexts), tuple(rows)) == (self._contexts, self._rows):
            return
        self._contexts, self._rows = tuple(contexts), tuple(rows)
        self._lay_out()
        self.reload()

    def set_focus(self, name: str) -> None:
        """Point at one context among the row names."""
        self._focus = name
        self._name_rows()

    def set_pyramid(self, pyramid: Pyramid | None, rows: Sequence[int]) -> None:
        """Draw another pyramid, and say which of its rows the chosen contexts are; -1 for none."""
        self._pyramid, self._rows = pyramid, tuple(rows)
        self.reload()

    def fix_scale(self, high: float) -> None:
        """End the colour scale at an activity, wherever one looks; 0 for one that follows the view."""
        self._fixed = high
        self.reload()

    def tell(self, display: Display) -> Display:
        """Add how activity is coloured."""
        edges, _ = self._values
        if self._pyramid is None or len(edges) < 2:
            return display
        bases = int(edges[1] - edges[0])
        mean = bases // self._pyramid.bin_size >= AVERAGED_FROM
        return replace(display, activity=Colouring(self._high, bases, mean))

    def set_style(self, style: str) -> None:
        """Draw one of `STYLES`."""
        self._style = style
        self._lay_out()
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._hatching.restyle(theme)
        self._heat.mapper.palette = list(theme.sequential)
        self._name_rows()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Read the interval at one point per pixel and draw it."""
        if self._pyramid is None or not self._contexts:
            self._heat.clear()
            self._hatching.show([], 1)
            self._draw_areas(np.zeros(1, dtype=np.int64), np.empty((0, 0), dtype=np.float32))
            self.say(
                empty="The model's prediction appears here" if self._contexts else "Tick a context to see it"
            )
            return
        size = self._pyramid.bin_size
        start, end = loaded.locus.start // size, -(-loaded.locus.end // size)
        edges, mean, maximum = self._pyramid.read(start, end, loaded.points(view.pixels))
        joined = int(edges[1] - edges[0]) // size
        averaged = joined >= AVERAGED_FROM
        known = mean if averaged else maximum
        # nothing is known of contexts that have just been ticked
        values = np.vstack([known, np.full((1, known.shape[1]), np.nan, np.float32)])[list(self._rows)]
        runs = [(left * size, right * size) for left, right in self._pyramid.missing(start, end)]
        self._hatching.show(runs[:200], len(self._contexts))
        self._values = edges, values
        self._heat.show(edges, np.log1p(values))
        self._draw_areas(edges, values)
        finest = f"{size} bp bins"
        coarse = mean_over(joined * size) if averaged else f"maximum in a pixel of {finest}"
        self._how = coarse if joined > 1 else finest

    def follow(self, view: View) -> None:
        """Say how much of the view has been predicted."""
        if self._pyramid is None or not self._contexts:
            return
        where, size = view.locus, self._pyramid.bin_size
        shown = self._pyramid.covered(where.start // size, -(-where.end // size))
        self.say(
            description=f"{self._scale_words()}{self._how}",
            note="" if shown > 0.999 else f"{shown:.0%} of the view computed",
            scale=self._scale if self._style == "heatmap" else None,
        )

    def _scale_words(self) -> str:
        scale = LOG_COLOURS if self._style == "heatmap" else f"0 to {self._high:g}"
        return f"{scale}, {units_of(self._contexts)}, "

    def fit(self, view: View) -> None:
        """Choose the end of the colour scale for what is on screen, unless it is fixed."""
        if self._pyramid is None or not self._contexts:
            return
        edges, values = self._values
        high = self._fixed or scale_end(
            values[:, (edges[1:] > view.start) & (edges[:-1] < view.end)], self._contexts[0].units
        )
        self._scale = Scale("0", self.theme.sequential, f"{high:g}")
        if high != self._high:
            self._high = high
            self._heat.mapper.update(low=0, high=math.log1p(high))
            self._draw_areas(edges, values)
        self.follow(view)

    def _lay_out(self) -> None:
        n = max(len(self._contexts), 1)
        usual, least, most = (n * pixels for pixels in _ROW_PIXELS[self._style])
        usual = min(max(usual, 40), _MOST_PIXELS)
        self.resize(usual, min(max(least, 40), usual), max(most, usual, 60))
        self.y_range.update(start=0, end=n)
        # hidden, not invisible: tooltips over areas come from it
        self._heat.renderer.glyph.global_alpha = 1.0 if self._style == "heatmap" else 0.0
        self._name_rows()

    def _name_rows(self) -> None:
        self.name_contexts(self._contexts, bold=self._focus)

    def _draw_areas(self, edges: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        wanted = len(self._contexts) if self._style == "areas" and len(values) else 0
        while len(self._areas) < wanted:
            source = ColumnDataSource({"x": [], "y1": [], "y2": []})
            renderer = self.figure.add_glyph(source, VArea(x="x", y1="y1", y2="y2"))
            self._areas.append((source, renderer))
        for row, (source, renderer) in enumerate(self._areas):
            renderer.visible = row < wanted
            if row >= wanted:
                source.data = {"x": [], "y1": [], "y2": []}
                continue
            base = len(self._contexts) - 1 - row + 0.04
            tall = np.minimum(np.nan_to_num(values[row]) / self._high, 1.0) * 0.9
            x, tops = stairs(edges, base + tall)
            source.data = {"x": x, "y1": np.full(len(x), base), "y2": tops}
            renderer.glyph.fill_color = legible(self._contexts[row].colour, self.theme, 3.0)


def scale_end(values: NDArray[np.floating], units: str) -> float:
    """Return the round activity where a colour scale of some values ends.

    Parameters
    ----------
    values
        Any shape; NaN where nothing is known.
    units
        Unit of activity.
    """
    known = values[np.isfinite(values)]
    usual = float(np.quantile(known, _QUANTILE)) if known.size else 0.0
    return nice_ceiling(max(usual, _LEAST_HIGH.get(units, 0.0)))

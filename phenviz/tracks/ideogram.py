"""Ideogram: the whole chromosome with its bands, and a box over what is on screen that can be moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    HoverTool,
    Patches,
    Quad,
    Range1d,
    RangeTool,
    Span,
)
from bokeh.plotting import figure

from phenviz.genome.locus import Locus
from phenviz.tracks.overlay import style_sheets
from phenviz.tracks.theme import Theme, ThemeName, get_theme, mix
from phenviz.tracks.throttle import Debounce
from phenviz.tracks.viewport import EDGE, MIN_BASES, clamp, x_of

# how dark Giemsa stains a band, 0 to 1
_STAIN = {
    "gneg": 0.04,
    "gpos25": 0.22,
    "gpos50": 0.4,
    "gpos75": 0.58,
    "gpos100": 0.75,
    "gvar": 0.5,
    "stalk": 0.3,
}
_SETTLED_AFTER = 80
# share of the chromosome below which the box is but a few pixels wide
_NARROW = 0.01


class Ideogram:
    """A chromosome with a window box: click to move the box there, drag it, or drag a new one.

    Parameters
    ----------
    bands
        Columns contig, start, end, name, stain, of one contig; no rows where none are known.
    contig_length
        Bases of the contig.
    theme
        ``light`` or ``dark``.
    contig
        Name of the contig; taken from the bands where it isn't given.

    Attributes
    ----------
    layout
        The figure; takes the width it gets.
    """

    def __init__(
        self,
        bands: pd.DataFrame,
        contig_length: int,
        theme: ThemeName = "light",
        *,
        contig: str | None = None,
        height: int = 34,
    ) -> None:
        self._bands, self._length = bands, contig_length
        self._theme = get_theme(theme)
        self._contig = contig or (str(bands["contig"].iloc[0]) if len(bands) else "")
        self._callbacks: list[Callable[[Locus], None]] = []
        self._moving = False
        self._window = Range1d(start=x_of(0.0), end=x_of(float(contig_length)))
        self.layout = self._make_figure(height)
        self._draw_bands()
        self._line = Span(dimension="height", line_width=2)
        self.layout.add_layout(self._line)
        self._box = BoxAnnotation(line_width=1.5, fill_alpha=0.12, top_units="data", bottom_units="data")
        self._add_tools()
        self._tell_soon = Debounce(lambda: self._window.document, _SETTLED_AFTER, self._tell)
        for border in ("start", "end"):
            self._window.on_change(border, self._on_window)
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def set_window(self, locus: Locus) -> None:
        """Show which part of the chromosome is on screen, without calling back."""
        self._contig = locus.contig
        self._moving = True
        try:
            self._window.update(start=x_of(float(locus.start)), end=x_of(float(locus.end)))
        finally:
            self._moving = False
        self._tell_soon.cancel()
        # a box too narrow to be seen gets a line; in a wide one it would point at a place that means nothing
        self._line.update(location=x_of(float(locus.centre)), visible=locus.length < self._length * _NARROW)

    def on_pick(self, callback: Callable[[Locus], None]) -> None:
        """Call back when the user has chosen another part of the chromosome."""
        self._callbacks.append(callback)

    def set_theme(self, theme: ThemeName) -> None:
        """Change all colours."""
        self._theme = get_theme(theme)
        colours = _band_colours(self._bands, self._theme)
        self._arms.data = dict(self._arms.data) | {"colour": colours[0]}
        self._centromere.data = dict(self._centromere.data) | {"colour": colours[1]}
        self._outline.line_color = self._theme.muted
        self._line.line_color = self._theme.accent
        self._box.update(fill_color=self._theme.accent, line_color=self._theme.accent)
        self.layout.stylesheets = style_sheets(self._theme)

    def _make_figure(self, height: int) -> figure:
        fig = figure(
            x_range=Range1d(x_of(0.0), x_of(float(self._length))), y_range=Range1d(0, 1), height=height,
            sizing_mode="stretch_width", min_width=120, tools="", toolbar_location=None, context_menu=None,
            min_border=3, background_fill_color=None, border_fill_color=None, outline_line_color=None,
            name="ideogram", x_axis_type=None, y_axis_type=None,
        )  # fmt: skip
        return fig

    def _draw_bands(self) -> None:
        arms = self._bands[self._bands["stain"] != "acen"]
        self._arms = ColumnDataSource(
            {
                "left": x_of(arms["start"].to_numpy(float)), "right": x_of(arms["end"].to_numpy(float)),
                "name": arms["name"].astype(str).to_numpy(), "colour": ["#000000"] * len(arms),
            }
        )  # fmt: skip
        band = Quad(left="left", right="right", bottom=0.24, top=0.76, fill_color="colour", line_color=None)
        box = self.layout.add_glyph(self._arms, band)
        xs, ys = _triangles(self._bands[self._bands["stain"] == "acen"])
        self._centromere = ColumnDataSource({"xs": xs, "ys": ys, "colour": ["#000000"] * len(xs)})
        arrows = Patches(xs="xs", ys="ys", fill_color="colour", line_color=None)
        self.layout.add_glyph(self._centromere, arrows)
        self._outline = BoxAnnotation(
            left=x_of(0.0), right=x_of(float(self._length)), bottom=0.24, top=0.76, fill_color=None,
            line_width=1, line_alpha=0.7,
        )  # fmt: skip
        self.layout.add_layout(self._outline)
        if len(arms):
            self.layout.add_tools(
                HoverTool(renderers=[box], tooltips=[("band", "@name")], point_policy="follow_mouse")
            )

    def _add_tools(self) -> None:
        tool = RangeTool(x_range=self._window, overlay=self._box, start_gesture="pan")
        self._box.update(top=0.98, bottom=0.02, inverted=False)
        self.layout.add_tools(tool)

    def _on_window(self, attr: str, old: float, new: float) -> None:
        if not self._moving:
            self._tell_soon()

    def _on_tap(self, event: Any) -> None:
        if event.x is None:
            return
        length = max(round(self._window.end - self._window.start), MIN_BASES)
        start = max(round(event.x - EDGE - length / 2), 0)
        self._announce(Locus(self._contig, start, start + length))

    def _tell(self) -> None:
        start, end = sorted((float(self._window.start), float(self._window.end)))
        first = max(round(start - EDGE), 0)
        self._announce(Locus(self._contig, first, max(round(end - EDGE), first + 1)))

    def _announce(self, locus: Locus) -> None:
        chosen = clamp(locus, self._length)
        self.set_window(chosen)
        for callback in self._callbacks:
            callback(chosen)


def _band_colours(bands: pd.DataFrame, theme: Theme) -> tuple[list[str], list[str]]:
    arms = [
        mix(theme.surface, theme.ink, _STAIN.get(stain, 0.1)) for stain in bands["stain"] if stain != "acen"
    ]
    centromere = mix(theme.surface, theme.accent, 0.45)
    return arms, [centromere] * int((bands["stain"] == "acen").sum())


def _triangles(bands: pd.DataFrame) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw the two halves of a centromere as triangles that point at each other."""
    xs, ys = [], []
    for number, (start, end) in enumerate(zip(bands["start"], bands["end"], strict=True)):
        base, tip = (start, end) if number % 2 == 0 else (end, start)
        xs.append(x_of(np.array([base, base, tip], dtype=float)))
        ys.append(np.array([0.24, 0.76, 0.5]))
    return xs, ys

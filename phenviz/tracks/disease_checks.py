"""Checks of hypotheses on screen: QQ plots with a beta band, and a trait without each of its loci."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, Scatter, Segment, Span, VArea
from bokeh.models import Line as LineGlyph
from scipy.stats import beta

from phenviz.genome.true_minus import true_minus
from phenviz.tracks.plain import Plot, fixed_ticks, hover_of, plain_figure
from phenviz.tracks.theme import ThemeName


class QuantilePlot(Plot):
    """Observed p-values against those expected of uniform ones, with the 95 % band of order statistics.

    The k-th smallest of n uniform p-values follows Beta(k, n + 1 - k).
    """

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure("qq", 250, "expected −log10 p", "observed −log10 p", x=(0, 1), y=(0, 1))
        self._band = ColumnDataSource({"x": [], "low": [], "high": []})
        self._points = ColumnDataSource({"x": [], "y": [], "name": []})
        self._diagonal = ColumnDataSource({"x": [], "y": []})
        self._area = VArea(x="x", y1="low", y2="high")
        self._line = LineGlyph(x="x", y="y", line_width=1)
        self._dot = Scatter(x="x", y="y", size=5, line_color=None)
        self.layout.add_glyph(self._band, self._area)
        self.layout.add_glyph(self._diagonal, self._line)
        dots = self.layout.add_glyph(self._points, self._dot)
        self.layout.add_tools(hover_of(dots, [("", "@name"), ("−log10 p", "@y{custom}")], y="2"))
        self.set_theme(theme)

    def show(self, p_values: np.ndarray, names: Sequence[str]) -> None:
        """Draw p-values, (n,), each with a name; NaN are left out."""
        known = np.isfinite(p_values)
        p, named = p_values[known], np.asarray(names, dtype=object)[known]
        count = len(p)
        if not count:
            for source in (self._band, self._points, self._diagonal):
                source.data = {key: [] for key in source.data}
            return
        order = np.argsort(p, kind="stable")
        observed = -np.log10(np.maximum(p[order], 1e-300))
        rank = np.arange(1, count + 1)
        expected = -np.log10((rank - 0.5) / count)
        low, high = beta.ppf([[0.025], [0.975]], rank, count + 1 - rank)
        self._band.data = {"x": expected, "low": -np.log10(high), "high": -np.log10(low)}
        self._points.data = {"x": expected, "y": observed, "name": named[order].tolist()}
        self._diagonal.data = {"x": [0, expected.max()], "y": [0, expected.max()]}
        self.layout.x_range.update(start=0, end=float(expected.max()) * 1.05)
        self.layout.y_range.update(start=0, end=float(max(observed.max(), expected.max())) * 1.08)

    def _recolour(self) -> None:
        colours = self._theme
        self._area.update(fill_color=colours.muted, fill_alpha=0.22)
        self._line.line_color = colours.muted
        self._dot.fill_color = colours.accent


class LeaveOneOut(Plot):
    """z of a context without each locus, beside that of all loci; a click chooses a locus."""

    def __init__(self, theme: ThemeName = "light") -> None:
        self.layout = plain_figure("leave-one-out", 200, "z without the locus", "", x=(-1, 1), y=(0, 1))
        self._points = ColumnDataSource({"x": [], "y": [], "whole": [], "name": [], "p": [], "share": []})
        self._stem = Segment(x0="whole", x1="x", y0="y", y1="y", line_width=2)
        self._dot = Scatter(x="x", y="y", size=8, line_color=None)
        self._zero = Span(location=0, dimension="height", line_width=1)
        self._whole = Span(location=0, dimension="height", line_width=1.5, line_dash=[5, 4])
        self.layout.add_layout(self._zero)
        self.layout.add_layout(self._whole)
        self.layout.add_glyph(self._points, self._stem)
        dots = self.layout.add_glyph(self._points, self._dot)
        told = [
            ("", "@name"),
            ("z without", "@x{custom}"),
            ("p without", "@p"),
            ("its part of the effect", "@share"),
        ]
        self.layout.add_tools(hover_of(dots, told, x="2"))
        self._callbacks: list[Callable[[int], None]] = []
        self._rows = 0
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[int], None]) -> None:
        """Call back with the row of a locus that was clicked."""
        self._callbacks.append(callback)

    def show(
        self, names: Sequence[str], without: np.ndarray, p: np.ndarray, share: np.ndarray, whole: float
    ) -> None:
        """Draw loci in their order, the first on top.

        Parameters
        ----------
        names
            Of the loci.
        without, p, share
            z and p without each locus, and the locus' part of the effect, shape (loci,).
        whole
            z of all loci.
        """
        self._rows = len(names)
        self._points.data = {
            "x": without,
            "y": np.arange(self._rows)[::-1] + 0.5,
            "whole": np.full(self._rows, whole),
            "name": list(names),
            "p": [true_minus(f"{value:.2g}") if np.isfinite(value) else "one locus only" for value in p],
            "share": [true_minus(f"{value:+.2g}") for value in share],
        }
        self._whole.location = whole if np.isfinite(whole) else 0
        values = np.concatenate([without[np.isfinite(without)], [0.0, self._whole.location]])
        air = 0.08 * max(float(np.ptp(values)), 0.5)
        self.layout.x_range.update(start=float(values.min()) - air, end=float(values.max()) + air)
        self.layout.y_range.update(start=0, end=max(self._rows, 1))
        self.layout.height = 46 + 18 * max(self._rows, 2)
        fixed_ticks(self.layout, "y", list(names)[::-1])

    def _recolour(self) -> None:
        colours = self._theme
        self.layout.ygrid.grid_line_color = None
        self._stem.line_color = colours.muted
        self._dot.fill_color = self._whole.line_color = colours.accent
        self._zero.line_color = colours.muted

    def _on_tap(self, event: Any) -> None:
        row = -1 if event.y is None else self._rows - 1 - int(np.floor(event.y))
        if 0 <= row < self._rows:
            for callback in self._callbacks:
                callback(row)

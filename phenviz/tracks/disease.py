"""Hypotheses on screen: a heat map whose cells can be clicked, and all contexts of one trait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from bokeh.core.properties import value
from bokeh.events import Tap
from bokeh.models import (
    ColumnDataSource,
    HoverTool,
    LinearColorMapper,
    Rect,
    Scatter,
    Segment,
    Span,
    Text,
)

from phenviz.genome.true_minus import known_number
from phenviz.tracks.plain import Plot, fixed_ticks, hover_of, plain_figure
from phenviz.tracks.theme import FONT, ThemeName, get_theme, legible
from phenviz.tracks.viewport import nice_ceiling

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
ROW_PX = 20
_STRIP = 0.3
# names of contexts stand aslant: what a letter takes upwards and sideways, and a narrow column
_HEAD_PX, _LETTER_PX, _ASIDE_PX, _COLUMN_PX = 78, 5.0, 4.2, 13
_STRONGEST = 8.0


class HypothesisMap(Plot):
    """Rows are traits, columns contexts, colour is z; white where variants do no more than elsewhere.

    Parameters
    ----------
    name
        Of the figure.

    Attributes
    ----------
    limit
        z at the ends of the colour scale.
    """

    def __init__(self, theme: ThemeName = "light", name: str = "hypothesis-map") -> None:
        self._callbacks: list[Callable[[str, str], None]] = []
        self._traits: list[str] = []
        self._contexts: list[str] = []
        self._cell = ("", "")
        self.limit = 1.0
        self.layout = plain_figure(name, 200, "", "", x=(0, 1), y=(0, 1))
        self.layout.xaxis.major_label_orientation = 0.9
        # names of contexts stand above, next to their lineages
        self.layout.above, self.layout.below = self.layout.below, []
        self._mapper = LinearColorMapper(palette=list(get_theme(theme).diverging), nan_color="rgba(0,0,0,0)")
        self._cells = ColumnDataSource(
            {key: [] for key in ("x", "y", "z", "star", "ink", "trait", "context", "p", "q", "effect")}
        )
        self._groups = ColumnDataSource({"x": [], "y": [], "colour": [], "group": []})
        self._chosen = ColumnDataSource({"x": [], "y": []})
        colour = {"field": "z", "transform": self._mapper}
        # a hair apart, so that single cells are seen
        self._rect = Rect(x="x", y="y", width=0.96, height=0.94, fill_color=colour, line_color=None)
        cells = self.layout.add_glyph(self._cells, self._rect)
        self._star = Text(
            x="x", y="y", text="star", text_color="ink", text_align="center", text_baseline="middle",
            text_font_size="11px", text_font=value(FONT), y_offset=2,
        )  # fmt: skip
        self.layout.add_glyph(self._cells, self._star)
        strip = Rect(x="x", y="y", width=1.0, height=_STRIP, fill_color="colour", line_color=None)
        groups = self.layout.add_glyph(self._groups, strip)
        self._frame = Rect(x="x", y="y", width=1, height=1, fill_color=None, line_width=2)
        self.layout.add_glyph(self._chosen, self._frame)
        told = [
            ("", "@trait in @context"),
            ("z", "@z{custom}"),
            ("p", "@p"),
            ("q", "@q"),
            ("effect", "@effect"),
        ]
        self.layout.add_tools(hover_of(cells, told, z="2"), HoverTool(renderers=[groups], tooltips="@group"))
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[str, str], None]) -> None:
        """Call back with trait and context of a cell that was clicked."""
        self._callbacks.append(callback)

    def show(self, part: xr.Dataset, limit: float | None = None) -> None:
        """Draw one method's tests.

        Parameters
        ----------
        part
            ``z``, ``p_value``, ``q_value`` and ``effect`` (trait, context), in the order to draw, the first
            trait on top; coordinates ``context_label``, ``group`` and ``colour``.
        limit
            z at the ends of the colour scale; from the data by default.
        """
        self._traits = part["trait"].values.astype(str).tolist()
        self._contexts = part["context"].values.astype(str).tolist()
        z, q = part["z"].values, part["q_value"].values
        known = np.abs(z[np.isfinite(z)])
        self.limit = limit or max(min(nice_ceiling(float(known.max(initial=1.0))), _STRONGEST), 1.0)
        self._mapper.update(low=-self.limit, high=self.limit)
        n_rows, n_columns = z.shape
        longest = max(map(len, self._contexts), default=0)
        self.layout.height = max(_HEAD_PX, round(20 + _LETTER_PX * longest)) + ROW_PX * n_rows
        # the last names reach beyond the last column
        beyond = [
            _ASIDE_PX * len(name) - _COLUMN_PX * (place + 0.5)
            for place, name in enumerate(reversed(self._contexts))
        ]
        self.layout.min_border_right = max(12, round(max(beyond, default=0)))
        self.layout.x_range.update(start=0, end=max(n_columns, 1))
        self.layout.y_range.update(start=0, end=max(n_rows, 1) + 1.4 * _STRIP)
        column, row = (index.ravel() for index in np.meshgrid(np.arange(n_columns), np.arange(n_rows)))
        labels = part["context_label"].values.astype(str)
        self._cells.data = {
            "x": column + 0.5,
            "y": n_rows - row - 0.5,
            "z": z.ravel(),
            "star": [star_of(value) for value in q.ravel()],
            "ink": self._inks(z.ravel()),
            "trait": [self._traits[index] for index in row],
            "context": [labels[index] for index in column],
            "p": [known_number(value) for value in part["p_value"].values.ravel()],
            "q": [known_number(value) for value in q.ravel()],
            "effect": [known_number(value) for value in part["effect"].values.ravel()],
        }
        self._groups.data = {
            "x": np.arange(n_columns) + 0.5,
            "y": np.full(n_columns, n_rows + 0.9 * _STRIP),
            "colour": part["colour"].values.astype(str).tolist(),
            "group": part["group"].values.astype(str).tolist(),
        }
        fixed_ticks(self.layout, "y", self._traits[::-1])
        fixed_ticks(self.layout, "x", self._contexts)
        self.choose(*self._cell)

    def choose(self, trait: str, context: str) -> None:
        """Frame a cell."""
        self._cell = (trait, context)
        there = trait in self._traits and context in self._contexts
        self._chosen.data = {
            "x": [self._contexts.index(context) + 0.5] if there else [],
            "y": [len(self._traits) - self._traits.index(trait) - 0.5] if there else [],
        }

    def _recolour(self) -> None:
        self.layout.xgrid.grid_line_color = self.layout.ygrid.grid_line_color = None
        self._mapper.palette = list(self._theme.diverging)
        self._frame.line_color = self._theme.accent
        data = dict(self._cells.data)
        data["ink"] = self._inks(np.asarray(data["z"], dtype=float))
        self._cells.data = data

    def _inks(self, z: np.ndarray) -> list[str]:
        strong = np.abs(np.nan_to_num(z)) > 0.6 * self.limit
        # the ends of the dark theme's scale are light
        over = "#ffffff" if self._theme.name == "light" else "#101418"
        return [over if value else self._theme.ink for value in strong]

    def _on_tap(self, event: Any) -> None:
        if event.x is None or event.y is None:
            return
        row, column = len(self._traits) - 1 - int(np.floor(event.y)), int(np.floor(event.x))
        if 0 <= row < len(self._traits) and 0 <= column < len(self._contexts):
            for callback in self._callbacks:
                callback(self._traits[row], self._contexts[column])


class _ContextRows(Plot):
    """Rows are contexts, the first on top, in their colours."""

    def __init__(self, name: str, x_label: str) -> None:
        self.layout = plain_figure(name, 200, x_label, "", x=(0, 1), y=(0, 1))
        self._source = ColumnDataSource(
            {key: [] for key in ("y", "label", "colour", "p", "q", "value", "middle", "low", "high")}
        )
        self._callbacks: list[Callable[[str], None]] = []
        self._contexts: list[str] = []
        self._colours: list[str] = []
        self.layout.on_event(Tap, self._on_tap)

    def on_pick(self, callback: Callable[[str], None]) -> None:
        """Call back with a context that was clicked."""
        self._callbacks.append(callback)

    def _show(self, own: xr.Dataset, **columns: np.ndarray) -> None:
        self._contexts = own["context"].values.astype(str).tolist()
        self._colours = own["colour"].values.astype(str).tolist()
        count = len(self._contexts)
        nothing = np.full(count, np.nan)
        self._source.data = {
            "y": np.arange(count)[::-1] + 0.5,
            "label": own["context_label"].values.astype(str).tolist(),
            "colour": self._legible(),
            "p": [known_number(value) for value in own["p_value"].values],
            "q": [known_number(value) for value in own["q_value"].values],
            **{key: columns.get(key, nothing) for key in ("value", "middle", "low", "high")},
        }
        self.layout.height = 60 + 19 * count
        self.layout.y_range.update(start=0, end=max(count, 1))
        fixed_ticks(self.layout, "y", self._contexts[::-1])

    def _recolour(self) -> None:
        self.layout.ygrid.grid_line_color = None
        if self._colours:
            self._source.data = dict(self._source.data) | {"colour": self._legible()}

    def _legible(self) -> list[str]:
        return [legible(colour, self._theme, 3.0) for colour in self._colours]

    def _on_tap(self, event: Any) -> None:
        if event.y is None:
            return
        row = len(self._contexts) - 1 - int(np.floor(event.y))
        if 0 <= row < len(self._contexts):
            for callback in self._callbacks:
                callback(self._contexts[row])


class TraitBars(_ContextRows):
    """-log10 p of every context of one trait, with both thresholds."""

    def __init__(self, theme: ThemeName = "light") -> None:
        super().__init__("trait-bars", "−log10 p")
        self._bar = Rect(x="middle", y="y", width="value", height=0.7, fill_color="colour", line_color=None)
        bars = self.layout.add_glyph(self._source, self._bar)
        self._bonferroni = Span(location=0, dimension="height", line_width=1.5)
        self._bh = Span(location=0, dimension="height", line_width=1.5, line_dash=[5, 4])
        self.layout.add_layout(self._bonferroni)
        self.layout.add_layout(self._bh)
        self.layout.add_tools(
            HoverTool(renderers=[bars], tooltips=[("", "@label"), ("p", "@p"), ("q", "@q")])
        )
        self.set_theme(theme)

    def show(self, own: xr.Dataset, bonferroni: float, bh: float) -> None:
        """Draw a trait: ``p_value`` and ``q_value`` (context), and thresholds of p (NaN for none)."""
        height = -np.log10(own["p_value"].values)
        self._show(own, value=height, middle=height / 2)
        levels = [-np.log10(level) if np.isfinite(level) else -1.0 for level in (bonferroni, bh)]
        self._bonferroni.location, self._bh.location = levels
        top = max(float(np.nanmax(height, initial=1.0)), *levels)
        self.layout.x_range.update(start=0, end=top * 1.06)

    def _recolour(self) -> None:
        super()._recolour()
        self._bonferroni.line_color = self._bh.line_color = self._theme.accent


class TraitForest(_ContextRows):
    """Effect in every context of one trait with its 95 % interval."""

    def __init__(self, theme: ThemeName = "light") -> None:
        super().__init__("trait-forest", "effect")
        self._zero = Span(location=0, dimension="height", line_width=1)
        self.layout.add_layout(self._zero)
        stem = Segment(x0="low", x1="high", y0="y", y1="y", line_color="colour", line_width=2)
        dot = Scatter(x="value", y="y", size=8, fill_color="colour", line_color=None)
        self.layout.add_glyph(self._source, stem)
        dots = self.layout.add_glyph(self._source, dot)
        told = [("", "@label"), ("effect", "@value{custom}"), ("95 %", "@low{custom} to @high{custom}")]
        self.layout.add_tools(hover_of(dots, told, value="4", low="4", high="4"))
        self.set_theme(theme)

    def show(self, own: xr.Dataset) -> None:
        """Draw a trait: ``effect``, ``interval_low`` and ``interval_high`` (context), NaN for no interval."""
        effect, low, high = (own[name].values for name in ("effect", "interval_low", "interval_high"))
        self._show(own, value=effect, low=low, high=high)
        values = np.concatenate([effect, low, high, [0.0]])
        start, end = float(np.nanmin(values)), float(np.nanmax(values))
        air = 0.06 * max(end - start, 1e-9)
        self.layout.x_range.update(start=start - air, end=end + air)

    def _recolour(self) -> None:
        super()._recolour()
        self._zero.line_color = self._theme.muted


def star_of(q: float) -> str:
    """Return the stars of a q-value: * below 0.05, ** below 0.01, *** below 0.001."""
    return next((sign for level, sign in STARS if q < level), "")

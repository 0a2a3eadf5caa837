"""Effects of variants in every context: a heat map whose rows can be clicked, and a forest of one variant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import (
    ColumnDataSource,
    Image,
    LinearColorMapper,
    NoOverlap,
    Rect,
    Scatter,
    Segment,
    Span,
)
from numpy.typing import NDArray

from phenviz.genome.contexts import Context
from phenviz.genome.true_minus import true_minus
from phenviz.results.display import VariantDisplay
from phenviz.tracks.plain import Plot, fixed_ticks, hover_of, plain_figure
from phenviz.tracks.theme import ThemeName, get_theme, legible
from phenviz.tracks.viewport import nice_ceiling


class EffectMap(Plot):
    """Rows are variants, columns contexts; white where nothing changes.

    Attributes
    ----------
    limit
        Effect at the ends of the colour scale.
    """

    def __init__(self, theme: ThemeName = "light") -> None:
        self._keys: list[str] = []
        self._key = ""
        self._callbacks: list[Callable[[str], None]] = []
        self.limit = 1.0
        self.layout = plain_figure("effect-map", None, "", "", x=(0, 1), y=(0, 1))
        self.layout.xaxis.major_label_orientation = np.pi / 2
        # in a low window there are more rows than lines of text, in a narrow one more columns
        self.layout.yaxis.major_label_policy = self.layout.xaxis.major_label_policy = NoOverlap(
            min_distance=0
        )
        colours = get_theme(theme)
        self._mapper = LinearColorMapper(palette=list(colours.diverging), nan_color="rgba(0, 0, 0, 0)")
        self._image = ColumnDataSource({"image": [], "dw": [], "dh": []})
        self._cells = ColumnDataSource({"x": [], "y": [], "name": [], "context": [], "effect": []})
        self._chosen = ColumnDataSource({"y": [], "width": []})
        self.layout.add_glyph(
            self._image, Image(image="image", x=0, y=0, dw="dw", dh="dh", color_mapper=self._mapper)
        )
        invisible = Rect(x="x", y="y", width=1, height=1, fill_alpha=0, line_alpha=0)
        cells = self.layout.add_glyph(self._cells, invisible)
        self._frame = Rect(x="width", y="y", width=4_000, height=1, fill_color=None, line_width=2)
        self.layout.add_glyph(self._chosen, self._frame)
        self.layout.add_tools(hover_of(cells, [("", "@name"), ("@context", "@effect{custom}")], effect="+3"))
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[str], None]) -> None:
        """Call back with the key of a row that was clicked."""
        self._callbacks.append(callback)

    def show(
        self, keys: Sequence[str], names: Sequence[str], contexts: Sequence[Context], effects: NDArray[Any]
    ) -> None:
        """Draw effects, shape (variants, contexts), the first variant on top."""
        n_rows, n_columns = len(keys), len(contexts)
        self._keys = list(keys)
        values = np.asarray(effects, dtype=np.float32).reshape(n_rows, n_columns)
        known = np.abs(values[np.isfinite(values)])
        self.limit = nice_ceiling(max(float(known.max(initial=0.0)), 0.02))
        self._mapper.update(low=-self.limit, high=self.limit)
        self.layout.x_range.update(start=0, end=max(n_columns, 1))
        self.layout.y_range.update(start=0, end=max(n_rows, 1))
        there = n_rows and n_columns
        self._image.data = (
            {"image": [values[::-1]], "dw": [n_columns], "dh": [n_rows]}
            if there
            else {"image": [], "dw": [], "dh": []}
        )
        column, row = np.meshgrid(np.arange(n_columns), np.arange(n_rows))
        self._cells.data = {
            "x": column.ravel() + 0.5,
            "y": n_rows - row.ravel() - 0.5,
            "name": [names[index] for index in row.ravel().tolist()],
            "context": [contexts[index].label for index in column.ravel().tolist()],
            "effect": values.ravel(),
        }
        fixed_ticks(self.layout, "y", list(names)[::-1])
        fixed_ticks(self.layout, "x", [context.name for context in contexts])
        self.choose(self._key)

    def choose(self, key: str) -> None:
        """Frame a row."""
        self._key = key
        at = [len(self._keys) - self._keys.index(key) - 0.5] if key in self._keys else []
        self._chosen.data = {"y": at, "width": [0.0] * len(at)}

    def _recolour(self) -> None:
        colours = self._theme
        self.layout.xgrid.grid_line_color = self.layout.ygrid.grid_line_color = None
        self._mapper.palette = list(colours.diverging)
        self._frame.line_color = colours.accent

    def _on_tap(self, event: Any) -> None:
        if event.y is None or not self._keys:
            return
        row = len(self._keys) - 1 - int(np.floor(event.y))
        if 0 <= row < len(self._keys):
            for callback in self._callbacks:
                callback(self._keys[row])


class Forest(Plot):
    """Effect of one variant in every context, over the range of common variants.

    Parameters
    ----------
    contexts
        From the top.
    """

    def __init__(self, contexts: Sequence[Context], theme: ThemeName = "light") -> None:
        self._contexts = tuple(contexts)
        n = len(self._contexts)
        self.layout = plain_figure(
            "forest", 70 + 22 * n, "effect, log2 fold change", "", x=(-1, 1), y=(0, max(n, 1))
        )
        # what isn't accessibility says so
        names = [f"{c.name} ({c.unit})" if c.unit else c.name for c in self._contexts]
        fixed_ticks(self.layout, "y", names[::-1])
        self._range = ColumnDataSource({"low": [], "high": [], "y": []})
        self._points = ColumnDataSource(
            {name: [] for name in ("x", "y", "zero", "colour", "name", "quantile")}
        )
        self._band = Segment(x0="low", x1="high", y0="y", y1="y", line_width=9, line_cap="butt")
        self._stem = Segment(x0="zero", x1="x", y0="y", y1="y", line_width=2, line_color="colour")
        self._dot = Scatter(x="x", y="y", size=9, fill_color="colour", line_color=None)
        self._zero = Span(location=0, dimension="height", line_width=1)
        self.layout.add_layout(self._zero)
        self.layout.add_glyph(self._range, self._band)
        self.layout.add_glyph(self._points, self._stem)
        dots = self.layout.add_glyph(self._points, self._dot)
        self.layout.add_tools(hover_of(dots, [("@name", "@x{custom}"), ("quantile", "@quantile")], x="+3"))
        self._values: tuple[NDArray[Any], NDArray[Any]] | None = None
        self.set_theme(theme)

    def show(
        self, effects: NDArray[Any], quantiles: NDArray[Any], common: tuple[NDArray[Any], NDArray[Any]] | None
    ) -> None:
        """Draw effects and quantiles, shape (contexts,), over the range of common variants' effects."""
        self._values = np.asarray(effects, dtype=float), np.asarray(quantiles, dtype=float)
        low, high = common if common is not None else (np.zeros(0), np.zeros(0))
        y = np.arange(len(self._contexts))[::-1] + 0.5
        self._range.data = {"low": low, "high": high, "y": y[: len(low)]}
        largest = np.abs(np.concatenate([self._values[0], low, high]))
        limit = nice_ceiling(max(float(np.nanmax(largest, initial=0.0)), 0.02)) * 1.06
        self.layout.x_range.update(start=-limit, end=limit)
        self._draw()

    def display(self) -> VariantDisplay:
        """Return which contexts are drawn, over which range, and with which axis."""
        shown = self.layout.x_range
        low, high = (np.asarray(self._range.data[name], dtype=float) for name in ("low", "high"))
        names = tuple(context.name for context in self._contexts)
        return VariantDisplay(
            contexts=names,
            common=(low, high) if len(low) else None,
            effect_limits=(float(shown.start), float(shown.end)),
        )

    def _recolour(self) -> None:
        self.layout.ygrid.grid_line_color = None
        self._band.line_color = self._theme.faint
        self._zero.line_color = self._theme.muted
        self._draw()

    def _draw(self) -> None:
        if self._values is None:
            return
        effects, quantiles = self._values
        n = len(self._contexts)
        self._points.data = {
            "x": effects,
            "y": np.arange(n)[::-1] + 0.5,
            "zero": np.zeros(n),
            "colour": [legible(context.colour, self._theme, 3.0) for context in self._contexts],
            "name": [context.label for context in self._contexts],
            "quantile": ["not known" if q != q else true_minus(f"{q:+.3f}") for q in quantiles],
        }

"""Volcano plot of variants: how strong each is, and how rare that is; a click chooses one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, PanTool, Scatter, Span, WheelZoomTool
from numpy.typing import NDArray

from phenviz.results.display import VariantsDisplay
from phenviz.tracks.plain import Plot, hover_of, plain_figure
from phenviz.tracks.theme import ThemeName, get_theme
from phenviz.tracks.viewport import nice_ceiling

# more points than this wouldn't be told apart, and make a page slow
_MOST = 4_000
_STRONGEST = 3_000
_COLUMNS = ("x", "y", "colour", "key", "name", "where", "gene", "context")


class Volcano(Plot):
    """Effect against rarity.

    Attributes
    ----------
    note
        What isn't drawn, in words.
    """

    def __init__(self, theme: ThemeName = "light") -> None:
        self._theme = get_theme(theme)
        self._table = pd.DataFrame({"key": []})
        self._callbacks: list[Callable[[str], None]] = []
        self.note, self.ranked = "", True
        self.layout = plain_figure("volcano", None, "", "", x=(-1, 1), y=(0, 1))
        self._points = ColumnDataSource({name: [] for name in _COLUMNS})
        self._chosen = ColumnDataSource({"x": [], "y": []})
        self._point = Scatter(x="x", y="y", size=6, fill_color="colour", line_color=None, fill_alpha=0.75)
        self._ring = Scatter(x="x", y="y", size=13, fill_color=None, line_width=2)
        self._zero = Span(location=0, dimension="height", line_width=1)
        points = self.layout.add_glyph(self._points, self._point)
        self.layout.add_glyph(self._chosen, self._ring)
        self.layout.add_layout(self._zero)
        told = [("", "@name"), ("", "@where"), ("gene", "@gene"), ("@context", "@x{custom}")]
        hover = hover_of(points, told, x="+3")
        wheel = WheelZoomTool(modifiers={"ctrl": True})
        self.layout.add_tools(PanTool(), wheel, hover)
        self.layout.toolbar.active_scroll = wheel
        self.layout.on_event(Tap, self._on_tap)
        self._key = ""
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[str], None]) -> None:
        """Call back with the key of a variant that was clicked."""
        self._callbacks.append(callback)

    def show(self, table: pd.DataFrame) -> None:
        """Draw variants.

        Parameters
        ----------
        table
            Columns key, id, position, ref, alt, gene, context, effect, and quantile (``2 q - 1`` among common
            variants; NaN where it isn't known: then the activity of the stronger allele, ``active``, stands
            on the y axis).
        """
        known = table[np.isfinite(table["effect"].to_numpy(float))] if len(table) else table
        drawn = _thinned(known)
        self.note = "" if len(drawn) == len(known) else f"{len(drawn):,} of {len(known):,} points drawn"
        self._table = drawn
        ranked = len(drawn) > 0 and bool(np.isfinite(drawn["quantile"]).any())
        self.ranked = ranked or not len(drawn)
        y = _rarity(drawn["quantile"].to_numpy(float)) if ranked else _activity(drawn)
        self.layout.xaxis.axis_label = "effect, log2 fold change"
        self.layout.yaxis.axis_label = "rarity, −log10" if self.ranked else "log10(1 + activity)"
        x = drawn["effect"].to_numpy(float) if len(drawn) else np.empty(0)
        limit = nice_ceiling(float(np.abs(x).max(initial=0.01))) if len(x) else 1.0
        self.layout.x_range.update(start=-limit * 1.05, end=limit * 1.05)
        self.layout.y_range.update(start=0, end=float(np.nanmax(y, initial=0.1)) * 1.08 if len(y) else 4)
        self._points.data = self._columns(drawn, x, y)
        self.choose(self._key)

    def display(self) -> VariantsDisplay:
        """Return what is drawn, and with which axes."""
        data, shown = self._points.data, self.layout
        x_range, y_range = shown.x_range, shown.y_range
        return VariantsDisplay(
            np.asarray(data["x"], dtype=float), np.asarray(data["y"], dtype=float),
            (x_range.start, x_range.end), (y_range.start, y_range.end),
            shown.xaxis.axis_label or "", shown.yaxis.axis_label or "",
        )  # fmt: skip

    def choose(self, key: str) -> None:
        """Ring a variant."""
        self._key = key
        keys = list(self._points.data["key"])
        if key in keys:
            at = keys.index(key)
            self._chosen.data = {"x": [self._points.data["x"][at]], "y": [self._points.data["y"][at]]}
        else:
            self._chosen.data = {"x": [], "y": []}

    def _recolour(self) -> None:
        self._ring.line_color = self._theme.accent
        self._zero.line_color = self._theme.muted
        data = dict(self._points.data)
        data["colour"] = self._colours(np.asarray(data["x"], dtype=float))
        self._points.data = data

    def _columns(self, table: pd.DataFrame, x: NDArray[Any], y: NDArray[Any]) -> dict[str, Any]:
        if not len(table):
            return {name: [] for name in _COLUMNS}
        rows = table[["position", "ref", "alt"]].itertuples(index=False)
        return {
            "x": x,
            "y": y,
            "colour": self._colours(x),
            "key": table["key"].tolist(),
            "name": table["id"].where(table["id"] != "", "no rsID").tolist(),
            "where": [f"{position:,} {ref[:20]}>{alt[:20]}" for position, ref, alt in rows],
            "gene": table["gene"].tolist(),
            "context": table["context"].tolist(),
        }

    def _colours(self, x: NDArray[np.float64]) -> list[str]:
        return [self._theme.positive if value > 0 else self._theme.negative for value in x]

    def _on_tap(self, event: Any) -> None:
        keys = list(self._points.data["key"])
        if event.x is None or not keys:
            return
        x_range, y_range = self.layout.x_range, self.layout.y_range
        width, height = x_range.end - x_range.start, y_range.end - y_range.start
        across = (np.asarray(self._points.data["x"], dtype=float) - event.x) / width
        up = (np.asarray(self._points.data["y"], dtype=float) - event.y) / height
        distance = np.hypot(across, up)
        nearest = int(np.nanargmin(distance))
        if distance[nearest] < 0.03:
            for callback in self._callbacks:
                callback(keys[nearest])


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the strongest, and evenly chosen ones of the rest."""
    if len(table) <= _MOST:
        return table
    order = np.argsort(-table["effect"].abs().to_numpy(), kind="stable")
    rest = order[_STRONGEST:]
    some = rest[np.linspace(0, len(rest) - 1, _MOST - _STRONGEST).astype(int)]
    return table.iloc[np.concatenate([order[:_STRONGEST], some])]


def _rarity(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    # beyond all of them there is no share to tell; 1 in 10,000 is where the background ends
    return -np.log10(np.clip(1 - np.abs(quantiles), 1e-4, 1))


def _activity(table: pd.DataFrame) -> NDArray[np.float64]:
    if "active" not in table:
        return np.zeros(len(table))
    return np.log10(1 + np.maximum(table["active"].to_numpy(float), 0))

"""From single bases over genes and cell types to a trait of a person: what adds to a score, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.events import Tap
from bokeh.models import Bezier, ColumnDataSource, HoverTool, LinearColorMapper, Rect, Text
from numpy.typing import NDArray

from phenviz.tracks.plain import Plot, fixed_ticks, plain_figure
from phenviz.tracks.theme import FONT, ThemeName, get_theme
from phenviz.tracks.viewport import nice_ceiling

_SLOT, _HEAD = 42, 30
_BOX, _BOX_HEIGHT = 0.84, 0.74
_WIDEST_LINK, _THINNEST_LINK = 11.0, 1.0
# letters that fit into a box of a narrow window
_LONGEST_NAME = 19
_ROW, _NAMES, _STRIP, _RIGHT = 22, 122, 0.28, 76
# a longer label gives way to the short name: names stand slanted over narrow columns
_LONGEST_LABEL = 22
_MINUS = "\N{MINUS SIGN}"


class RiskChain(Plot):
    """Boxes in columns, from variants to the person, joined by lines as wide as what they add.

    Parameters
    ----------
    columns
        Key and title of each column, from left to right.
    theme
        ``light`` or ``dark``.
    """

    def __init__(self, columns: Sequence[tuple[str, str]], theme: ThemeName = "light") -> None:
        self._columns = [key for key, _ in columns]
        self._callbacks: list[Callable[[str, str], None]] = []
        self._chosen: dict[str, str] = {}
        self.layout = plain_figure("risk-chain", 200, "", "", x=(0, len(columns)), y=(0, 1))
        self.layout.axis.visible = False
        self._boxes = ColumnDataSource(
            {
                name: []
                for name in ("x", "y", "column", "step", "key", "name", "label", "note", "line", "width")
            }
        )
        self._links = ColumnDataSource(
            {name: [] for name in ("x0", "y0", "x1", "y1", "cx0", "cx1", "width", "alpha", "value", "colour",
                                   "source", "target", "column")}
        )  # fmt: skip
        self._heads = ColumnDataSource(
            {"x": np.arange(len(columns)) + 0.5, "y": [0.0] * len(columns), "text": [t for _, t in columns]}
        )
        self._titles = dict(columns)
        self.layout.add_glyph(
            self._links,
            Bezier(x0="x0", y0="y0", x1="x1", y1="y1", cx0="cx0", cy0="y0", cx1="cx1", cy1="y1",
                   line_color="colour", line_width="width", line_alpha="alpha", line_cap="butt"),
        )  # fmt: skip
        self._box = Rect(
            x="x", y="y", width=_BOX, height=_BOX_HEIGHT, line_color="line", line_width="width",
            border_radius=6,
        )  # fmt: skip
        boxes = self.layout.add_glyph(self._boxes, self._box)
        centred: dict[str, Any] = {"text_align": "center", "text_font": value(FONT)}
        self._name = Text(x="x", y="y", text="label", text_font_size="12px", y_offset=-1,
                          text_baseline="bottom", **centred)  # fmt: skip
        self._note = Text(x="x", y="y", text="note", text_font_size="11px", y_offset=2,
                          text_baseline="top", **centred)  # fmt: skip
        self._head = Text(x="x", y="y", text="text", text_font_size="11px", text_font_style="bold",
                          text_baseline="middle", **centred)  # fmt: skip
        for source, glyph in (
            (self._boxes, self._name),
            (self._boxes, self._note),
            (self._heads, self._head),
        ):
            self.layout.add_glyph(source, glyph)
        self.layout.add_tools(
            HoverTool(renderers=[boxes], tooltips=[("step", "@step"), ("name", "@name"), ("adds", "@note")])
        )
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[str, str], None]) -> None:
        """Call back with column and key of a box that was clicked."""
        self._callbacks.append(callback)

    def show(self, boxes: pd.DataFrame, links: pd.DataFrame) -> None:
        """Draw the boxes of all columns and the lines between neighbouring ones.

        Parameters
        ----------
        boxes
            Columns column, key, name and note, from the top.
        links
            Columns column (of the left end), source, target (keys) and value.
        """
        counts = boxes["column"].value_counts() if len(boxes) else pd.Series(dtype=int)
        rows = max(int(counts.max()) if len(counts) else 1, 2)
        places: dict[tuple[str, str], tuple[float, float]] = {}
        for number, column in enumerate(self._columns):
            keys = boxes.loc[boxes["column"] == column, "key"].tolist()
            # columns of few boxes stand in the middle
            top = rows / 2 + len(keys) / 2
            places |= {(column, key): (number + 0.5, top - row - 0.5) for row, key in enumerate(keys)}
        self.layout.height = _HEAD + _SLOT * rows
        self.layout.y_range.update(start=0, end=rows + _HEAD / _SLOT)
        self._heads.data = dict(self._heads.data) | {"y": [rows + 0.4 * _HEAD / _SLOT] * len(self._columns)}
        at = [places[column, key] for column, key in zip(boxes["column"], boxes["key"], strict=True)]
        self._boxes.data = {
            "x": [x for x, _ in at],
            "y": [y for _, y in at],
            "column": boxes["column"].tolist(),
            "step": [self._titles[column] for column in boxes["column"]],
            "key": boxes["key"].tolist(),
            "name": boxes["name"].tolist(),
            "label": [_short(name) for name in boxes["name"]],
            "note": boxes["note"].tolist(),
            "line": [self._theme.faint] * len(boxes),
            "width": [1.0] * len(boxes),
        }
        self._draw_links(links, places)
        self.choose(self._chosen)

    def choose(self, chosen: dict[str, str]) -> None:
        """Frame a box of some columns, given by key, and fade the lines that don't join two of them."""
        self._chosen = dict(chosen)
        data, theme = dict(self._boxes.data), self._theme
        picked = [self._is_chosen(*box) for box in zip(data["column"], data["key"], strict=True)]
        data["line"] = [theme.accent if one else theme.muted for one in picked]
        data["width"] = [2.0 if one else 1.0 for one in picked]
        self._boxes.data = data
        links = dict(self._links.data)
        joined = [
            self._is_chosen(column, source) and self._is_chosen(self._after(column), target)
            for column, source, target in zip(links["column"], links["source"], links["target"], strict=True)
        ]
        links["alpha"] = [0.95 if one else 0.35 for one in joined]
        self._links.data = links

    def _recolour(self) -> None:
        self.layout.xgrid.grid_line_color = self.layout.ygrid.grid_line_color = None
        self._box.fill_color = self._theme.surface
        self._name.text_color = self._theme.ink
        self._note.text_color = self._head.text_color = self._theme.muted
        links = dict(self._links.data)
        links["colour"] = [self._sign(one) for one in links["value"]]
        self._links.data = links
        self.choose(self._chosen)

    def _draw_links(self, links: pd.DataFrame, places: dict[tuple[str, str], tuple[float, float]]) -> None:
        most = float(links["value"].abs().max()) if len(links) else 1.0
        rows: list[dict[str, Any]] = []
        # the widest first: thin ones stay in sight
        for link in links.reindex(links["value"].abs().sort_values(ascending=False).index).itertuples():
            start = places.get((str(link.column), str(link.source)))
            end = places.get((self._after(str(link.column)), str(link.target)))
            if start is None or end is None:
                continue
            x0, x1 = start[0] + _BOX / 2, end[0] - _BOX / 2
            half = (x0 + x1) / 2
            width = _THINNEST_LINK + _WIDEST_LINK * abs(float(link.value)) / (most or 1.0)
            rows.append(
                {"x0": x0, "y0": start[1], "x1": x1, "y1": end[1], "cx0": half, "cx1": half, "width": width,
                 "alpha": 0.35, "value": float(link.value), "colour": self._sign(float(link.value)),
                 "source": str(link.source), "target": str(link.target), "column": str(link.column)}
            )  # fmt: skip
        self._links.data = {name: [row[name] for row in rows] for name in self._links.data}

    def _after(self, column: str) -> str:
        place = self._columns.index(column) + 1
        return self._columns[place] if place < len(self._columns) else ""

    def _is_chosen(self, column: str, key: str) -> bool:
        return bool(key) and self._chosen.get(column) == key

    def _sign(self, number: float) -> str:
        return self._theme.positive if number >= 0 else self._theme.negative

    def _on_tap(self, event: Any) -> None:
        if event.x is None or event.y is None:
            return
        data = self._boxes.data
        for x, y, column, key in zip(data["x"], data["y"], data["column"], data["key"], strict=True):
            if abs(event.x - x) < _BOX / 2 and abs(event.y - y) < 0.5:
                for callback in self._callbacks:
                    callback(column, key)
                return


class ContributionMap(Plot):
    """Rows are genes, columns contexts, colour is what they add to a person's score; white where nothing.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    limit
        Contribution at the ends of the colour scale.
    """

    def __init__(self, theme: ThemeName = "light") -> None:
        self._callbacks: list[Callable[[str, str], None]] = []
        self._genes: list[str] = []
        self._contexts: list[str] = []
        self._cell = ("", "")
        self.limit = 1.0
        self.layout = plain_figure("risk-contributions", 200, "", "", x=(0, 1), y=(0, 1))
        self.layout.xaxis.major_label_orientation = 1.0
        # the last name leans over the edge
        self.layout.min_border_right = _RIGHT
        # names of contexts stand above, next to their lineages
        self.layout.above, self.layout.below = self.layout.below, []
        self._mapper = LinearColorMapper(palette=list(get_theme(theme).diverging), nan_color="rgba(0,0,0,0)")
        self._cells = ColumnDataSource({name: [] for name in ("x", "y", "value", "gene", "context", "adds")})
        self._groups = ColumnDataSource({name: [] for name in ("x", "y", "colour", "group")})
        self._frames = ColumnDataSource({"x": [], "y": []})
        colour = {"field": "value", "transform": self._mapper}
        cells = self.layout.add_glyph(
            self._cells, Rect(x="x", y="y", width=0.96, height=0.92, fill_color=colour, line_color=None)
        )
        groups = self.layout.add_glyph(
            self._groups, Rect(x="x", y="y", width=1, height=_STRIP, fill_color="colour", line_color=None)
        )
        self._frame = Rect(x="x", y="y", width=1, height=1, fill_color=None, line_width=2)
        self.layout.add_glyph(self._frames, self._frame)
        told = [("gene", "@gene"), ("cell type", "@context"), ("adds", "@adds")]
        self.layout.add_tools(
            HoverTool(renderers=[cells], tooltips=told), HoverTool(renderers=[groups], tooltips="@group")
        )
        self.layout.on_event(Tap, self._on_tap)
        self.set_theme(theme)

    def on_pick(self, callback: Callable[[str, str], None]) -> None:
        """Call back with gene and context of a cell that was clicked."""
        self._callbacks.append(callback)

    def show(
        self,
        genes: Sequence[str],
        contexts: pd.DataFrame,
        contributions: NDArray[np.floating],
        limit: float | None = None,
    ) -> None:
        """Draw contributions.

        Parameters
        ----------
        genes
            Rows, from the top.
        contexts
            Columns of the map: name, label, group and colour of each.
        contributions
            Shape (genes, contexts).
        limit
            Contribution at the ends of the colour scale; from the data by default.
        """
        values = np.asarray(contributions, dtype=float).reshape(len(genes), len(contexts))
        self._genes, self._contexts = list(genes), contexts["name"].astype(str).tolist()
        known = np.abs(values[np.isfinite(values)])
        self.limit = limit or nice_ceiling(max(float(known.max(initial=0.0)), 1e-6))
        self._mapper.update(low=-self.limit, high=self.limit)
        n_rows, n_columns = values.shape
        self.layout.height = _NAMES + _ROW * max(n_rows, 1)
        self.layout.x_range.update(start=0, end=max(n_columns, 1))
        self.layout.y_range.update(start=0, end=max(n_rows, 1) + 1.4 * _STRIP)
        column, row = (index.ravel() for index in np.meshgrid(np.arange(n_columns), np.arange(n_rows)))
        labels = contexts["label"].astype(str).tolist()
        self._cells.data = {
            "x": column + 0.5,
            "y": n_rows - row - 0.5,
            "value": values.ravel(),
            "gene": [self._genes[index] for index in row],
            "context": [labels[index] for index in column],
            "adds": [signed(one) for one in values.ravel()],
        }
        self._groups.data = {
            "x": np.arange(n_columns) + 0.5,
            "y": np.full(n_columns, n_rows + 0.9 * _STRIP),
            "colour": contexts["colour"].astype(str).tolist(),
            "group": contexts["group"].astype(str).tolist(),
        }
        fixed_ticks(self.layout, "y", self._genes[::-1])
        shown = zip(labels, self._contexts, strict=True)
        fixed_ticks(self.layout, "x", [one if len(one) <= _LONGEST_LABEL else name for one, name in shown])
        self.choose(*self._cell)

    def choose(self, gene: str, context: str) -> None:
        """Frame a cell."""
        self._cell = (gene, context)
        there = gene in self._genes and context in self._contexts
        self._frames.data = {
            "x": [self._contexts.index(context) + 0.5] if there else [],
            "y": [len(self._genes) - self._genes.index(gene) - 0.5] if there else [],
        }

    def _recolour(self) -> None:
        self.layout.xgrid.grid_line_color = self.layout.ygrid.grid_line_color = None
        self._mapper.palette = list(self._theme.diverging)
        self._frame.line_color = self._theme.accent

    def _on_tap(self, event: Any) -> None:
        if event.x is None or event.y is None:
            return
        row, column = len(self._genes) - 1 - int(np.floor(event.y)), int(np.floor(event.x))
        if 0 <= row < len(self._genes) and 0 <= column < len(self._contexts):
            for callback in self._callbacks:
                callback(self._genes[row], self._contexts[column])


def signed(number: float) -> str:
    """Write what something adds, with its sign."""
    return "not known" if not np.isfinite(number) else f"{number:+.3g}".replace("-", _MINUS)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"

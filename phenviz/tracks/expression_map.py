"""Changes of expression by tissue: a heat map with the organ systems above it, or folded to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Image, LinearColorMapper, Rect, Text
from numpy.typing import NDArray

from phenviz.genome.contexts import Context
from phenviz.results.organs import fold_by_group
from phenviz.tracks.plain import Plot, fixed_ticks, hover_of, plain_figure
from phenviz.tracks.theme import FONT, ThemeName, get_theme, legible
from phenviz.tracks.viewport import nice_ceiling

# in pixels: one column of tissues or of organ systems, one row, and what stands around the map
_COLUMN, _ORGAN_COLUMN, _ROW = 15, 34, 20
_LEFT, _BOTTOM, _RIGHT = 150, 118, 84
# rows that the strip of colours and, over single tissues, the names of organ systems take
_STRIP, _NAMES = 0.7, 4.4
_ABOVE = {"organs": _STRIP, "tissues": _STRIP + _NAMES}
_LEAST_LIMIT = 0.005
# a longer label gives way to the short name: names stand slanted under narrow columns
_LONGEST_LABEL = 22


class ExpressionMap(Plot):
    """Rows are genes (of a variant, or of a haplotype), columns contexts of expression in their own order.

    Columns have a fixed width, so that a name can be read under each of them however many there are: give
    the figure room to scroll. White where nothing changes.

    Parameters
    ----------
    contexts
        Of gene expression, such as those of `World.expression_contexts`.

    Attributes
    ----------
    limit
        Change at the ends of the colour scale.
    """

    def __init__(self, contexts: Sequence[Context], theme: ThemeName = "light") -> None:
        self._contexts = tuple(contexts)
        self._shown: tuple[list[str], NDArray[Any], str] | None = None
        self.limit = 1.0
        self.layout = plain_figure("expression-map", None, "", "", x=(0, 1), y=(0, 1))
        self.layout.update(
            sizing_mode="fixed", min_border_left=_LEFT, min_border_bottom=_BOTTOM, min_border_right=_RIGHT,
            min_border_top=4, width=_LEFT + _RIGHT + 100, height=_BOTTOM + 100,
        )  # fmt: skip
        self.layout.xaxis.major_label_orientation = 1.0
        colours = get_theme(theme)
        self._mapper = LinearColorMapper(palette=list(colours.diverging), nan_color="rgba(0, 0, 0, 0)")
        self._image = ColumnDataSource({"image": [], "dw": [], "dh": []})
        self._cells = ColumnDataSource({name: [] for name in ("x", "y", "row", "context", "change", "group")})
        self._strip = ColumnDataSource({name: [] for name in ("x", "y", "width", "colour")})
        self._names = ColumnDataSource({name: [] for name in ("x", "y", "text")})
        self.layout.add_glyph(
            self._image, Image(image="image", x=0, y=0, dw="dw", dh="dh", color_mapper=self._mapper)
        )
        invisible = Rect(x="x", y="y", width=1, height=1, fill_alpha=0, line_alpha=0)
        cells = self.layout.add_glyph(self._cells, invisible)
        self.layout.add_glyph(
            self._strip,
            Rect(x="x", y="y", width="width", height=0.4, fill_color="colour", line_color=None),
        )
        self._text = Text(
            x="x",
            y="y",
            text="text",
            angle=0.75,
            text_font_size="11px",
            text_font=value(FONT),
            text_baseline="middle",
        )
        self.layout.add_glyph(self._names, self._text)
        self.layout.add_tools(
            hover_of(cells, [("", "@row"), ("@context", "@change{custom}"), ("", "@group")], change="+4")
        )
        self.set_theme(theme)

    def show(
        self, rows: Sequence[str], changes: NDArray[Any], columns: Literal["organs", "tissues"] = "organs"
    ) -> None:
        """Draw changes, shape (rows, contexts), the first row on top.

        Parameters
        ----------
        rows
            Names to read.
        changes
            In the order of the contexts.
        columns
            ``organs`` draws for each group of contexts the strongest of its changes; ``tissues`` each one.
        """
        values = np.asarray(changes, dtype=np.float32).reshape(len(rows), len(self._contexts))
        self._shown = list(rows), values, columns
        known = np.abs(values[np.isfinite(values)])
        self.limit = nice_ceiling(max(float(known.max(initial=0.0)), _LEAST_LIMIT))
        self._mapper.update(low=-self.limit, high=self.limit)
        if columns == "organs":
            self._draw_organs(list(rows), values)
        else:
            self._draw_tissues(list(rows), values)

    def height_of(self, rows: int, columns: str) -> int:
        """Return how many pixels a map of so many rows takes, over ``organs`` or ``tissues``."""
        return round(_BOTTOM + 4 + _ROW * (rows + _ABOVE[columns]))

    def _recolour(self) -> None:
        self.layout.xgrid.grid_line_color = self.layout.ygrid.grid_line_color = None
        self._mapper.palette = list(self._theme.diverging)
        self._text.text_color = self._theme.ink
        if self._shown is not None:
            self.show(*self._shown)  # type: ignore[arg-type]

    def _draw_tissues(self, rows: list[str], values: NDArray[np.float32]) -> None:
        labels = [c.label if len(c.label) <= _LONGEST_LABEL else c.name for c in self._contexts]
        full = np.array([context.label for context in self._contexts], dtype=object)
        names = np.tile(full, (len(rows), 1))
        groups = [context.group for context in self._contexts]
        self._draw(rows, values, labels, names, groups, _COLUMN, "tissues")
        starts, texts = [], []
        for group, members in groupby(enumerate(self._contexts), key=lambda pair: pair[1].group):
            places = [place for place, _ in members]
            starts.append((places[0] + places[-1] + 1) / 2)
            texts.append(group)
        y = [len(rows) + _STRIP + 0.1] * len(starts)
        self._names.data = {"x": starts, "y": y, "text": texts}

    def _draw_organs(self, rows: list[str], values: NDArray[np.float32]) -> None:
        groups, folded, strongest = fold_by_group(values, [context.group for context in self._contexts])
        labels = np.array([context.label for context in self._contexts], dtype=object)
        self._draw(rows, folded, groups, labels[strongest], groups, _ORGAN_COLUMN, "organs")
        self._names.data = {"x": [], "y": [], "text": []}

    def _draw(
        self,
        rows: list[str],
        values: NDArray[np.float32],
        labels: list[str],
        contexts: NDArray[np.object_],
        groups: list[str],
        width: int,
        kind: str,
    ) -> None:
        n_rows, n_columns = values.shape
        above = _ABOVE[kind]
        self.layout.update(
            width=_LEFT + _RIGHT + width * max(n_columns, 1),
            height=self.height_of(n_rows, kind),
        )
        self.layout.x_range.update(start=0, end=max(n_columns, 1))
        self.layout.y_range.update(start=0, end=max(n_rows + above, 1))
        there = n_rows and n_columns
        self._image.data = (
            {"image": [np.ascontiguousarray(values[::-1])], "dw": [n_columns], "dh": [n_rows]}
            if there
            else {"image": [], "dw": [], "dh": []}
        )
        column, row = np.meshgrid(np.arange(n_columns), np.arange(n_rows))
        self._cells.data = {
            "x": column.ravel() + 0.5,
            "y": n_rows - row.ravel() - 0.5,
            "row": [rows[index] for index in row.ravel().tolist()],
            "context": contexts.ravel().tolist(),
            "change": values.ravel(),
            "group": [groups[index] for index in column.ravel().tolist()],
        }
        colour = {context.group: context.colour for context in reversed(self._contexts)}
        # gaps between groups, so that they can be told apart without their colours
        self._strip.data = {
            "x": np.arange(n_columns) + 0.5,
            "y": [n_rows + 0.4] * n_columns,
            "width": [1.0 if same else 0.9 for same in _within(groups)],
            "colour": [legible(colour[group], self._theme, 3.0) for group in groups],
        }
        fixed_ticks(self.layout, "y", rows[::-1])
        fixed_ticks(self.layout, "x", labels)


def _within(groups: list[str]) -> list[bool]:
    """Tell of each column whether the next one is of the same group."""
    return [one == other for one, other in zip(groups, [*groups[1:], ""], strict=True)]

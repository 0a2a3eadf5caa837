"""Regulatory elements, in a row for each kind of cell that they are active in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, Quad
from numpy.typing import NDArray

from phenviz.genome.contexts import Context
from phenviz.genome.lineages import OTHER_TISSUES, lineage_of
from phenviz.genome.locus import Locus
from phenviz.results.palette import lineage_colours
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.viewport import LoadedInterval, View, x_of

if TYPE_CHECKING:
    from phenviz.genome.annotation import Annotation

_ROW_PIXELS, _LEAST_ROW, _MOST_ROW = 13, 9, 18
_MOST_SINGLE = 3_000
_LISTED = 6


class Elements(Track):
    """Elements of the annotation: one by one, or their density where they are too many to tell apart."""

    name = "elements"
    title = "Regulatory elements"

    def __init__(self, axis: Axis, theme: Theme, annotation: Annotation) -> None:
        self._lineages, self._member = annotation.element_lineages
        n_rows = len(self._lineages)
        super().__init__(axis, theme, n_rows * _ROW_PIXELS, (0, n_rows))
        self.resize(n_rows * _ROW_PIXELS, n_rows * _LEAST_ROW, n_rows * _MOST_ROW)
        self._annotation = annotation
        self._row_colours = lineage_colours(())
        self._boxes = ColumnDataSource({})
        box = Quad(
            left="left", right="right", bottom="bottom", top="top", fill_color="colour", line_color="colour",
            fill_alpha="alpha", line_alpha="alpha", line_width=0.5,
        )  # fmt: skip
        boxes = self.figure.add_glyph(self._boxes, box)
        self.add_hover(boxes, [("", "@name"), ("where", "@where"), ("active in", "@cell_types")])

    def set_contexts(self, contexts: Sequence[Context]) -> None:
        """Take the colours of lineages from the contexts, so that one hue means one lineage everywhere."""
        colours = lineage_colours((context.group, context.colour) for context in contexts)
        if colours != self._row_colours:
            self._row_colours = colours
            self.reload()

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the elements of an interval."""
        colours = [
            legible(self._row_colours.get(row, self.theme.muted), self.theme) for row in self._lineages
        ]
        self.name_rows(self._lineages, colours, 10)
        table = self._annotation.elements_in(loaded.locus)
        member = self._member[table.index.to_numpy()]
        single = len(table) <= _MOST_SINGLE
        self._boxes.data = (
            self._one_by_one(table, member) if single else self._density(table, member, loaded, view)
        )
        nothing = "No regulatory element is known here" if len(self._annotation.elements) else (
            "This world has no regulatory elements: set 'elements' in its project.yaml"
        )  # fmt: skip
        self.say(
            description="by the cells they are active in",
            note="" if single else "density; zoom in for single elements",
            empty="" if len(table) else nothing,
        )

    def _colour(self, row: int) -> str:
        return self._row_colours.get(self._lineages[row], self.theme.neutral)

    def _one_by_one(self, table: pd.DataFrame, member: NDArray[np.bool_]) -> dict[str, Any]:
        which, row = np.nonzero(member)
        starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
        contigs = table["contig"].to_numpy()
        texts = [_listed(str(names).split("|")) for names in table["cell_types"]]
        where = [str(Locus(c, int(s), int(e))) for c, s, e in zip(contigs, starts, ends, strict=True)]
        names = table["name"].astype(str).to_numpy()
        return self._columns(starts[which], ends[which], row, np.full(len(which), 0.9)) | {
            "name": names[which],
            "where": np.array(where, dtype=object)[which],
            "cell_types": np.array(texts, dtype=object)[which],
        }

    def _density(
        self, table: pd.DataFrame, member: NDArray[np.bool_], loaded: LoadedInterval, view: View
    ) -> dict[str, Any]:
        size = max(int(2 * view.bases_per_pixel), 1)
        first = loaded.locus.start // size
        place = ((table["start"] + table["end"]) // 2 // size - first).to_numpy()
        counts = np.zeros((member.shape[1], int(place.max()) + 1))
        for lineage in range(member.shape[1]):
            np.add.at(counts[lineage], place[member[:, lineage]], 1)
        row, column = np.nonzero(counts)
        start = (column + first) * size
        count = counts[row, column]
        alpha = 0.25 + 0.75 * np.minimum(count / max(np.quantile(count, 0.95), 1), 1)
        where = [f"about {begin + size // 2:,}" for begin in start]
        return self._columns(start, start + size, row, alpha) | {
            "name": [f"{int(number)} element{'s' if number > 1 else ''}" for number in count],
            "where": where,
            "cell_types": [self._lineages[index] for index in row],
        }

    def _columns(
        self,
        start: NDArray[np.int64],
        end: NDArray[np.int64],
        row: NDArray[np.int64],
        alpha: NDArray[np.float64],
    ) -> dict[str, Any]:
        top = len(self._lineages) - row
        palette = np.array([self._colour(index) for index in range(len(self._lineages))], dtype=object)
        return {
            "left": x_of(start),
            "right": x_of(end),
            "bottom": top - 0.86,
            "top": top - 0.14,
            "colour": palette[row],
            "alpha": alpha,
        }


def _listed(names: list[str]) -> str:
    if len(names) <= _LISTED:
        return ", ".join(names)
    blood_first = sorted(names, key=lambda name: lineage_of(name) == OTHER_TISSUES)
    return f"{', '.join(blood_first[:_LISTED])} and {len(names) - _LISTED} more"

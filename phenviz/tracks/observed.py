"""Observed accessibility: measured ATAC-seq peaks of each context, beside what the model predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import bare_contig
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import HeatMap, number_hover
from phenviz.tracks.overlay import Scale
from phenviz.tracks.theme import Theme, legible
from phenviz.tracks.view import Stretch, View, nice_ceiling

_COLUMNS = ("contig", "start", "end", "context", "fold_enrichment")
_ROW_PIXELS, _LEAST_PIXELS = 8, 48


class Observed(Track):
    """Peaks as a heat map of their fold enrichment."""

    name = "observed"
    title = "Observed ATAC peaks"

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 16 * _ROW_PIXELS, (0, 16))
        self._peaks: pd.DataFrame | None = None
        self._contexts: Sequence[Context] = ()
        self._heat = HeatMap(self, theme.sequential)
        self.add_hover(
            self._heat.renderer,
            [("", "$y{custom}"), ("fold enrichment", "@image{custom}"), ("position", "$x{custom}")],
            number_hover("Math.expm1(value)"),
        )

    def set_peaks(self, peaks: pd.DataFrame | None) -> None:
        """Draw the peaks of this contig (`of_contig`)."""
        self._peaks = peaks
        self.reload()

    def set_contexts(self, contexts: Sequence[Context]) -> None:
        """Choose the contexts that are drawn."""
        self._contexts = tuple(contexts)
        n = max(len(self._contexts), 1)
        self.resize(max(n * _ROW_PIXELS, _LEAST_PIXELS))
        self.y_range.update(start=0, end=n)
        self._name_rows()
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._heat.mapper.palette = list(theme.sequential)
        self._name_rows()
        super().restyle(theme)

    def load(self, stretch: Stretch, view: View) -> None:
        """Paint the peaks of a stretch, the strongest of those that share a pixel on top."""
        if self._peaks is None or not self._contexts:
            self._heat.clear()
            return
        near = self._peaks[
            (self._peaks["start"] < stretch.locus.end) & (self._peaks["end"] > stretch.locus.start)
        ]
        names = [context.name for context in self._contexts]
        edges, values = paint_peaks(near, names, stretch, stretch.points(view.pixels))
        high = nice_ceiling(float(self._peaks["fold_enrichment"].quantile(0.98)))
        self._heat.mapper.update(low=0, high=math.log1p(high))
        self._heat.show(edges, np.log1p(values))
        self.say(
            description="fold enrichment, measured"
            + ("" if edges[1] - edges[0] < 128 else ", maximum in a pixel"),
            empty="" if len(near) else "No peak was observed here",
            scale=Scale("0", self.theme.sequential, f"{high:g}"),
        )

    def _name_rows(self) -> None:
        names = [context.name for context in self._contexts]
        self.name_rows(names, [legible(c.colour, self.theme) for c in self._contexts], 8.5)


def of_contig(peaks: pd.DataFrame, contig: str) -> pd.DataFrame:
    """Return the peaks of a contig, sorted by start.

    Raises
    ------
    DataError
        If a column is missing.
    """
    if missing := [name for name in _COLUMNS if name not in peaks.columns]:
        raise DataError(f"the table of observed peaks lacks the column {missing[0]!r}: it needs {_COLUMNS}")
    here = peaks["contig"].astype(str).map(bare_contig) == bare_contig(contig)
    return peaks.loc[here, list(_COLUMNS)].sort_values("start").reset_index(drop=True)


def paint_peaks(
    peaks: pd.DataFrame, contexts: Sequence[str], stretch: Stretch, points: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Paint intervals onto even points.

    Returns
    -------
    edges
        Borders of the points in bases, shape (n + 1,).
    values
        Largest fold enrichment of the peaks that touch a point, 0 where none does, shape (contexts, n).
    """
    size = max(-(-stretch.locus.length // points), 1)
    first, last = stretch.locus.start // size, -(-stretch.locus.end // size)
    values = np.zeros((len(contexts), last - first), dtype=np.float32)
    row_of = {name: row for row, name in enumerate(contexts)}
    rows = peaks["context"].map(row_of).to_numpy(float)
    left = np.maximum(peaks["start"].to_numpy() // size - first, 0)
    right = np.minimum(-(-peaks["end"].to_numpy() // size) - first, last - first)
    for row, begin, end, fold in zip(rows, left, right, peaks["fold_enrichment"], strict=True):
        if row == row:
            span = values[int(row), begin:end]
            np.maximum(span, fold, out=span)
    return np.arange(first, last + 1, dtype=np.int64) * size, values

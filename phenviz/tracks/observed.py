"""Observed accessibility: measured ATAC-seq peaks of each context, beside what the model predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from phenviz.genome.contexts import Context
from phenviz.genome.intervals import overlapping
from phenviz.genome.locus import Locus
from phenviz.genome.peak_signal import signal_of_contexts
from phenviz.results.display import Colouring, Display
from phenviz.results.painted_peaks import average_peaks, paint_peaks
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.heat import LOG_COLOURS, HeatMap, number_hover
from phenviz.tracks.overlay import Scale
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import AVERAGED_FROM, LoadedInterval, View, mean_over, nice_ceiling

_ROW_PIXELS, _LEAST_ROW, _MOST_ROW = 10, 4, 18
# a bin of the predicted activity
_BIN = 128
# where the colour scale ends, among peaks and among means over a pixel
_QUANTILE, _MEAN_QUANTILE = 0.98, 0.995


class Observed(Track):
    """Peaks as a heat map of their fold enrichment; far out, the mean over each pixel, 0 between peaks."""

    name = "observed"
    title = "Observed ATAC peaks"

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, 16 * _ROW_PIXELS, (0, 16))
        self._peaks: pd.DataFrame | None = None
        self._highs: dict[int, float] = {}
        self._measured: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._high = 1.0
        self._drawn: Colouring | None = None
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
        self._highs = {}
        if peaks is not None:
            self._high = nice_ceiling(float(peaks["fold_enrichment"].quantile(_QUANTILE)))
            self._measured, _ = signal_of_contexts(peaks)
            self._known = frozenset(peaks["context"].unique())
        self.reload()

    def set_contexts(self, contexts: Sequence[Context]) -> None:
        """Choose the contexts that are drawn."""
        self._contexts = tuple(contexts)
        n = max(len(self._contexts), 1)
        self.resize(max(n * _ROW_PIXELS, 24), max(n * _LEAST_ROW, 24), max(n * _MOST_ROW, 60))
        self.y_range.update(start=0, end=n)
        self._name_rows()
        self.reload()

    def tell(self, display: Display) -> Display:
        """Add how peaks are coloured."""
        return replace(display, observed=self._drawn)

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._heat.mapper.palette = list(theme.sequential)
        self._name_rows()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Paint the peaks of an interval, the strongest of those that share a pixel on top."""
        if self._peaks is None or not self._contexts:
            self._heat.clear()
            return
        near = self._peaks[overlapping(self._peaks, loaded.locus)]
        names = [context.name for context in self._contexts]
        points = loaded.points(view.pixels)
        # on the same grid as the predicted activity, so that both change at the same zoom
        level = math.ceil(math.log2(max(loaded.locus.length / points / _BIN, 1)))
        bases = _BIN * 2**level
        averaged = 2**level >= AVERAGED_FROM
        if averaged:
            edges, values = average_peaks(near, names, loaded.locus, bases)
        else:
            edges, values = paint_peaks(near, names, loaded.locus, points)
        high = self._high_of_means(bases, view.contig_length) if averaged else self._high
        self._drawn = Colouring(high, bases if averaged else 0, averaged)
        self._heat.mapper.update(low=0, high=math.log1p(high))
        self._heat.show(edges, np.log1p(values))
        coarse = mean_over(bases) if averaged else "maximum in a pixel"
        unknown = [name for name in names if name not in self._known]
        called = [name for name in near["context"].unique() if name not in self._measured and name in names]
        presence = f"; presence only, at the median, in {', '.join(called)}" if called else ""
        self.say(
            description=f"{LOG_COLOURS}, fold enrichment measured{f', {coarse}' if level else ''}{presence}",
            # an empty row alone would say that nothing is open there
            note=f"not measured in {', '.join(unknown)}" if unknown else "",
            empty="" if len(near) else "No peak was observed here",
            scale=Scale("0", self.theme.sequential, f"{high:g}"),
        )

    def _high_of_means(self, bases: int, contig_length: int) -> float:
        """End of the colour scale at a zoom level: that of the whole contig, whatever part is looked at."""
        if bases not in self._highs and self._peaks is not None:
            whole = Locus("", 0, contig_length)
            _, means = average_peaks(self._peaks, self._peaks["context"].unique(), whole, bases)
            self._highs[bases] = nice_ceiling(float(np.quantile(means, _MEAN_QUANTILE)))
        return self._highs[bases]

    def _name_rows(self) -> None:
        self.name_contexts(self._contexts, 8.5)

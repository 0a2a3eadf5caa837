"""Intervals of a contig tinted across a track: what was computed otherwise, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from bokeh.models import ColumnDataSource, VStrip

from phenviz.genome.locus import Locus
from phenviz.tracks.frame import Track
from phenviz.tracks.viewport import x_of


class TintedIntervals:
    """Tinted intervals, at least a line wide however far one zooms out.

    Parameters
    ----------
    track
        Whose figure they lie in, under what is drawn later.
    """

    def __init__(self, track: Track) -> None:
        self.source = ColumnDataSource({"x0": [], "x1": []})
        self._strip = VStrip(x0="x0", x1="x1", fill_alpha=0.12, line_alpha=0.12)
        track.figure.add_glyph(self.source, self._strip)

    def show(self, intervals: Sequence[tuple[int, int]], locus: Locus) -> None:
        """Tint those of the intervals (0-based half-open) that overlap a locus."""
        here = [(start, end) for start, end in intervals if start < locus.end and end > locus.start]
        drawn = {
            "x0": [x_of(float(max(start, locus.start))) for start, _ in here],
            "x1": [x_of(float(min(end, locus.end))) for _, end in here],
        }
        if drawn != self.source.data:
            self.source.data = drawn

    def clear(self) -> None:
        """Tint nothing."""
        if len(self.source.data["x0"]):
            self.source.data = {"x0": [], "x1": []}

    def restyle(self, colour: str) -> None:
        """Change the colour."""
        self._strip.update(fill_color=colour, line_color=colour)

"""Stripes over a track where nothing is known: an empty place isn't one without variants."""

from __future__ import annotations

from collections.abc import Sequence

from bokeh.models import ColumnDataSource, VStrip
from bokeh.plotting import figure

from phenviz.genome.locus import Locus
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import x_of


class Unknown:
    """Stripes over the whole height of a track.

    Parameters
    ----------
    drawn_on
        The track's figure.
    theme
        Colours.
    """

    def __init__(self, drawn_on: figure, theme: Theme) -> None:
        self._places = ColumnDataSource({"x0": [], "x1": []})
        self._strip = VStrip(
            x0="x0", x1="x1", line_color=None, fill_alpha=0.1, hatch_pattern="right_diagonal_line",
            hatch_alpha=0.35, hatch_scale=9, hatch_weight=0.8,
        )  # fmt: skip
        drawn_on.add_glyph(self._places, self._strip, level="overlay")
        self.restyle(theme)

    def set(self, loci: Sequence[Locus]) -> None:
        """Draw other places."""
        data = {"x0": [x_of(one.start) for one in loci], "x1": [x_of(one.end) for one in loci]}
        if data != self._places.data:
            self._places.data = data

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._strip.fill_color = self._strip.hatch_color = theme.muted

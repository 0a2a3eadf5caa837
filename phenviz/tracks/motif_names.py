"""Names of known motifs under the letters of a logo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Range1d, Segment, Text

from phenviz.genome.packing import pack_in_order
from phenviz.results.display import MotifMatch
from phenviz.tracks.frame import Track
from phenviz.tracks.theme import FONT, Theme
from phenviz.tracks.viewport import View, x_of

_ROWS = 2
_LETTER_PIXELS, _GAP_PIXELS = 6.5, 8
_RANGE = "motifs"


class MotifNames:
    """Bars as wide as motifs, with their names below, at the bottom of a track whatever its y axis.

    Parameters
    ----------
    track
        Whose figure they lie in.
    """

    def __init__(self, track: Track) -> None:
        self.source = ColumnDataSource({name: [] for name in ("left", "right", "y", "name")})
        track.figure.extra_y_ranges = {_RANGE: Range1d(0, 1)}
        self._bar = Segment(x0="left", x1="right", y0="y", y1="y", line_width=3)
        self._name = Text(
            x="left", y="y", text="name", text_font=value(FONT), text_font_size="10px", text_baseline="top",
            y_offset=2,
        )  # fmt: skip
        for glyph in (self._bar, self._name):
            track.figure.add_glyph(self.source, glyph, y_range_name=_RANGE)
        self.restyle(track.theme)

    def show(self, motifs: Sequence[MotifMatch], view: View, share: float) -> None:
        """Name those in a view, within a share of the height; others than the first where there is room."""
        # without room below the data, as where letters can't be read, names would only be in the way
        near = motifs if share > 0 else ()
        here = [motif for motif in near if motif.start < view.end and motif.end > view.start]
        begins = np.array([max(motif.start, view.start) for motif in here], dtype=float)
        ends = np.array([min(motif.end, view.end) for motif in here], dtype=float)
        wide = np.array([len(motif.name) * _LETTER_PIXELS + _GAP_PIXELS for motif in here])
        rows = pack_in_order(begins, np.maximum(ends, begins + wide * view.bases_per_pixel), _ROWS)
        kept = np.flatnonzero(rows >= 0).tolist()
        self.source.data = {
            "left": x_of(begins[kept]),
            "right": x_of(ends[kept]),
            "y": [share * (0.92 - int(rows[index]) / _ROWS) for index in kept],
            "name": [here[index].name for index in kept],
        }

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self._bar.line_color = theme.muted
        self._name.text_color = theme.ink

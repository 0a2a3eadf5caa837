"""Fine-mapped variants of traits: how probably each is the causal one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, Scatter, Segment

from phenviz.genome.locus import Locus
from phenviz.genome.true_minus import true_minus
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import LoadedInterval, View, x_of

_HEIGHT, _LEAST, _MOST = 44, 26, 80
# where there is none in view, the header says so
_FOLDED = 2
_ROOM = 1.12
_MOST_POINTS = 3_000
_COLUMNS = ("x", "y", "name", "where", "trait", "posterior")


class FineMapped(Track):
    """A dot for each trait and variant, as high as its posterior probability."""

    name = "finemapped"
    title = "Fine-mapped variants"
    tinted = True

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, _HEIGHT, (0, _ROOM))
        self.resize(_HEIGHT, _LEAST, _MOST)
        self._table: pd.DataFrame | None = None
        self._left_out = 0
        self._dots = ColumnDataSource({name: [] for name in _COLUMNS})
        self._stem = Segment(x0="x", x1="x", y0=0, y1="y", line_width=1, line_alpha=0.5)
        self._dot = Scatter(x="x", y="y", size=7, line_color=None, fill_alpha=0.8)
        self.figure.add_glyph(self._dots, self._stem)
        dots = self.figure.add_glyph(self._dots, self._dot)
        told = [("", "@name"), ("", "@where"), ("trait", "@trait"), ("posterior", "@posterior")]
        self.add_hover(dots, told)
        self._paint()

    def set_table(self, table: pd.DataFrame | None) -> None:
        """Draw the variants of this contig: columns position (from 1), ref, alt, id, trait, posterior."""
        self._table = table
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the variants of an interval; of very many, the most probable."""
        near = seen(self._table, loaded.locus)
        self._left_out = max(len(near) - _MOST_POINTS, 0)
        near = near.nlargest(_MOST_POINTS, "posterior") if self._left_out else near
        rows = near[["position", "ref", "alt"]].itertuples(index=False)
        self._dots.data = {
            "x": x_of(near["position"].to_numpy(float) - 0.5),
            "y": near["posterior"].to_numpy(float),
            "name": near["id"].where(near["id"] != "", "no rsID").tolist(),
            "where": [f"{position:,} {ref[:20]}>{alt[:20]}" for position, ref, alt in rows],
            "trait": near["trait"].tolist(),
            "posterior": [true_minus(f"{value:.3g}") for value in near["posterior"]],
        }

    def follow(self, view: View) -> None:
        """Say what is drawn, or that there is nothing."""
        here = seen(self._table, view.locus)
        note = f"the {_MOST_POINTS:,} most probable drawn; zoom in" if self._left_out else ""
        traits = here["trait"].nunique()
        told = f"posterior of being causal · {traits:,} trait{'s' * (traits != 1)} in view" if traits else ""
        self.say(description=told or "none here", note=note)

    def fit(self, view: View) -> None:
        """Take room only where there is something on screen."""
        some = len(seen(self._table, view.locus)) > 0
        self.resize(*((_HEIGHT, _LEAST, _MOST) if some else (_FOLDED,)))
        ticks = tuple((text, value / _ROOM) for text, value in (("0", 0.0), ("1", 1.0)))
        self.overlay.set(ticks=ticks if some else ())

    def _paint(self) -> None:
        self._dot.fill_color = self._stem.line_color = self.theme.accent


def seen(table: pd.DataFrame | None, locus: Locus) -> pd.DataFrame:
    """Return the variants within a locus; the table is of its contig."""
    if table is None:
        return pd.DataFrame({name: [] for name in ("position", "ref", "alt", "id", "trait", "posterior")})
    place = table["position"].to_numpy() - 1
    return table[np.asarray((place >= locus.start) & (place < locus.end))]

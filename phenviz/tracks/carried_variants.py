"""The variants that a person carries, on which of the two haplotypes, and what they do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, Scatter, Segment
from numpy.typing import NDArray

from phenviz.genome.locus import Locus
from phenviz.genome.true_minus import true_minus
from phenviz.results.haplotypes import reaching
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.haplotypes import centre_of
from phenviz.tracks.theme import Theme
from phenviz.tracks.viewport import LoadedInterval, View, nice_ceiling

# in the column ``carried``: nobody knows on which haplotype
UNPHASED = "unphased"
_HEIGHT = 56
_MOST = 2_000
_MOST_LETTERS = 20
_ROWS = ("haplotype 1", "haplotype 2")


class Carried(Track):
    """A dot for each variant on its haplotype, coloured by its effect, and a line over what it replaces."""

    name = "variants"
    title = "Variants"

    def __init__(self, axis: Axis, theme: Theme) -> None:
        super().__init__(axis, theme, _HEIGHT, (0, 2))
        self._table: pd.DataFrame | None = None
        self._empty = self._unknown = ""
        self._read: Locus | None = None
        self._dots = ColumnDataSource({"x": [], "y": [], "end": [], "colour": []})
        self._dot = Scatter(x="x", y="y", size=9, fill_color="colour", line_width=0.8)
        self._line = Segment(x0="x", y0=0, x1="x", y1=2, line_width=1, line_alpha=0.25)
        self._reach = Segment(x0="x", y0="y", x1="end", y1="y", line_width=2)
        self.figure.add_glyph(self._dots, self._line)
        self.figure.add_glyph(self._dots, self._reach)
        dots = self.figure.add_glyph(self._dots, self._dot)
        self.add_hover(
            dots, [("", "@name"), ("", "@where @change"), ("carried by", "@by"), ("@context", "@effect")]
        )
        self._paint()

    def set_table(
        self, table: pd.DataFrame | None, empty: str = "", *, unknown: str = "", read: Locus | None = None
    ) -> None:
        """Draw other variants.

        Parameters
        ----------
        table
            Columns position (from 1), ref, alt, id, haplotype_1, haplotype_2, carried (in words), effect
            (NaN where it isn't known) and context (whose effect it is).
        empty
            What is said where there are none.
        unknown
            Of which bases nothing is known, in words; "" where of none.
        read
            What the table was read of, beyond which it says nothing; None where it holds all there is.
        """
        self._table, self._empty, self._unknown, self._read = table, empty, unknown, read
        self.reload()

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint()
        super().restyle(theme)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Draw the variants of an interval; where they are too many, those that do most."""
        table = self._table
        if table is None or table.empty:
            self._dots.data = {"x": [], "y": [], "end": [], "colour": []}
            return
        inside = table[reaching(table, loaded.locus)]
        if len(inside) > _MOST:
            order = np.argsort(-inside["effect"].abs().fillna(0).to_numpy(), kind="stable")
            inside = inside.iloc[order[:_MOST]]
        limit = nice_ceiling(max(float(table["effect"].abs().max(skipna=True) or 0), 0.02))
        parts = [self._columns(inside, limit, *part) for part in self._parts(inside)]
        self._dots.data = {name: [one for part in parts for one in part[name]] for name in parts[0]}

    def follow(self, view: View) -> None:
        """Say how many there are."""
        read = self._read
        if read is not None and not (read.start <= view.locus.start and view.locus.end <= read.end):
            self.say(empty="Reading genotypes…" if self._table is None or self._table.empty else "")
            return
        if self._table is None or self._table.empty:
            self.say(note=self._unknown, empty=self._empty)
            return
        here = reaching(self._table, view.locus)
        count = int(here.sum())
        self.say(
            description="red raises, blue lowers the activity, where it changes most",
            note=f"{count:,} carried in this view" + (", which isn't covered whole" if self._unknown else ""),
            empty="" if count else "No variant is carried in this view",
        )

    def _parts(self, table: pd.DataFrame) -> list[tuple[NDArray[np.bool_], float]]:
        """Which variants stand on which height; those of unknown phase stand between the haplotypes."""
        unknown = (table["carried"] == UNPHASED).to_numpy()
        on = [(table[f"haplotype_{number}"] == 1).to_numpy() & ~unknown for number in (1, 2)]
        return [(on[0], 1.5), (on[1], 0.5), (unknown, 1.0)]

    def _columns(
        self, table: pd.DataFrame, limit: float, rows: NDArray[np.bool_], height: float
    ) -> dict[str, list]:
        one = table[rows]
        return {
            "x": [centre_of(int(position)) for position in one["position"]],
            "y": [height] * len(one),
            "end": [
                centre_of(int(position) + len(ref) - 1)
                for position, ref in zip(one["position"], one["ref"], strict=True)
            ],
            "colour": self._colours(one["effect"].to_numpy(float), limit),
            "name": one["id"].where(one["id"] != "", "no rsID").tolist(),
            "where": [f"{int(position):,}" for position in one["position"]],
            "change": [
                f"{_short(ref)}>{_short(alt)}" for ref, alt in zip(one["ref"], one["alt"], strict=True)
            ],
            "by": one["carried"].tolist(),
            "context": one["context"].tolist(),
            "effect": [
                "not computed" if value != value else true_minus(f"{value:+.3f}") for value in one["effect"]
            ],
        }

    def _colours(self, effects: NDArray[np.float64], limit: float) -> list[str]:
        palette = self.theme.diverging
        steps = (np.clip(np.nan_to_num(effects) / limit, -1, 1) + 1) / 2 * (len(palette) - 1)
        return [palette[round(step)] for step in steps]

    def _paint(self) -> None:
        self._dot.line_color = self.theme.muted
        self._line.line_color = self._reach.line_color = self.theme.muted
        self.name_rows(_ROWS, [self.theme.haplotypes[0], self.theme.haplotypes[1]], 11)


def _short(allele: str) -> str:
    return allele if len(allele) <= _MOST_LETTERS else f"{allele[:_MOST_LETTERS]}... ({len(allele):,} bases)"

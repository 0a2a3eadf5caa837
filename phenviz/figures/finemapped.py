"""Fine-mapped variants of traits, as high as their posterior probability."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from phenviz.figures.component import ScaledComponent, value_scale
from phenviz.figures.style import ACCENT
from phenviz.genome.locus import Locus, on_contig

_ROOM = 1.12


class FineMapped(ScaledComponent):
    """A dot for each trait and variant.

    Parameters
    ----------
    variants
        Columns contig, position (from 1), posterior.
    """

    def __init__(self, variants: pd.DataFrame, *, height_mm: float = 10.0) -> None:
        self.label = "Fine-mapped\nvariants"
        self._variants = variants
        self._height_mm = height_mm

    def height(self, locus: Locus, width_mm: float) -> float:
        """Return the fixed height; 0 where the locus holds none."""
        return self._height_mm if len(self.inside(locus)) else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw dots on stems."""
        here = self.inside(locus)
        places = here["position"].to_numpy() - 0.5
        ax.vlines(places, 0, here["posterior"], color=ACCENT, linewidth=0.5, alpha=0.5)
        ax.scatter(places, here["posterior"], s=6, color=ACCENT, linewidths=0, alpha=0.8)
        value_scale(ax, 0, _ROOM, "posterior")
        ax.set_xlim(locus.start, locus.end)

    def inside(self, locus: Locus) -> pd.DataFrame:
        """Return the variants within a locus."""
        table = self._variants
        same = on_contig(table["contig"], locus.contig)
        return table[same & (table["position"] > locus.start) & (table["position"] <= locus.end)]

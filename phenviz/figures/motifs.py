"""Names of known motifs under the letters of a logo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from phenviz.figures.component import Component, axes_mm
from phenviz.figures.style import INK, MUTED, SMALL_PT, text_width_mm
from phenviz.genome.locus import Locus
from phenviz.genome.packing import pack_in_order
from phenviz.results.display import MotifMatch

_ROW_MM, _ROWS = 3.4, 3


class MotifRow(Component):
    """Bars as wide as motifs, with their names below; the first ones first, others where there is room.

    Parameters
    ----------
    motifs
        The best first.
    """

    def __init__(self, motifs: Sequence[MotifMatch]) -> None:
        self.label = "Motifs"
        self._motifs = tuple(motifs)

    def height(self, locus: Locus, width_mm: float) -> float:
        """As many rows as the names need, at most three; 0 where the locus holds none."""
        _, rows = self._placed(locus, width_mm)
        return _ROW_MM * (int(rows.max()) + 1) if len(rows) else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw bars and names."""
        width, height = axes_mm(ax)
        ax.set_ylim(height, 0)
        here, rows = self._placed(locus, width)
        for motif, row in zip(here, rows.tolist(), strict=True):
            if row < 0:
                continue
            left, right = max(motif.start, locus.start), min(motif.end, locus.end)
            y = row * _ROW_MM + 0.5
            ax.plot([left, right], [y, y], color=MUTED, linewidth=1.6, solid_capstyle="butt")
            ax.text(left, y + 0.5, motif.name, va="top", fontsize=SMALL_PT, color=INK)

    def _placed(self, locus: Locus, width_mm: float) -> tuple[list[MotifMatch], NDArray[np.int64]]:
        here = [motif for motif in self._motifs if motif.start < locus.end and motif.end > locus.start]
        if not here:
            return here, np.zeros(0, dtype=np.int64)
        scale = locus.length / width_mm
        left = np.array([max(motif.start, locus.start) for motif in here], dtype=float)
        names = np.array([text_width_mm(motif.name, SMALL_PT) + 1.0 for motif in here]) * scale
        right = np.maximum([min(motif.end, locus.end) for motif in here], left + names)
        return here, pack_in_order(left, right, _ROWS)

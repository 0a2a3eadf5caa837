"""Where we are: the ruler, and the chromosome with its window."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle

from phenviz.figures.component import Component, axes_mm
from phenviz.figures.style import ACCENT, INK, MUTED, text_width_mm
from phenviz.genome.locus import Locus, shown_contig
from phenviz.genome.ticks import position_ticks, scale_bar

# shades of the Giemsa stain, as on a printed ideogram but lighter
_STAINS = {
    "gneg": "#ffffff",
    "gpos25": "#d9dde1",
    "gpos33": "#cfd4d9",
    "gpos50": "#b4bbc2",
    "gpos66": "#9aa3ac",
    "gpos75": "#8a949e",
    "gpos100": "#66717c",
    "gvar": "#c3c9cf",
    "stalk": "#e4e7ea",
}


class Ruler(Component):
    """Positions (1-based) along the top, and a bar that shows the scale.

    Parameters
    ----------
    assembly
        Written below the contig's name.
    """

    def __init__(self, contig: str, assembly: str = "") -> None:
        self.label = shown_contig(contig) + (f"\n{assembly}" if assembly else "")

    def height(self, locus: Locus, width_mm: float) -> float:
        """Two lines of text, ticks and the axis."""
        return 7.5

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw axis, ticks with labels, and the scale bar above."""
        width, height = axes_mm(ax)
        ax.set_ylim(0, height)
        ax.plot([locus.start, locus.end], [0.3, 0.3], color=MUTED, linewidth=0.6, solid_capstyle="butt")
        for position, label in self._ticks(locus, width):
            ax.plot([position, position], [0.3, 1.3], color=MUTED, linewidth=0.6)
            ax.text(position, 1.7, label, ha="center", va="bottom")
        length, text = scale_bar(locus.length, 0.2)
        scale = locus.length / width
        end = locus.end - (text_width_mm(text) + 1.2) * scale
        y = height - 1.2
        ax.plot([end - length, end], [y, y], color=INK, linewidth=1.2, solid_capstyle="butt")
        ax.text(end + 1.0 * scale, y, text, ha="left", va="center_baseline")

    def _ticks(self, locus: Locus, width: float) -> list[tuple[float, str]]:
        """Ticks whose labels have room; a label over the edge is left out."""
        scale = locus.length / width
        for most in range(8, 0, -1):
            positions, labels = position_ticks(locus.start, locus.end, most)
            if not labels:
                return []
            widest = max(text_width_mm(label) for label in labels) * scale
            step = positions[1] - positions[0] if len(positions) > 1 else locus.length
            if step >= widest + 3 * scale or most == 1:
                break
        half = widest / 2
        kept = zip(positions + 0.5, labels, strict=True)
        return [
            (p, text) for p, text in kept if p - half >= locus.start - 2 * scale and p + half <= locus.end
        ]


class Ideogram(Component):
    """The whole contig with its bands, and the window on it.

    Parameters
    ----------
    bands
        Cytobands of the contig: start, end, name, stain. The last one ends the contig.
    """

    def __init__(self, bands: pd.DataFrame) -> None:
        self.bands = bands
        self.label = "Ideogram"
        self.shares_axis = False

    def height(self, locus: Locus, width_mm: float) -> float:
        """One thin bar; none without bands."""
        return 3.2 if len(self.bands) else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw bands, centromere and the window."""
        length = int(self.bands["end"].max())
        ax.set_xlim(0, length)
        ax.set_ylim(-0.25, 1.25)
        arms: list[tuple[int, int]] = []
        columns = (self.bands[column].tolist() for column in ("start", "end", "name", "stain"))
        for start, end, name, stain in zip(*columns, strict=True):
            if stain == "acen":
                # p arm's half narrows to the right, q arm's to the left
                tip, flat = (end, start) if str(name).startswith("p") else (start, end)
                corners = [(flat, 0), (flat, 1), (tip, 0.5)]
                ax.add_patch(Polygon(corners, facecolor="#c9a9a6", edgecolor=MUTED, linewidth=0.4))
                continue
            colour = _STAINS.get(stain, "#ffffff")
            ax.add_patch(Rectangle((start, 0), end - start, 1, facecolor=colour, linewidth=0))
            if arms and arms[-1][1] == start:
                arms[-1] = (arms[-1][0], end)
            else:
                arms.append((start, end))
        for start, end in arms:
            ax.add_patch(
                Rectangle((start, 0), end - start, 1, facecolor="none", edgecolor=MUTED, linewidth=0.4)
            )
        width = max(locus.length, 0.5 * length / axes_mm(ax)[0])
        tint = "none" if locus.length > 0.9 * length else ACCENT
        for face, edge, alpha in ((tint, "none", 0.35), ("none", ACCENT, 1.0)):
            ax.add_patch(
                Rectangle(
                    (locus.centre - width / 2, -0.2), width, 1.4, facecolor=face, edgecolor=edge, alpha=alpha,
                    linewidth=0.9, clip_on=False,
                )
            )  # fmt: skip

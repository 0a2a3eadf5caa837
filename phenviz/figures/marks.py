"""What crosses all tracks: lines at variants, and tinted intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from phenviz.figures.component import axes_mm
from phenviz.figures.style import ACCENT, MM_PER_POINT, TEXT_PT, text_width_mm
from phenviz.genome.locus import Locus
from phenviz.genome.packing import pack_rows


class Overlay(ABC):
    """Something drawn across all tracks.

    Attributes
    ----------
    head_mm
        Height in mm that it needs above the first track.
    above
        Whether it is drawn over the tracks, or behind them.
    """

    head_mm: float = 0.0
    above: bool = True

    @abstractmethod
    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw into axes over all tracks: x in bases (0-based), y from 0 to 1."""


class VariantMarks(Overlay):
    """A line through all tracks at each variant.

    Parameters
    ----------
    positions
        0-based positions.
    labels
        What to write above them (``rs6116042 T>A``); none by default.
    colour
        Of line and label.
    """

    above = True

    def __init__(self, positions: Sequence[int], labels: Sequence[str] = (), *, colour: str = ACCENT) -> None:
        self.positions = tuple(int(position) for position in positions)
        self.labels = tuple(labels)
        if self.labels and len(self.labels) != len(self.positions):
            raise ValueError(f"{len(self.positions)} positions, but {len(self.labels)} labels")
        self.colour = colour
        self.head_mm = 4.0 if self.labels else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw lines, and labels where there is room for them."""
        inside = [index for index, p in enumerate(self.positions) if locus.start <= p < locus.end]
        for index in inside:
            ax.axvline(self.positions[index] + 0.5, color=self.colour, linewidth=0.6, dashes=(4, 2))
        if not self.labels or not inside:
            return
        width, height = axes_mm(ax)
        scale = locus.length / width
        centres = [self.positions[index] + 0.5 for index in inside]
        halves = [text_width_mm(self.labels[index]) * scale / 2 for index in inside]
        # a label near the edge moves in, one that would cover another is left out
        centres = [min(max(c, locus.start + h), locus.end - h) for c, h in zip(centres, halves, strict=True)]
        spans = list(zip(centres, halves, strict=True))
        rows = pack_rows([c - h for c, h in spans], [c + h for c, h in spans], gap=scale)
        place = blended_transform_factory(ax.transData, ax.transAxes)
        for index, centre, row in zip(inside, centres, rows, strict=True):
            if row == 0:
                y = 1 + (TEXT_PT * MM_PER_POINT * 0.35) / height
                ax.text(
                    centre,
                    y,
                    self.labels[index],
                    transform=place,
                    ha="center",
                    va="bottom",
                    color=self.colour,
                )


class Highlights(Overlay):
    """Tinted intervals behind all tracks.

    Parameters
    ----------
    intervals
        (start, end), 0-based half-open.
    colour
        Tint; drawn light.
    """

    above = False

    def __init__(self, intervals: Sequence[tuple[int, int]], *, colour: str = "#ffd24d") -> None:
        self.intervals = tuple((int(start), int(end)) for start, end in intervals)
        self.colour = colour

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Tint each interval, at least as wide as can be seen."""
        least = 0.4 * locus.length / axes_mm(ax)[0]
        for start, end in self.intervals:
            if start < locus.end and end > locus.start:
                spare = max(least - (end - start), 0) / 2
                ax.axvspan(start - spare, end + spare, color=self.colour, alpha=0.3, linewidth=0)

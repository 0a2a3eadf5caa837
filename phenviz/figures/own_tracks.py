"""Tracks of the user's own: signal with its scale, or intervals as boxes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from phenviz.figures.component import Component, ScaledComponent, axes_mm, bases_per_mm, joined, value_scale
from phenviz.figures.style import ACCENT
from phenviz.genome.locus import Locus
from phenviz.results.display import Limits

if TYPE_CHECKING:
    from phenviz.data.own_tracks import OwnTrack

_SIGNS, _LINES = 16, 2
_POINTS_PER_MM = 8
# boxes nearer to each other are one on paper, and none is narrower
_LEAST_MM = 0.25


class DrawnSignal(ScaledComponent):
    """Mean of each point in full colour, up to its highest and down to its lowest value in pale.

    Parameters
    ----------
    own
        The track.
    limits
        Of the y axis, as on screen.
    """

    def __init__(self, own: OwnTrack, limits: Limits, *, height_mm: float = 10.0) -> None:
        self.label = _short(own.label)
        self._own, self._limits, self._height_mm = own, limits, height_mm

    def height(self, locus: Locus, width_mm: float) -> float:
        """Return the fixed height."""
        return self._height_mm

    def meanings(self, locus: Locus) -> list[str]:
        """Say what is drawn, and where it comes from."""
        return [f"{joined(self.label)}: own file {self._own.path.name}, mean, and highest in pale"]

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw the points of the locus."""
        points = self._own.points(locus, round(axes_mm(ax)[0] * _POINTS_PER_MM))
        low, mean, high = (
            np.repeat(np.nan_to_num(part), 2) for part in (points.low, points.mean, points.high)
        )
        x = np.repeat(points.edges, 2)[1:-1]
        colour = self._own.colour or ACCENT
        ax.fill_between(x, np.minimum(low, 0), np.maximum(high, 0), color=colour, alpha=0.35, linewidth=0)
        ax.fill_between(x, 0, mean, color=colour, linewidth=0)
        value_scale(ax, *self._limits, "")
        ax.set_xlim(locus.start, locus.end)


class DrawnIntervals(Component):
    """A box for each interval.

    Parameters
    ----------
    own
        The track.
    """

    def __init__(self, own: OwnTrack, *, height_mm: float = 4.0) -> None:
        self.label = _short(own.label)
        self._own, self._height_mm = own, height_mm

    def height(self, locus: Locus, width_mm: float) -> float:
        """Return the fixed height; 0 where the locus holds none."""
        return self._height_mm if len(self._own.within(locus)) else 0.0

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw boxes; those that would touch on paper are one."""
        least = _LEAST_MM * bases_per_mm(ax, locus)
        here = self._own.within(locus, gap=least)
        boxes = [
            Rectangle((start, 0.15), max(end - start, least), 0.7)
            for start, end in zip(here["start"], here["end"], strict=True)
        ]
        patches = PatchCollection(boxes, facecolor=self._own.colour or ACCENT, edgecolor="none")
        ax.add_collection(patches, autolim=False)
        ax.set_ylim(0, 1)
        ax.set_xlim(locus.start, locus.end)


def _short(label: str) -> str:
    lines = textwrap.wrap(label, _SIGNS)
    return "\n".join([*lines[: _LINES - 1], lines[_LINES - 1] + "…"] if len(lines) > _LINES else lines)

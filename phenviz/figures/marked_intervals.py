"""Marks on a track that say which of its bases are known, and how."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from phenviz.figures.style import INK, UNKNOWN

EXACT_MEANING = "Dark line under a track: predicted exactly; elsewhere to first order"
# narrower intervals would vanish on a wide view
_LEAST_SHARE = 1 / 600


def draw_gaps(ax: Axes, intervals: Iterable[tuple[int, int]]) -> None:
    """Tint intervals (0-based half-open) that a result says nothing about."""
    for start, end in _in_view(ax, intervals):
        ax.axvspan(start, end, facecolor=UNKNOWN, edgecolor="none", zorder=0.3)


def draw_exact(ax: Axes, intervals: Iterable[tuple[int, int]]) -> None:
    """Draw a line along the lower border of axes, under intervals (0-based half-open) predicted exactly."""
    left, right = ax.get_xlim()
    least = (right - left) * _LEAST_SHARE
    lines = [[(start, 0.0), (max(end, start + least), 0.0)] for start, end in _in_view(ax, intervals)]
    drawn = LineCollection(
        lines, colors=INK, linewidths=1.6, capstyle="butt", zorder=4, transform=ax.get_xaxis_transform()
    )
    ax.add_collection(drawn, autolim=False)


def _in_view(ax: Axes, intervals: Iterable[tuple[int, int]]) -> list[tuple[float, float]]:
    left, right = ax.get_xlim()
    return [(max(start, left), min(end, right)) for start, end in intervals if start < right and end > left]

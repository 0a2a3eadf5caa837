"""Round positions along a contig, written so that a reader can copy them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_STEPS = (1, 2, 5, 10)
_UNITS = ((1_000_000, "Mb"), (1_000, "kb"))


def position_ticks(start: float, end: float, max_ticks: int = 6) -> tuple[NDArray[np.int64], list[str]]:
    """Choose round positions inside a window, and their labels.

    Parameters
    ----------
    start, end
        Window, 0-based half-open, in bases.
    max_ticks
        Most ticks to return.

    Returns
    -------
    positions
        0-based positions, shape (n,), n <= ``max_ticks``. The base at position ``p`` is drawn from ``p``
        to ``p + 1``, so its tick stands at ``p + 0.5``.
    labels
        The same positions counted from 1: ``42.98 Mb`` where the step is kilobases or more,
        ``42,984,200`` where it is less.
    """
    first, last = math.ceil(start) + 1, math.floor(end)
    if last < first or max_ticks < 1:
        return np.empty(0, dtype=np.int64), []
    step = tick_step(last - first + 1, max_ticks)
    begin = -(-first // step) * step
    ones = np.arange(begin, last + 1, step, dtype=np.int64)[:max_ticks]
    return ones - 1, [format_position(int(position), step) for position in ones]


def tick_step(length: float, max_ticks: float = 6) -> int:
    """Smallest round step (1, 2 or 5 times a power of ten) that needs at most ``max_ticks`` ticks."""
    if length <= max_ticks:
        return 1
    # a window holds up to length / step + 1 ticks, wherever it begins
    rough = length / max(max_ticks - 1, 1)
    power = 10 ** math.floor(math.log10(rough))
    return max(int(next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))), 1)


def format_position(position: int, step: int) -> str:
    """Write a position counted from 1 with as many digits as the step between ticks needs."""
    if step < 1_000:
        return f"{position:,}"
    decimals = max(6 - math.floor(math.log10(step) + 1e-9), 0)
    return f"{position / 1_000_000:,.{decimals}f} Mb"


def format_length(bases: float) -> str:
    """Write a length: ``850 bp``, ``77.3 kb``, ``1 Mb``."""
    for size, unit in _UNITS:
        if bases >= size:
            return f"{bases / size:.3g} {unit}" if bases < 1_000 * size else f"{bases / size:,.0f} {unit}"
    return f"{bases:,.0f} bp"


def scale_bar(length: float, share: float = 0.25) -> tuple[int, str]:
    """Round length (1, 2 or 5 times a power of ten) of at most ``share`` of a window, and its label."""
    room = max(length * share, 1.0)
    power = 10 ** math.floor(math.log10(room))
    bar = int(max(power * factor for factor in _STEPS if power * factor <= room * (1 + 1e-9)))
    return bar, format_length(bar)

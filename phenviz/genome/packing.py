"""Rows for things side by side on a contig, so that none overlaps another."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pack_rows(starts: ArrayLike, ends: ArrayLike, gap: float = 0.0) -> NDArray[np.int64]:
    """Give each interval the lowest row in which it overlaps none placed before it.

    Intervals are placed from left to right, so the same intervals get the same rows in any order.

    Parameters
    ----------
    starts, ends
        Shape (n,), half-open, in any unit (bases, or pixels with the room a name needs).
    gap
        Least free room between two intervals of a row, in the same unit.

    Returns
    -------
    NDArray[np.int64]
        Row of each interval, shape (n,), from 0.
    """
    left = np.asarray(starts, dtype=float)
    right = np.asarray(ends, dtype=float)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"starts {left.shape} and ends {right.shape} must be two lists of the same length")
    rows = np.zeros(len(left), dtype=np.int64)
    busy: list[tuple[float, int]] = []  # (end, row) of the last interval in each row that is still open
    free: list[int] = []
    for index in np.lexsort((-right, left)):
        while busy and busy[0][0] + gap <= left[index]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        row = heapq.heappop(free) if free else len(busy)
        rows[index] = row
        heapq.heappush(busy, (right[index], row))
    return rows


def pack_in_order(starts: ArrayLike, ends: ArrayLike, most: int) -> NDArray[np.int64]:
    """Give each interval, the most important first, the lowest row in which it overlaps none before it.

    Parameters
    ----------
    starts, ends
        Of each interval, shape (n,).
    most
        Rows there are.

    Returns
    -------
    NDArray[np.int64]
        Shape (n,); -1 where no row has room.
    """
    taken: list[list[tuple[float, float]]] = [[] for _ in range(most)]
    rows = []
    for start, end in zip(np.asarray(starts, float).tolist(), np.asarray(ends, float).tolist(), strict=True):
        free = (
            row
            for row, others in enumerate(taken)
            if all(end <= left or right <= start for left, right in others)
        )
        rows.append(next(free, -1))
        if rows[-1] >= 0:
            taken[rows[-1]].append((start, end))
    return np.array(rows, dtype=np.int64)

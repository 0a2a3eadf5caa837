"""Fewer points for the same picture: long tracks keep the extremes of each interval, or its mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 4_000


def groups_of(length: int, most: int) -> int:
    """Neighbours to join so that at most ``most`` groups are left."""
    return max(-(-length // most), 1)


def reduce_extremes(values: NDArray[np.floating], size: int) -> tuple[NDArray, NDArray]:
    """Smallest and largest value of every ``size`` neighbours.

    Parameters
    ----------
    values
        Shape (..., n).
    size
        Neighbours to join; the last group may hold fewer.

    Returns
    -------
    lowest, highest
        Shape (..., ceil(n / size)); NaN only where a group has no number.
    """
    grouped = _grouped(values, size)
    known = np.isfinite(grouped)
    lowest = np.where(known, grouped, np.inf).min(axis=-1)
    highest = np.where(known, grouped, -np.inf).max(axis=-1)
    empty = ~known.any(axis=-1)
    return np.where(empty, np.nan, lowest), np.where(empty, np.nan, highest)


def reduce_strongest(values: NDArray[np.floating], size: int) -> NDArray:
    """Value farthest from zero of every ``size`` neighbours, shape (..., ceil(n / size))."""
    if size == 1:
        return values
    lowest, highest = reduce_extremes(values, size)
    return np.where(np.abs(lowest) > np.abs(highest), lowest, highest)


def reduce_mean(values: NDArray[np.floating], size: int) -> NDArray:
    """Mean of the numbers among every ``size`` neighbours, shape (..., ceil(n / size)); NaN where none is."""
    grouped = _grouped(values, size)
    count = np.isfinite(grouped).sum(axis=-1)
    total = np.nansum(grouped, axis=-1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _grouped(values: NDArray, size: int) -> NDArray:
    length = values.shape[-1]
    count = -(-length // size)
    padding = [(0, 0)] * (values.ndim - 1) + [(0, count * size - length)]
    padded = np.pad(values.astype(float), padding, constant_values=np.nan)
    return padded.reshape(*values.shape[:-1], count, size)

"""Minimum, mean and maximum of a long track at every zoom level, kept up to date while it is computed."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phenviz.errors import ResultError
from phenviz.results.overview import OVERVIEW_BINS

_FACTOR = 4
# the level whose points hold as many bins as those of an overview
_OVERVIEW_DEPTH = round(math.log(OVERVIEW_BINS, _FACTOR))
# From here on an overview has a point for each pixel of a usual window: longer views need no single bins.
OVERVIEW_FROM = 1_000 * OVERVIEW_BINS
# minimum, mean, maximum and number of known bins
_Stack: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Summary:
    """An interval of a track at one resolution; NaN where nothing is known.

    Parameters
    ----------
    edges
        Borders of the points in bases, shape (n + 1,), 0-based.
    minimum, mean, maximum
        Shape (rows, n).
    """

    edges: NDArray[np.int64]
    minimum: NDArray[np.float32]
    mean: NDArray[np.float32]
    maximum: NDArray[np.float32]

    @property
    def strongest(self) -> NDArray[np.float32]:
        """Minimum or maximum, whichever lies farther from zero, shape (rows, n)."""
        return np.where(-self.minimum > self.maximum, self.minimum, self.maximum)


class Pyramid:
    """Rows of numbers along a contig, readable at any resolution in a time that doesn't grow with the length.

    A number that hasn't been computed yet is NaN and counts nowhere. Bins are written in any order;
    only the summaries above the written bins are recomputed. Writes and reads may come from several threads.
    Where no bins are known, long intervals are drawn from an overview, if there is one.

    Parameters
    ----------
    n_bins, n_rows
        Length of the track and number of rows.
    bin_size
        Bases in a bin.
    """

    def __init__(self, n_bins: int, n_rows: int, bin_size: int) -> None:
        if min(n_bins, n_rows, bin_size) < 1:
            raise ResultError(f"a pyramid of {n_bins} bins x {n_rows} rows of {bin_size} bases holds nothing")
        self.n_bins, self.n_rows, self.bin_size = n_bins, n_rows, bin_size
        self._lock = threading.Lock()
        self._base = _untouched(n_rows, n_bins)
        self._written = np.zeros(n_bins, dtype=bool)
        self._overview: _Level | None = None
        self._levels: list[_Level] = []
        width = n_bins
        while width > _FACTOR:
            width = -(-width // _FACTOR)
            self._levels.append(_Level(n_rows, width))

    @property
    def nbytes(self) -> int:
        """Bytes in memory: of bins that are known, with their summaries; an overview counts as a whole."""
        known = int(self._written.sum()) * self.n_rows * self._base.itemsize
        overview = 0 if self._overview is None else sum(array.nbytes for array in self._overview.arrays)
        # four numbers for each 4, 16, 64 ... bins
        return round(known * (1 + 4 / (_FACTOR - 1))) + overview + self._written.nbytes

    @classmethod
    def of(cls, values: ArrayLike, bin_size: int = 1) -> Pyramid:
        """Build a pyramid of known values, shape (rows, bins)."""
        array = np.asarray(values, dtype=np.float32)
        pyramid = cls(array.shape[1], array.shape[0], bin_size)
        pyramid.write(0, array)
        return pyramid

    def write(self, start_bin: int, values: ArrayLike) -> None:
        """Put in values from a bin on; replaces what was there.

        Parameters
        ----------
        start_bin
            First bin that is written.
        values
            Shape (rows, bins).

        Raises
        ------
        ResultError
            If rows don't fit, or the values leave the track.
        """
        array = np.asarray(values, dtype=np.float32)
        if array.ndim != 2 or array.shape[0] != self.n_rows:
            raise ResultError(f"values of shape {array.shape} don't fit a pyramid with {self.n_rows} rows")
        end_bin = start_bin + array.shape[1]
        if start_bin < 0 or end_bin > self.n_bins:
            raise ResultError(f"bins {start_bin}-{end_bin} leave a pyramid of {self.n_bins} bins")
        with self._lock:
            self._base[:, start_bin:end_bin] = array
            self._written[start_bin:end_bin] = np.isfinite(array).any(axis=0)
            self._update_levels(start_bin, end_bin)

    def write_overview(self, start_bin: int, minimum: ArrayLike, mean: ArrayLike, maximum: ArrayLike) -> None:
        """Put in summaries of `OVERVIEW_BINS` bins each; bins that are known themselves win over them.

        Parameters
        ----------
        start_bin
            First bin of the first point.
        minimum, mean, maximum
            Shape (rows, points).

        Raises
        ------
        ResultError
            If rows don't fit, or the points aren't those of the contig.
        """
        arrays = [np.asarray(values, dtype=np.float32) for values in (minimum, mean, maximum)]
        first, width = start_bin // OVERVIEW_BINS, arrays[0].shape[-1]
        last, n_points = first + width, -(-self.n_bins // OVERVIEW_BINS)
        if start_bin % OVERVIEW_BINS or start_bin < 0 or last > n_points:
            raise ResultError(f"{width} points from bin {start_bin} on aren't those of {self.n_bins} bins")
        if any(array.shape != (self.n_rows, width) for array in arrays):
            raise ResultError(f"points of shape {arrays[0].shape} don't fit {self.n_rows} rows")
        with self._lock:
            if self._overview is None:
                self._overview = _Level(self.n_rows, n_points)
            for target, array in zip(self._overview.arrays[:3], arrays, strict=True):
                target[:, first:last] = array
            ends = np.minimum(np.arange(first + 1, last + 1) * OVERVIEW_BINS, self.n_bins)
            self._overview.arrays[3][:, first:last] = ends - np.arange(first, last) * OVERVIEW_BINS
            self._update_levels(start_bin, min(last * OVERVIEW_BINS, self.n_bins))

    def read(
        self, start_bin: int, end_bin: int, max_points: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Read bins at the finest resolution that needs at most ``max_points`` points (and one at each end).

        Points lie on a grid of the contig, whatever window is asked for, so that they stay when it moves.

        Returns
        -------
        edges
            Borders of the points in bases, shape (n + 1,); they cover the bins asked for.
        mean, maximum
            Shape (rows, n); NaN where nothing is known.
        """
        summary = self.summary(start_bin, end_bin, max_points)
        return summary.edges, summary.mean, summary.maximum

    def summary(self, start_bin: int, end_bin: int, max_points: int) -> Summary:
        """Read bins as `read` does, with their minimum."""
        start, end = max(start_bin, 0), min(end_bin, self.n_bins)
        if end <= start:
            empty = np.empty((self.n_rows, 0), dtype=np.float32)
            return Summary(np.array([start * self.bin_size]), empty, empty, empty)
        exponent = max(math.ceil(math.log2((end - start) / max(max_points, 1))), 0)
        step = 2**exponent
        first, last = start // step, -(-end // step)
        minimum, mean, maximum = self._grouped(exponent, first, last)
        if step < OVERVIEW_BINS and self._drawn_from_overview(start, end):
            minimum, mean, maximum = self._filled(step, first, (minimum, mean, maximum))
        edges = np.minimum(np.arange(first, last + 1, dtype=np.int64) * step, self.n_bins) * self.bin_size
        return Summary(edges, minimum, mean, maximum)

    def missing(self, start_bin: int, end_bin: int) -> list[tuple[int, int]]:
        """List the runs of bins (start, end), half-open, that a view of all of them doesn't show yet."""
        start, end = max(start_bin, 0), min(end_bin, self.n_bins)
        if end <= start:
            return []
        gaps = np.concatenate(([False], ~self._shown(start, end), [False]))
        borders = np.flatnonzero(gaps[1:] != gaps[:-1]) + start
        return [(int(left), int(right)) for left, right in borders.reshape(-1, 2)]

    def covered(self, start_bin: int, end_bin: int) -> float:
        """Share of the bins, 0 to 1, that a view of all of them shows; 1 for no bins."""
        start, end = max(start_bin, 0), min(end_bin, self.n_bins)
        if end <= start:
            return 1.0
        return float(self._shown(start, end).mean())

    def lacks_overview(self, start_bin: int, end_bin: int) -> bool:
        """Tell whether there are bins that neither are known nor belong to a known point of an overview."""
        start, end = max(start_bin, 0), min(end_bin, self.n_bins)
        with self._lock:
            return not (self._written[start:end] | self._in_overview(start, end)).all()

    def _shown(self, start: int, end: int) -> NDArray[np.bool_]:
        with self._lock:
            written = self._written[start:end].copy()
            if self._drawn_from_overview(start, end):
                written |= self._in_overview(start, end)
        return written

    def _drawn_from_overview(self, start: int, end: int) -> bool:
        """Tell whether so many bins are looked at that a point of the overview is about a pixel."""
        return self._overview is not None and end - start >= OVERVIEW_FROM

    def _in_overview(self, start: int, end: int) -> NDArray[np.bool_]:
        if self._overview is None:
            return np.zeros(end - start, dtype=bool)
        return self._overview.arrays[3][0, np.arange(start, end) // OVERVIEW_BINS] > 0

    def _filled(
        self, step: int, first: int, summaries: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Take from the overview what isn't known of points of ``step`` bins, beginning with ``first``."""
        assert self._overview is not None
        point = (first + np.arange(summaries[0].shape[1])) * step // OVERVIEW_BINS
        with self._lock:
            whole = self._overview.read(point)[:3]
        return [
            np.where(np.isnan(known), other, known) for known, other in zip(summaries, whole, strict=True)
        ]

    def _grouped(
        self, exponent: int, first: int, last: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        # levels stand at powers of four; the powers of two between them are made on the fly
        depth = min(exponent // 2, len(self._levels))
        group = 2 ** (exponent - 2 * depth)
        with self._lock:
            stack = self._slice(depth, first * group, last * group)
        return (stack if group == 1 else _merge(stack, group))[:3]

    def _slice(self, depth: int, first: int, last: int) -> _Stack:
        if depth > 0:
            return self._levels[depth - 1].read(slice(first, last))
        values = self._base[:, first:last].copy()
        values[:, ~self._written[first:last]] = np.nan
        return values, values, values, np.isfinite(values).astype(np.float32)

    def _update_levels(self, start: int, end: int) -> None:
        for depth, level in enumerate(self._levels):
            start, end = start // _FACTOR, -(-end // _FACTOR)
            below = self._slice(depth, start * _FACTOR, end * _FACTOR)
            for target, merged in zip(level.arrays, _merge(below, _FACTOR), strict=True):
                target[:, start:end] = merged
            if depth + 1 == _OVERVIEW_DEPTH and self._overview is not None:
                self._overlay(level, start, end)

    def _overlay(self, level: _Level, start: int, end: int) -> None:
        """Put points of the overview where not all bins of a point are known."""
        assert self._overview is not None
        count = self._overview.arrays[3][0, start:end]
        first, last = start * OVERVIEW_BINS, min(end * OVERVIEW_BINS, self.n_bins)
        known = np.add.reduceat(
            self._written[first:last], np.arange(0, last - first, OVERVIEW_BINS), dtype=np.float32
        )
        better = np.flatnonzero(known < count) + start
        for target, array in zip(level.arrays, self._overview.arrays, strict=True):
            target[:, better] = array[:, better]


class _Level:
    """Summaries of groups of bins: minimum, mean, maximum and number of known bins; zeros where that is 0."""

    def __init__(self, n_rows: int, width: int) -> None:
        self.arrays = tuple(_untouched(n_rows, width) for _ in range(4))

    def read(self, points: slice | NDArray[np.int64]) -> _Stack:
        """Copy points; NaN where nothing is known."""
        low, mean, high, count = (array[:, points].copy() for array in self.arrays)
        for values in (low, mean, high):
            values[count == 0] = np.nan
        return low, mean, high, count


def _untouched(n_rows: int, width: int) -> NDArray[np.float32]:
    """Make room that takes no memory before it is written to, bins that are neighbours side by side."""
    return np.zeros((n_rows, width), dtype=np.float32, order="F")


def _merge(stack: _Stack, group: int) -> _Stack:
    minimum, mean, maximum, count = stack
    low = np.fmin.reduce(_groups(minimum, group, np.nan), axis=2)
    high = np.fmax.reduce(_groups(maximum, group, np.nan), axis=2)
    weight = _groups(count, group, 0)
    total = weight.sum(axis=2)
    weighted = (np.nan_to_num(_groups(mean, group, np.nan)) * weight).sum(axis=2)
    average = np.divide(weighted, total, out=np.full_like(weighted, np.nan), where=total > 0)
    return low, average, high, total


def _groups(array: NDArray[np.float32], group: int, fill: float) -> NDArray[np.float32]:
    rows, width = array.shape
    padded = -width % group
    if padded:
        array = np.pad(array, ((0, 0), (0, padded)), constant_values=fill)
    return array.reshape(rows, -1, group)

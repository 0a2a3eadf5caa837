"""Intervals of a genome: joined, of positions in a row, which hold which positions, and the nearest place."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from phenviz.genome.locus import Locus, contig_key

if TYPE_CHECKING:
    import pyranges


def overlapping(table: pd.DataFrame, locus: Locus) -> pd.Series:
    """Tell which rows (columns ``start`` and ``end``) share a base with a locus, whatever the contig."""
    return (table["start"] < locus.end) & (table["end"] > locus.start)


def ranges_of(contig: pd.Series, start: ArrayLike, end: ArrayLike) -> pyranges.PyRanges:
    """Make ranges (0-based half-open) that remember their ``row``, from 0; names of contigs don't matter."""
    # imported here: it takes a second
    import pyranges

    keys = {name: contig_key(str(name)) for name in contig.unique()}
    columns = {"Chromosome": contig.map(keys).to_numpy(), "Start": np.asarray(start), "End": np.asarray(end)}
    return pyranges.PyRanges(pd.DataFrame({**columns, "row": np.arange(len(contig))}))


def holding(positions: pd.DataFrame, intervals: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find all intervals that hold each position, whether intervals overlap or not.

    Parameters
    ----------
    positions
        Columns ``contig`` and ``position`` (counted from 1).
    intervals
        Columns ``contig``, ``start`` and ``end`` (0-based half-open).

    Returns
    -------
    tuple
        Rows of positions and of intervals, one pair each, sorted: both (pairs,).
    """
    none = np.zeros(0, dtype=np.intp)
    if positions.empty or intervals.empty:
        return none, none
    place = positions["position"].to_numpy(np.int64)
    points = ranges_of(positions["contig"], place - 1, place)
    ranges = ranges_of(intervals["contig"], intervals["start"], intervals["end"])
    with warnings.catch_warnings():
        # pyranges names its columns by a word that pandas 4 won't have
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        pairs = points.join(ranges).df
    if pairs.empty:
        return none, none
    point, interval = pairs["row"].to_numpy(np.intp), pairs["row_b"].to_numpy(np.intp)
    order = np.lexsort([interval, point])
    return point[order], interval[order]


def nearest_place(places: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the number of the nearest of some sorted places, at least one; the left one of two as near."""
    right = np.clip(np.searchsorted(places, wanted), 0, len(places) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(wanted - places[left]) <= np.abs(wanted - places[right]), left, right)


def join_intervals(starts: ArrayLike, ends: ArrayLike, gap: int = 1) -> NDArray[np.int64]:
    """Join intervals that overlap or are less than some bases apart.

    Parameters
    ----------
    starts, ends
        0-based, half-open, in any order.
    gap
        So many bases between two keep them apart; 1 joins only those that touch.

    Returns
    -------
    NDArray[np.int64]
        Starts and ends, sorted, shape (n, 2).
    """
    first, last = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
    if not len(first):
        return np.empty((0, 2), dtype=np.int64)
    order = np.argsort(first, kind="stable")
    first, reached = first[order], np.maximum.accumulate(last[order])
    begins = np.concatenate([[True], first[1:] - reached[:-1] >= gap])
    return np.stack([first[begins], reached[np.append(np.flatnonzero(begins)[1:] - 1, len(first) - 1)]], 1)


def merged(intervals: Iterable[tuple[int, int]], gap: int = 1) -> list[tuple[int, int]]:
    """Join intervals, as `join_intervals` does, given and returned as pairs of start and end."""
    pairs = np.array(list(intervals), dtype=np.int64).reshape(-1, 2)
    return [(start, end) for start, end in join_intervals(pairs[:, 0], pairs[:, 1], gap).tolist()]


def covered_intervals(positions: NDArray[np.integer]) -> list[tuple[int, int]]:
    """List the intervals (0-based half-open) of positions that follow one another, ascending, shape (n,)."""
    groups = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    return [(int(group[0]), int(group[-1]) + 1) for group in groups if len(group)]

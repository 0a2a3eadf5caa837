"""Peaks on an even grid: the strongest in each point, or the mean over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.locus import Locus, on_contig

_COLUMNS = ("contig", "start", "end", "context", "fold_enrichment")


def of_contig(peaks: pd.DataFrame, contig: str) -> pd.DataFrame:
    """Return the peaks of a contig, sorted by start.

    Raises
    ------
    DataError
        If a column is missing.
    """
    if missing := [name for name in _COLUMNS if name not in peaks.columns]:
        raise DataError(f"the table of observed peaks lacks the column {missing[0]!r}: it needs {_COLUMNS}")
    here = peaks.loc[on_contig(peaks["contig"], contig), list(_COLUMNS)]
    return here.sort_values("start").reset_index(drop=True)


def paint_peaks(
    peaks: pd.DataFrame, contexts: Sequence[str], locus: Locus, points: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Paint intervals onto even points.

    Returns
    -------
    edges
        Borders of the points in bases, shape (n + 1,).
    values
        Largest fold enrichment of the peaks that touch a point, 0 where none does, shape (contexts, n).
    """
    size = max(-(-locus.length // points), 1)
    first, last = locus.start // size, -(-locus.end // size)
    values = np.zeros((len(contexts), last - first), dtype=np.float32)
    row_of = {name: row for row, name in enumerate(contexts)}
    rows = peaks["context"].map(row_of).to_numpy(float)
    left = np.maximum(peaks["start"].to_numpy() // size - first, 0)
    right = np.minimum(-(-peaks["end"].to_numpy() // size) - first, last - first)
    for row, begin, end, fold in zip(rows, left, right, peaks["fold_enrichment"], strict=True):
        if row == row:
            painted = values[int(row), begin:end]
            np.maximum(painted, fold, out=painted)
    return np.arange(first, last + 1, dtype=np.int64) * size, values


def average_peaks(
    peaks: pd.DataFrame, contexts: Sequence[str], locus: Locus, bases: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Average the fold enrichment over intervals of a contig; it is 0 between peaks.

    Returns
    -------
    edges
        Multiples of ``bases`` that cover the locus, shape (n + 1,), 0-based.
    means
        Shape (contexts, n).
    """
    first, last = locus.start // bases, -(-locus.end // bases)
    edges = np.arange(first, last + 1, dtype=np.int64) * bases
    means = np.zeros((len(contexts), last - first), dtype=np.float32)
    for row, name in enumerate(contexts):
        own = peaks[peaks["context"] == name]
        folds = own["fold_enrichment"].to_numpy(float)
        until = _integral(own["start"].to_numpy(), folds, edges) - _integral(
            own["end"].to_numpy(), folds, edges
        )
        means[row] = np.diff(until) / bases
    return edges, means


def _integral(
    borders: NDArray[np.int64], weights: NDArray[np.float64], edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum, at each edge, of weight times distance over the borders that lie before it."""
    order = np.argsort(borders)
    borders, weights = borders[order], weights[order]
    before = np.searchsorted(borders, edges)
    weight = np.concatenate(([0.0], np.cumsum(weights)))
    moment = np.concatenate(([0.0], np.cumsum(weights * borders)))
    return edges.astype(float) * weight[before] - moment[before]

"""Accessibility peaks as the backbone learns them: read, clustered, and spread over the bases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.peaks import read_narrowpeak_files
from phenviz.errors import DataError

CLUSTER_DISTANCE = 250
SIGNAL_STEP = 16
# MACS piles up extended fragments: enrichment falls off over some hundred bases around a summit.
SIGNAL_REACH = 500


def read_narrow_peaks(paths: Mapping[str, str | Path], *, contig: str | None = None) -> pd.DataFrame:
    """Read the peaks of each context.

    Parameters
    ----------
    paths
        Context name -> narrowPeak or BED file, see `phenviz.data.peaks.read_narrowpeak_files`.
    contig
        Keep this contig only, with or without ``chr``.

    Returns
    -------
    pd.DataFrame
        ``context``, ``contig`` (without ``chr``), ``start``, ``end`` (0-based half-open), ``fold_enrichment``
        and ``summit`` (0-based), sorted by summit.

    Raises
    ------
    DataError
        If a file is missing or holds no peaks.
    """
    for context, path in paths.items():
        if not Path(path).is_file():
            raise DataError(f"peaks of {context}: {path} isn't there; `phenviz data fetch blood16-atac`")
    peaks = read_narrowpeak_files({context: Path(path) for context, path in paths.items()}, contig)
    columns = ["context", "contig", "start", "end", "fold_enrichment", "summit"]
    return peaks[columns].sort_values(["contig", "summit"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class SummitClusters:
    """Summits of all contexts, those near each other taken together.

    Parameters
    ----------
    position
        Mean summit of each cluster, 0-based, shape (n,), sorted.
    enrichment
        Largest fold enrichment of the cluster in each context, 0 where it has no peak; shape (n, C).
    """

    position: NDArray[np.int64]
    enrichment: NDArray[np.float64]

    def within(self, start: int, end: int) -> SummitClusters:
        """Keep the clusters with ``start <= position < end``."""
        keep = (self.position >= start) & (self.position < end)
        return SummitClusters(self.position[keep], self.enrichment[keep])


def cluster_summits(peaks: pd.DataFrame, contexts: Iterable[str]) -> SummitClusters:
    """Join summits that lie at most `CLUSTER_DISTANCE` bases from the next one on one contig."""
    contexts = list(contexts)
    peaks = peaks.sort_values("summit", kind="stable")
    summit = peaks["summit"].to_numpy(np.int64)
    label = np.cumsum(np.r_[0, np.diff(summit) > CLUSTER_DISTANCE])
    enrichment = np.zeros((label[-1] + 1, len(contexts)))
    column = peaks["context"].map(contexts.index).to_numpy()
    np.maximum.at(enrichment, (label, column), peaks["fold_enrichment"].to_numpy(float))
    position = np.bincount(label, summit) / np.bincount(label)
    return SummitClusters(position.astype(np.int64), enrichment)


def peak_signal(peaks: pd.DataFrame, contexts: Iterable[str], length: int) -> NDArray[np.float16]:
    """Spread each peak's fold enrichment over its bases, falling off in a straight line from its summit.

    Parameters
    ----------
    peaks
        As `read_narrow_peaks` gives them, of one contig.
    contexts
        Rows of the result.
    length
        Bases of the contig.

    Returns
    -------
    NDArray[np.float16]
        Fold enrichment in steps of 16 bases, shape (C, ceil(length / 16)); 0 outside peaks.
    """
    contexts = list(contexts)
    signal = np.zeros((len(contexts), -(-length // SIGNAL_STEP)), np.float16)
    rows = peaks["context"].map(contexts.index)
    columns = ("start", "end", "fold_enrichment", "summit")
    for row, start, end, enrichment, summit in zip(rows, *(peaks[name] for name in columns), strict=True):
        steps = np.arange(start // SIGNAL_STEP, min(-(-end // SIGNAL_STEP), signal.shape[1]))
        away = np.abs(steps * SIGNAL_STEP + SIGNAL_STEP // 2 - summit)
        value = enrichment * np.maximum(0.0, 1.0 - away / SIGNAL_REACH)
        signal[row, steps] = np.maximum(signal[row, steps], value.astype(np.float16))
    return signal

"""Observed peaks as the methods read them: accessibility at positions, and one table of peaks by contexts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.locus import bare_contig

HALF_PEAK = 250
# peaks of one context hardly overlap; where a user's do, the last few that begin before a position are
# looked at
_LOOK_BACK = 8


class Peaks:
    """Peaks of several contexts.

    Parameters
    ----------
    table
        ``contig``, ``start``, ``end`` (0-based half-open), ``context``, ``fold_enrichment``, ``summit``.
    contexts
        Which to read, in order.
    """

    def __init__(self, table: pd.DataFrame, contexts: Sequence[Context]) -> None:
        self.contexts = tuple(contexts)
        self._names = [context.name for context in contexts]
        table = table[table["context"].isin(self._names)]
        if table.empty:
            raise DataError(f"the observed peaks hold none of the contexts {', '.join(self._names)}")
        self.table = table.assign(contig=table["contig"].astype(str).map(bare_contig))

    def at(self, variants: pd.DataFrame) -> NDArray[np.float32]:
        """Return log2(1 + fold enrichment) of the strongest peak over each variant, (n, C); 0 outside."""
        result = np.zeros((len(variants), len(self._names)), np.float32)
        position = variants["position"].to_numpy(np.int64) - 1
        for contig, rows in variants.groupby("contig", sort=False).indices.items():
            for column, name in enumerate(self._names):
                stretch = self._by_place.get((bare_contig(str(contig)), name))
                if stretch is not None:
                    result[rows, column] = _strongest(stretch, position[rows])
        return np.asarray(np.log2(1 + result), dtype=np.float32)

    @cached_property
    def _by_place(
        self,
    ) -> dict[tuple[str, str], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
        # several summits of one peak are listed with the same start and end
        key = ["contig", "context", "start", "end"]
        peaks = self.table.groupby(key, sort=True)["fold_enrichment"].max().reset_index()
        return {
            (str(contig), str(name)): (
                own["start"].to_numpy(np.int64),
                own["end"].to_numpy(np.int64),
                own["fold_enrichment"].to_numpy(float),
            )
            for (contig, name), own in peaks.groupby(["contig", "context"], sort=False)
        }

    @cached_property
    def union(self) -> tuple[pd.DataFrame, NDArray[np.float64]]:
        """Peaks of all contexts taken together.

        Returns
        -------
        tuple
            Table ``contig``, ``position`` (1-based middle; a peak reaches 250 bp to each side), sorted; and
            fold enrichment of each in each context, (P, C), 0 where there is no summit.
        """
        from phenviz.models.peaks import cluster_summits

        places, enrichment = [], []
        for contig, own in self.table.groupby("contig", sort=True):
            clusters = cluster_summits(own, self._names)
            places.append(pd.DataFrame({"contig": str(contig), "position": clusters.position + 1}))
            enrichment.append(clusters.enrichment)
        return pd.concat(places, ignore_index=True), np.concatenate(enrichment)

    def peak_of(self, variants: pd.DataFrame) -> NDArray[np.intp]:
        """Return the number of the peak of `union` that each variant lies in, -1 for none, (n,)."""
        places, _ = self.union
        result = np.full(len(variants), -1, dtype=np.intp)
        position = variants["position"].to_numpy(np.int64)
        bare = places["contig"].to_numpy(str)
        for contig, rows in variants.groupby("contig", sort=False).indices.items():
            own = np.flatnonzero(bare == bare_contig(str(contig)))
            if len(own):
                middle = places["position"].to_numpy(np.int64)[own]
                right = np.clip(np.searchsorted(middle, position[rows]), 0, len(own) - 1)
                left = np.maximum(right - 1, 0)
                nearer = np.abs(position[rows] - middle[left]) <= np.abs(position[rows] - middle[right])
                nearest = np.where(nearer, left, right)
                inside = np.abs(position[rows] - middle[nearest]) <= HALF_PEAK
                result[rows] = np.where(inside, own[nearest], -1)
        return result


def _strongest(
    stretch: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], position: NDArray[np.int64]
) -> NDArray[np.float64]:
    starts, ends, enrichment = stretch
    last = np.searchsorted(starts, position, side="right") - 1
    best = np.zeros(len(position))
    for back in range(_LOOK_BACK):
        row = last - back
        covers = (row >= 0) & (position < ends[np.maximum(row, 0)])
        best = np.maximum(best, np.where(covers, enrichment[np.maximum(row, 0)], 0))
    return best

"""Observed peaks as the methods read them: accessibility at positions, and one table of peaks by contexts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.contexts import Context
from phenviz.genome.intervals import holding, nearest_place
from phenviz.genome.locus import bare_contig, on_contig

HALF_PEAK = 250


class Peaks:
    """Peaks of several contexts.

    Parameters
    ----------
    table
        ``contig``, ``start``, ``end`` (0-based half-open), ``context``, ``fold_enrichment``, ``summit``.
    contexts
        Which to read, in order; those without any peak in the table (ATAC-seq of HepG2's reporters, say) are
        left out, as nobody knows where they are open.
    """

    def __init__(self, table: pd.DataFrame, contexts: Sequence[Context]) -> None:
        observed = set(table["context"].unique())
        self.contexts = tuple(context for context in contexts if context.name in observed)
        if not self.contexts:
            asked = ", ".join(context.name for context in contexts)
            raise DataError(f"the observed peaks hold none of the contexts {asked}")
        self._names = [context.name for context in self.contexts]
        table = table[table["context"].isin(self._names)]
        self.table = table.assign(contig=table["contig"].astype(str).map(bare_contig))

    def at(self, variants: pd.DataFrame) -> NDArray[np.float32]:
        """Return log2(1 + fold enrichment) of the strongest peak over each variant, (n, C); 0 outside."""
        result = np.zeros((len(variants), len(self._names)), np.float32)
        rows, peaks = holding(variants, self.table)
        column = self.table["context"].map(self._names.index).to_numpy()[peaks]
        np.maximum.at(result, (rows, column), self.table["fold_enrichment"].to_numpy(np.float32)[peaks])
        return np.asarray(np.log2(1 + result), dtype=np.float32)

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
        for contig, rows in variants.groupby("contig", sort=False).indices.items():
            own = np.flatnonzero(on_contig(places["contig"], str(contig)))
            if len(own):
                middle = places["position"].to_numpy(np.int64)[own]
                nearest = nearest_place(middle, position[rows])
                inside = np.abs(position[rows] - middle[nearest]) <= HALF_PEAK
                result[rows] = np.where(inside, own[nearest], -1)
        return result

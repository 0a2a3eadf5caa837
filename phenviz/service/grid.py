"""A locus cut along the contig's own grid, and results cut to a locus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.results import bin_size_of, merge_tiles


def grid_intervals(locus: Locus, size: int, contig_length: int) -> Iterator[Locus]:
    """Yield the chunks of ``size`` bases, counted from the contig's start, that overlap a locus.

    The last one of a contig ends with it. Whatever the locus is, the chunks lie at the same places: two loci
    that overlap share chunks.
    """
    for start in range(locus.start // size * size, locus.end, size):
        yield Locus(locus.contig, start, min(start + size, contig_length))


def overlap(first: Locus, second: Locus) -> Locus:
    """Return the bases that two overlapping loci of one contig share."""
    return Locus(first.contig, max(first.start, second.start), min(first.end, second.end))


def crop(dataset: xr.Dataset, locus: Locus, contexts: Sequence[str] | None = None) -> xr.Dataset | None:
    """Cut out of a prediction, mutagenesis or attribution what belongs to a locus.

    Parameters
    ----------
    dataset
        Result over a locus that may be longer.
    locus
        Bases to keep; of a prediction, the bins that overlap it.
    contexts
        Names of the contexts to keep, in this order; None for all.

    Returns
    -------
    xr.Dataset or None
        With ``start`` and ``end`` of what is kept; None if nothing is.
    """
    start, end = int(dataset.attrs["start"]), int(dataset.attrs["end"])
    start, end = max(start, locus.start), min(end, locus.end)
    if start >= end:
        return None
    if "bin" in dataset.dims:
        starts, size = dataset["bin_start"].values, bin_size_of(dataset)
        kept = slice(*np.searchsorted(starts, [start - size + 1, end]).tolist())
        cut = dataset.isel(bin=kept)
    else:
        kept = slice(*np.searchsorted(dataset["position"].values, [start + 1, end + 1]).tolist())
        cut = dataset.isel(position=kept)
    if contexts is not None and "context" in dataset.dims:
        names = dataset["context"].values.tolist()
        if list(contexts) != names:
            cut = cut.isel(context=[names.index(name) for name in contexts])
    return cut.assign_attrs(start=start, end=end)


def join(locus: Locus, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join neighbouring parts into the result over a locus."""
    merged = merge_tiles(parts)
    # a slice would keep the memory of all it was cut from, for as long as it lives
    merged = merged.copy(deep=True) if len(parts) == 1 else merged
    if locus.strand != ".":
        merged.attrs["strand"] = locus.strand
    return merged


class GappedReference:
    """A reference genome that also takes loci of only N.

    A locus may hold a gap that fills a whole chunk of the grid; asked for on its own, that would be an error.
    """

    def __init__(self, reference: ReferenceGenome) -> None:
        self._reference = reference

    @property
    def assembly(self) -> str:
        """Name of the assembly."""
        return self._reference.assembly

    @property
    def contigs(self) -> Mapping[str, int]:
        """Length of each contig."""
        return self._reference.contigs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reference, name)

    def check(self, locus: Locus) -> Locus:
        """Return the locus with the FASTA's contig name; raise only if it leaves the contig."""
        return self._reference.inside(locus)

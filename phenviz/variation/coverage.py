"""Where a file's genotypes are known: a place without records may well be one where nobody has looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus, shown_contig
from phenviz.genome.intervals import join_intervals

# Whole genomes have a variant every kilobase or so, chips and exomes every few, so that so many bases without
# one were left out: a centromere, or what lies between two regions.
LONGEST_GAP = 1_000_000
_NAMED = 3


@dataclass(frozen=True)
class Coverage:
    """What a file of genotypes covers of a contig.

    A file covers a contig from its first to its last record, apart from gaps of `LONGEST_GAP` bases or more.
    Where it says itself which bases were looked at (reference blocks of a gVCF), it covers these.

    Parameters
    ----------
    file
        Its name.
    loci
        What is covered of the contig, sorted, apart from one another; empty for nothing.
    elsewhere
        The other contigs that the file has records on.
    """

    file: str
    loci: tuple[Locus, ...]
    elsewhere: tuple[str, ...] = ()

    def missing(self, locus: Locus) -> tuple[Locus, ...]:
        """Return what isn't covered of a locus, which lies on the same contig; empty where all of it is."""
        found, start = [], locus.start
        for covered in self.loci:
            if covered.start >= locus.end:
                break
            if covered.start > start:
                found.append(Locus(locus.contig, start, covered.start))
            start = max(start, covered.end)
        if start < locus.end:
            found.append(Locus(locus.contig, start, locus.end))
        return tuple(found)

    def share(self, locus: Locus) -> float:
        """Return which part of a locus is covered, from 0 to 1."""
        return 1 - sum(gap.length for gap in self.missing(locus)) / locus.length

    def describe(self, locus: Locus) -> str:
        """Say of which bases of a locus nothing is known, and what is covered; "" where all of it is."""
        missing = self.missing(locus)
        if not missing:
            return ""
        places = _listed([str(gap) for gap in missing])
        return f"{self.extent()}: of {places} nothing is known"

    def extent(self) -> str:
        """Say what is covered."""
        if self.loci:
            near = _listed([str(covered) for covered in self.loci])
            return f"the genotypes of {self.file} cover {near}"
        if self.elsewhere:
            contigs = _listed([shown_contig(name) for name in self.elsewhere])
            return f"the genotypes of {self.file} cover {contigs} only"
        return f"{self.file} holds no genotypes"


def join_all(intervals: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Join what several files cover."""
    every = np.concatenate([np.empty((0, 2), dtype=np.int64), *intervals])
    return join_intervals(every[:, 0], every[:, 1])


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]

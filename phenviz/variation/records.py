"""Records as a file has them, and what every kind of file offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus
from phenviz.progress import Progress

MISSING = -1
ABSENT = -2
NO_PHASE_SET = 0


@dataclass(frozen=True, eq=False)
class Calls:
    """Genotypes of R records in S samples.

    Parameters
    ----------
    alleles
        Index into REF and the alternates, shape (R, S, 2); `MISSING` where the call is missing,
        `ABSENT` in the second place of a haploid call.
    phased
        Whether the order of the two alleles means something, shape (R, S).
    phase_set
        Name of the interval within which calls are phased relative to one another, shape (R, S);
        `NO_PHASE_SET` where the file names none.
    has_genotype
        Whether the record has genotypes at all, shape (R,).
    """

    alleles: NDArray[np.int16]
    phased: NDArray[np.bool_]
    phase_set: NDArray[np.int64]
    has_genotype: NDArray[np.bool_]

    def select(self, rows: NDArray[np.intp]) -> Calls:
        """Return the calls of the given records."""
        return Calls(self.alleles[rows], self.phased[rows], self.phase_set[rows], self.has_genotype[rows])


@dataclass(frozen=True, eq=False)
class Records:
    """R records in the order of the file, unchanged but for upper case.

    Parameters
    ----------
    contig, position, reference, alternates, ids
        As in the file; positions count from 1; an id that is missing is "".
    number
        Which record of the file each is, from 1; 0 where it was found through an index.
    calls
        Genotypes of the samples asked for; None where only sites were read.
    """

    contig: list[str]
    position: NDArray[np.int64]
    reference: list[str]
    alternates: list[tuple[str, ...]]
    ids: list[str]
    number: NDArray[np.int64]
    calls: Calls | None = None

    def __len__(self) -> int:
        return len(self.contig)

    def select(self, rows: NDArray[np.intp]) -> Records:
        """Return the given records, in this order."""
        lists = ([column[row] for row in rows] for column in (self.contig, self.reference, self.ids))
        contig, reference, ids = lists
        return Records(
            contig=contig,
            position=self.position[rows],
            reference=reference,
            alternates=[self.alternates[row] for row in rows],
            ids=ids,
            number=self.number[rows],
            calls=None if self.calls is None else self.calls.select(rows),
        )


class Source(Protocol):
    """A file of variants, with or without genotypes."""

    path: Path
    samples: tuple[str, ...]
    # whether a locus is found without reading what comes before it
    indexed: bool
    # what a user should know about how this file is read
    notes: tuple[str, ...]

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus, ``size`` at a time.

        Parameters
        ----------
        locus
            None for the whole file. Its contig may be named with or without ``chr``.
        samples
            Rising indices of the samples whose genotypes are read; None for sites only.
        size
            At most so many records per chunk; one may be empty, so that whoever waits can look up.
        """
        ...

    def covered(self, contig: str, progress: Progress) -> NDArray[np.int64]:
        """Return what is covered of a contig: starts and ends as in `Coverage`, sorted, shape (n, 2)."""
        ...

    def contigs(self, progress: Progress) -> tuple[str, ...]:
        """Return the contigs that have records, without ``chr``."""
        ...


def touches(position: int, length: int, locus: Locus) -> bool:
    """Tell whether ``length`` bases from a 1-based position share a base with a locus."""
    return position <= locus.end and position - 1 + length > locus.start

"""Several files of the same samples, such as one per chromosome, as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus
from phenviz.progress import Progress
from phenviz.variation.coverage import join_all
from phenviz.variation.records import Records, Source


class ChainedSource:
    """Files of the same samples, read one after another.

    Parameters
    ----------
    sources
        All with the same samples in the same order; the attribute of this name has them, too.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self.path = sources[0].path
        self.samples = sources[0].samples
        self.indexed = all(source.indexed for source in sources)
        self.notes = tuple(note for source in sources for note in source.notes)

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus; see `Source.records`."""
        for source in self.sources:
            yield from source.records(locus, samples, size)

    def covered(self, contig: str, progress: Progress) -> NDArray[np.int64]:
        """Return what is covered of a contig; see `Source.covered`."""
        return join_all(source.covered(contig, progress) for source in self.sources)

    def contigs(self, progress: Progress) -> tuple[str, ...]:
        """Return the contigs that have records."""
        return tuple(dict.fromkeys(name for source in self.sources for name in source.contigs(progress)))


def group_by_samples(sources: Sequence[Source]) -> list[Source]:
    """Join files that have the same samples; the order of the first of each stays."""
    groups: dict[tuple[str, ...], list[Source]] = {}
    for source in sources:
        groups.setdefault(source.samples, []).append(source)
    return [group[0] if len(group) == 1 else ChainedSource(group) for group in groups.values()]

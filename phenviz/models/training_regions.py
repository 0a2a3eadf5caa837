"""Where a model learns and where it is tested: contigs, laid end to end, and the regions held out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray

from phenviz.errors import DataError, ModelError
from phenviz.genome.codes import N_CODE
from phenviz.genome.locus import Locus, bare_contig
from phenviz.genome.reference import ReferenceGenome

# contig, start and end, 0-based half-open
Region = tuple[str, int, int]
# N between contigs: more than any window reaches, so that none sees two of them
SPACER = 8_192
# a learner's arrays: bases, free positions, sums of unknown bases, and 8 bytes for background positions
_BYTES_PER_BASE = 16


def check_regions(
    reference: ReferenceGenome, held_out: Mapping[str, Sequence[Region]]
) -> dict[str, list[Region]]:
    """Give regions the reference's names of contigs, and check that they lie on them and don't overlap.

    Parameters
    ----------
    reference
        The genome.
    held_out
        Name of a part (``"test"``) -> its regions.

    Raises
    ------
    DataError
        If a part is empty, a region leaves its contig or overlaps another one.
    LocusError
        If the reference has no such contig.
    """
    checked: dict[str, list[Region]] = {}
    seen: list[tuple[str, Locus]] = []
    for part, regions in held_out.items():
        if not regions:
            raise DataError(f"the {part} part has no region: name at least one region or contig")
        checked[part] = []
        for contig, start, end in regions:
            locus = reference.inside(Locus(contig, start, end))
            for other, place in seen:
                if place.overlaps(locus):
                    raise DataError(f"{part} region {locus} overlaps {other} region {place}: give others")
            seen.append((part, locus))
            checked[part].append((locus.contig, locus.start, locus.end))
    return checked


@dataclass(frozen=True)
class JoinedContigs:
    """Contigs laid end to end, with N between them, so that one coordinate names a place on any of them.

    Parameters
    ----------
    names
        Of the contigs, as in the reference.
    starts, lengths
        Where each begins, and its bases.
    codes
        Bases of all, shape (L,).
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @classmethod
    def of(cls, reference: ReferenceGenome, contigs: Iterable[str]) -> JoinedContigs:
        """Lay out contigs of a reference, each once, in the order of the reference.

        Raises
        ------
        ModelError
            If they don't fit into memory together.
        """
        wanted = {reference.resolve_contig(contig) for contig in contigs}
        names = tuple(name for name in reference.contigs if name in wanted)
        lengths = [reference.contigs[name] for name in names]
        needed, free = _BYTES_PER_BASE * sum(lengths), psutil.virtual_memory().available
        if needed > free:
            raise ModelError(
                f"{len(names)} contigs of {sum(lengths) / 1e6:,.0f} Mb take about {needed / 1e9:.1f} GB of "
                f"memory, and {free / 1e9:.1f} GB are free: name fewer contigs to learn from"
            )
        if len(names) == 1:
            return cls(names, np.zeros(1, np.int64), np.array(lengths), reference.codes(names[0]))
        # each begins at a multiple of the spacer, so that steps and bins lie as they do on the contig alone
        room = [-(-length // SPACER) * SPACER + SPACER for length in lengths]
        starts = np.cumsum([0, *room])[:-1]
        codes = np.full(starts[-1] + lengths[-1], N_CODE, np.uint8)
        for name, start, length in zip(names, starts, lengths, strict=True):
            codes[start : start + length] = reference.codes(name)
        return cls(names, starts.astype(np.int64), np.array(lengths), codes)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each contig ends."""
        return self.starts + self.lengths

    def contig_at(self, positions: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the contig that each position of the joined coordinate lies on."""
        return np.array(self.names)[np.searchsorted(self.starts, positions, side="right") - 1]

    def interval(self, region: Region) -> tuple[int, int]:
        """Return start and end of a region in the joined coordinate."""
        first = int(self.starts[self.names.index(region[0])])
        return first + region[1], first + region[2]

    def place(self, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """Move a table's positions to the joined coordinate; rows of other contigs are left out."""
        shift = {bare_contig(name): start for name, start in zip(self.names, self.starts, strict=True)}
        contig = table["contig"].astype(str).map(bare_contig)
        kept = contig.isin(shift)
        moved = table[kept].reset_index(drop=True)
        away = contig[kept].map(shift).to_numpy(np.int64)
        return moved.assign(**{name: moved[name].to_numpy(np.int64) + away for name in columns})

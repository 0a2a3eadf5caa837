"""Where the bases of one assembly lie on another: chain files, as UCSC's liftOver reads them."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.locus import bare_contig, contig_key

LEAST_MAPPED = 0.95
# why something has no place on the other assembly, in the words that a user reads
REASONS = {
    "unknown_contig": "on contigs that the chain file doesn't lead from",
    "beyond_contig": "beyond the end of their contig",
    "unmapped": "where the other assembly has nothing that corresponds",
    "partly_mapped": "of which too few bases correspond",
    "split": "that lie across a gap or the ends of aligned blocks, so in pieces on the other assembly",
    "ambiguous": "that correspond to several places",
}


@dataclass(frozen=True, slots=True)
class Lifted:
    """A place on the assembly that a chain file leads to.

    Parameters
    ----------
    contig
        Its name there, in the style (``chr20`` or ``20``) of the one that was asked for.
    start, end
        0-based half-open, on the forward strand.
    reverse
        Whether the bases lie there on the other strand.
    """

    contig: str
    start: int
    end: int
    reverse: bool


class Chains:
    """A chain file, plain or gzip.

    Parameters
    ----------
    path
        As from UCSC: ``hg38ToHg19.over.chain.gz``.

    Raises
    ------
    DataError
        If the file is missing, damaged, or holds no chains.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = _read(self.path)
        self._names = {contig_key(name): name for name in self._file.chain_index}
        #: Bases of each contig of the assembly that the chains lead to, by the file's own names.
        self.target_lengths: dict[str, int] = {
            chain.target_name: chain.target_size for chain in self._file.chains
        }
        self._blocks: dict[int, NDArray[np.int64]] = {}
        self._source_lengths = {chain.source_name: chain.source_size for chain in self._file.chains}

    def bases(self, contig: str, start: int, end: int) -> Lifted | str:
        """Find bases that lie side by side on the other assembly, too.

        Parameters
        ----------
        contig
            With or without ``chr``.
        start, end
            0-based half-open.

        Returns
        -------
        Lifted or str
            As long as what was asked for; or one of `REASONS`: all bases must lie in one aligned block, and
            in no other.
        """
        name = self._names.get(contig_key(contig), "")
        if fault := self._fault(name, start, end):
            return fault
        places = {self._place(block, start, end) for block in self._file.query(name, start)}
        alone = end - start == 1
        ends = (
            places
            if alone
            else {self._place(block, end - 1, end) for block in self._file.query(name, end - 1)}
        )
        if not places:
            return "split" if ends else "unmapped"
        if len(places) > 1 or len(ends) > 1:
            return "ambiguous"
        (place,) = places
        if place is None:
            return "split"
        return Lifted(self._styled(place.contig, contig, name), place.start, place.end, place.reverse)

    def interval(self, contig: str, start: int, end: int, least: float = LEAST_MAPPED) -> Lifted | str:
        """Find an interval of which not every base need correspond, as UCSC's liftOver does.

        Parameters
        ----------
        contig, start, end
            As for `bases`.
        least
            Share of the bases that one chain has to hold, and of those between its ends on the other assembly
            that have to be theirs.

        Returns
        -------
        Lifted or str
            From the first to the last base that corresponds; or one of `REASONS`.
        """
        name = self._names.get(contig_key(contig), "")
        if fault := self._fault(name, start, end):
            return fault
        first, last, chains = self._chains_of[name]
        touching = [chains[place] for place in np.flatnonzero((first < end) & (last > start))]
        pieces = [found for chain in touching if (found := self._piece(chain, start, end))]
        good = {place for place, mapped in pieces if mapped >= least * (end - start)}
        if not good:
            return "unmapped" if not pieces else "split" if len(pieces) > 1 else "partly_mapped"
        if len(good) > 1:
            return "ambiguous"
        (place,) = good
        mapped = max(count for found, count in pieces if found == place)
        if mapped < least * (place.end - place.start):
            return "split"
        return Lifted(self._styled(place.contig, contig, name), place.start, place.end, place.reverse)

    def _fault(self, name: str, start: int, end: int) -> str:
        if not name:
            return "unknown_contig"
        return "" if 0 <= start < end <= self._source_lengths[name] else "beyond_contig"

    def _place(self, block: tuple[int, int, Any], start: int, end: int) -> Lifted | None:
        """Return where an aligned block puts some bases; None where they don't all lie in it."""
        first, last, (target, chain) = block
        if end > last:
            return None
        return _on_forward(chain, target + start - first, target + end - first)

    @cached_property
    def _chains_of(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64], list[Any]]]:
        """Start, end and chain of all chains of each contig."""
        grouped: dict[str, list[Any]] = {name: [] for name in self._file.chain_index}
        for chain in self._file.chains:
            grouped[chain.source_name].append(chain)
        return {
            name: (
                np.array([chain.source_start for chain in chains]),
                np.array([chain.source_end for chain in chains]),
                chains,
            )
            for name, chains in grouped.items()
        }

    def _piece(self, chain: Any, start: int, end: int) -> tuple[Lifted, int] | None:
        """Return what a chain holds of an interval, and how many of its bases; None if none."""
        blocks = self._blocks.get(id(chain))
        if blocks is None:
            blocks = self._blocks[id(chain)] = np.array(chain.blocks, dtype=np.int64)
        firsts, lasts, targets = blocks[:, 0], blocks[:, 1], blocks[:, 2]
        low, high = np.searchsorted(lasts, start, "right"), np.searchsorted(firsts, end, "left")
        if low >= high:
            return None
        begins, ends = np.maximum(firsts[low:high], start), np.minimum(lasts[low:high], end)
        mapped = int(np.maximum(ends - begins, 0).sum())
        if not mapped:
            return None
        shift = targets[low:high] - firsts[low:high]
        return _on_forward(chain, int(begins[0] + shift[0]), int(ends[-1] + shift[-1])), mapped

    def _styled(self, found: str, asked: str, name: str) -> str:
        """Name a contig as the user names theirs: without ``chr`` where only the file has it."""
        shorter = bare_contig(asked) == asked and bare_contig(name) != name
        return bare_contig(found) if shorter else found


def _on_forward(chain: Any, start: int, end: int) -> Lifted:
    reverse = chain.target_strand == "-"
    if reverse:
        # a chain counts the other strand's bases from that strand's own beginning
        start, end = chain.target_size - end, chain.target_size - start
    return Lifted(chain.target_name, start, end, reverse)


def _read(path: Path) -> Any:
    from pyliftover.chainfile import LiftOverChainFile

    if not path.is_file():
        raise DataError(
            f"chain file {path} is missing: give its path, or the name of a data pack that has it"
        )
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as lines:
            found = LiftOverChainFile(lines)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"chain file {path} can't be read to its end ({error}): fetch it again") from error
    except Exception as error:  # the library raises plain exceptions
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"chain file {path} is damaged or no chain file ({said}): fetch it again") from error
    if not found.chains:
        raise DataError(f"{path} holds no chain: give a chain file such as hg38ToHg19.over.chain.gz")
    return found

"""VCF and BCF files, plain or compressed, indexed or not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.locus import Locus, same_contig
from phenviz.progress import Progress
from phenviz.variation.broken_vcf import (
    UNPACKING,
    byte_lines,
    damaged,
    is_bgzip,
    lacks_end_mark,
    lacks_line_end,
    read_head,
    refuse_half_block,
    text_of,
)
from phenviz.variation.records import Calls, Records, touches
from phenviz.variation.vcf_coverage import VcfCoverage
from phenviz.variation.vcf_genotypes import read_calls
from phenviz.variation.vcf_lines import Line, found_lines, stream_lines

# a file and its index are often copied one after the other
_SECONDS_OF_COPYING = 60
# of a file up to this many bytes without an index, the order of all records is looked at once
_SMALL = 2**24
# records passed by on the way to a locus before whoever waits can look up
_LOOK_UP = 10_000


class VcfSource:
    """A VCF or BCF file.

    Parameters
    ----------
    path
        VCF (plain, gzip or bgzip) or BCF; an index (``.tbi`` or ``.csi``) beside it is used.

    Attributes
    ----------
    samples
        In the order of the file; empty where it has sites only.
    indexed
        Whether a locus is found through an index.
    notes
        Says where the file has to be streamed.

    Raises
    ------
    DataError
        If the file is missing, can't be read, or is no VCF.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._head = read_head(self.path)
        self.samples = self._head.samples
        self._index = _index_of(self.path)
        self.indexed = self._index is not None
        self._coverage = VcfCoverage(self.path, self._head.binary, self._index)
        if lacks_end_mark(self.path):
            refuse_half_block(self.path)
        self.notes = _notes(self.path, self._index)

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus; see `Source.records`."""
        numbered: Iterator[tuple[int, Line | None]]
        if locus is not None and self._index is not None:
            numbered = ((0, line) for line in found_lines(self.path, self._head, locus, self._index))
        else:
            numbered = self._streamed(locus)
        chosen = None if samples is None else np.asarray(samples, dtype=np.intp)
        chunk: list[tuple[int, Line]] = []
        for number, line in numbered:
            if line is not None:
                chunk.append((number, line))
            if line is None or len(chunk) == size:
                yield self._records(chunk, chosen)
                chunk = []
        if chunk:
            yield self._records(chunk, chosen)

    def covered(self, contig: str, progress: Progress) -> NDArray[np.int64]:
        """Return what is covered of a contig; see `Source.covered`."""
        return self._coverage.of_contig(contig, progress)

    def contigs(self, progress: Progress) -> tuple[str, ...]:
        """Return the contigs that have records."""
        return self._coverage.contigs(progress)

    def _streamed(self, locus: Locus | None) -> Iterator[tuple[int, Line | None]]:
        order = _Order(self.path)
        stat = self.path.stat()
        if locus is not None and not self._head.binary and stat.st_size <= _SMALL:
            # behind the locus nobody looks, where records of it may lie in a file that isn't sorted
            _check_order(self.path, stat.st_size, stat.st_mtime_ns)
        for number, line in enumerate(stream_lines(self.path, self._head), 1):
            order.check(number, line.contig, line.position)
            if locus is None:
                yield number, line
            elif same_contig(line.contig, locus.contig):
                if line.position > locus.end:
                    return
                if touches(line.position, len(line.reference), locus):
                    yield number, line
            if locus is not None and number % _LOOK_UP == 0:
                yield number, None

    def _records(self, chunk: list[tuple[int, Line]], chosen: NDArray[np.intp] | None) -> Records:
        lines = [line for _, line in chunk]
        return Records(
            contig=[line.contig for line in lines],
            position=np.array([line.position for line in lines], dtype=np.int64),
            reference=[line.reference for line in lines],
            alternates=[line.alternates for line in lines],
            ids=[line.id for line in lines],
            number=np.array([number for number, _ in chunk], dtype=np.int64),
            calls=None if chosen is None else self._calls(chunk, chosen),
        )

    def _calls(self, chunk: list[tuple[int, Line]], chosen: NDArray[np.intp]) -> Calls:
        def fail(row: int, problem: str) -> DataError:
            number, line = chunk[row]
            place = f"{line.contig}:{line.position}"
            if line.number and problem.startswith(":"):
                place = f"line {line.number}"
            elif number:
                place = f"record {number:,}, {place}"
            return DataError(f"{self.path}, {place}{problem}")

        forms, texts = [line.form for _, line in chunk], [line.calls for _, line in chunk]
        calls = read_calls(forms, texts, len(self.samples), chosen, fail)
        known = np.array([len(line.alternates) for _, line in chunk], dtype=np.int64)
        largest = calls.alleles.max(axis=(1, 2), initial=0)
        for row in np.flatnonzero(largest > known).tolist():
            raise fail(
                row,
                f" has a genotype with allele {largest[row]}, but {known[row]} alternate alleles: "
                "the file is damaged; write it again",
            )
        return calls


class _Order:
    """Notices a record that comes too late."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contig: str | bytes = ""
        self._position = 0
        self._done: set[str | bytes] = set()

    def check(self, number: int, contig: str | bytes, position: int) -> None:
        """Raise if a record, whose number is told, comes too late."""
        if contig != self._contig:
            self._done.add(self._contig)
            self._contig, self._position = contig, 0
        if position < self._position or contig in self._done:
            name = text_of(contig) if isinstance(contig, bytes) else contig
            raise DataError(
                f"{self._path}, record {number:,}: {name}:{position} comes too late, the file isn't "
                "sorted: `bcftools sort -Oz -o sorted.vcf.gz` sorts it"
            )
        self._position = position


@lru_cache(maxsize=64)
def _check_order(path: Path, size: int, modified: int) -> None:
    # size and time are arguments so that a file that was replaced is looked at again
    order, number = _Order(path), 0
    try:
        for line in byte_lines(path):
            columns = line.split(b"\t", 2)
            # what else is wrong with a line is told once it is read
            if not line.startswith(b"#") and len(columns) > 1 and columns[1].isdigit():
                number += 1
                order.check(number, columns[0], int(columns[1]))
    except UNPACKING as error:
        raise DataError(damaged(path, error)) from error


def _notes(path: Path, index: Path | None) -> tuple[str, ...]:
    notes = []
    if index is None:
        notes.append(
            f"{path.name} has no index and is read from its start for every locus: compressed by bgzip and "
            "indexed by bcftools it is read at once"
        )
    elif index.stat().st_mtime < path.stat().st_mtime - _SECONDS_OF_COPYING:
        notes.append(
            f"{index.name} is older than its file: if that has changed since, run `bcftools index -f`"
        )
    if lacks_line_end(path):
        notes.append(f"{path.name} ends within a line: it may have been cut short")
    if lacks_end_mark(path):
        notes.append(f"{path.name} lacks the mark that ends a bgzip file: it may have been cut short")
    return tuple(notes)


def _index_of(path: Path) -> Path | None:
    if not is_bgzip(path):
        return None
    for suffix in (".csi", ".tbi"):
        index = path.with_name(path.name + suffix)
        if index.is_file():
            return index
    return None

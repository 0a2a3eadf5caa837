"""Which bases the records of a VCF or BCF stand for; only their first columns are looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phenviz.genome.intervals import join_intervals, merged
from phenviz.genome.locus import contig_key
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.broken_vcf import UNPACKING, byte_lines, text_of
from phenviz.variation.coverage import LONGEST_GAP
from phenviz.variation.htslib import quiet_pysam

_END = re.compile(rb"(?:^|;)END=(\d{1,18})(?:;|$)")
_MOST_DIGITS = 18
# ALT of a block of bases that are the reference's
_AS_REFERENCE = (b".", b"<NON_REF>", b"<*>")
# a gVCF shows within so many records that it is one
_FIRST = 1_000
_LOOK_UP = 50_000
# who reads the records says what is wrong with them; here, what can't be read isn't covered
_DAMAGED = (*UNPACKING, ValueError)


class _Interval(NamedTuple):
    contig: str
    start: int
    end: int
    as_reference: bool


# records that touch 0-based bases from a start to an end, None for the contig's
_Fetch = Callable[[int, int | None], Iterator[_Interval]]


class VcfCoverage:
    """Where the records of a file lie, looked up once for each contig.

    Parameters
    ----------
    path
        VCF or BCF.
    binary
        Whether it is a BCF.
    index
        Through which records are found; None to read the file from its start.
    """

    def __init__(self, path: Path, binary: bool, index: Path | None) -> None:
        self._path, self._binary, self._index = path, binary, index
        self._known: dict[str, NDArray[np.int64]] = {}
        self._whole = False

    def of_contig(self, contig: str, progress: Progress = NO_PROGRESS) -> NDArray[np.int64]:
        """Return starts and ends of what a contig's records cover (see `Coverage`), shape (n, 2)."""
        wanted = contig_key(contig)
        if self._index is None:
            self._stream(progress)
        elif wanted not in self._known:
            names = [name for name in self._names() if contig_key(name) == wanted]
            found = [pair for name in names for pair in _covered(partial(self._fetch, name), progress)]
            self._known[wanted] = _joined(found, 1)
        return self._known.get(wanted, np.empty((0, 2), dtype=np.int64))

    def contigs(self, progress: Progress = NO_PROGRESS) -> tuple[str, ...]:
        """Return the contigs that have records, without ``chr``."""
        if self._index is None:
            self._stream(progress)
            return tuple(self._known)
        names = [name for name in self._names() if _touched(partial(self._fetch, name), 0, None)]
        return tuple(dict.fromkeys(contig_key(name) for name in names))

    def _open(self) -> Any:
        pysam = quiet_pysam()
        if self._binary:
            return pysam.VariantFile(str(self._path))
        # Latin-1 gives back every byte as it was
        return pysam.TabixFile(str(self._path), index=str(self._index), encoding="latin-1")

    def _names(self) -> list[str]:
        with closing(self._open()) as opened:
            return list(opened.header.contigs if self._binary else opened.contigs)

    def _fetch(self, name: str, start: int, end: int | None) -> Iterator[_Interval]:
        # opened each time: pysam reads nothing any more after it has met damage
        try:
            with closing(self._open()) as opened:
                found = opened.fetch(name, start, end)
                yield from map(_of_record, found) if self._binary else _of_texts(found)
        except _DAMAGED:
            return

    def _stream(self, progress: Progress) -> None:
        if self._whole:
            return
        gap = 1 if _has_blocks(self._lines()) else LONGEST_GAP
        joined: dict[str, list[list[int]]] = {}
        for number, (contig, start, end, _) in enumerate(self._lines()):
            if number % _LOOK_UP == 0:
                progress.check()
            intervals = joined.setdefault(contig, [[start, end]])
            if start - intervals[-1][1] < gap and start >= intervals[-1][0]:
                intervals[-1][1] = max(intervals[-1][1], end)
            else:
                intervals.append([start, end])
        self._known = {name: _joined(intervals, gap) for name, intervals in joined.items()}
        self._whole = True

    def _lines(self) -> Iterator[_Interval]:
        try:
            if self._binary:
                with closing(self._open()) as opened:
                    yield from map(_of_record, opened)
            else:
                lines = (line for line in byte_lines(self._path) if not line.startswith(b"#"))
                yield from filter(None, map(_of_line, lines))
        except _DAMAGED:
            return


def _covered(fetch: _Fetch, progress: Progress) -> list[tuple[int, int]]:
    """Find what records of a contig cover without reading all: windows in which there is none show gaps."""
    first = _next(fetch, 0)
    if first is None:
        return []
    if _has_blocks(fetch(0, None)):
        return merged((interval.start, interval.end) for interval in fetch(0, None))
    found: list[tuple[int, int]] = []
    step, start = LONGEST_GAP // 2, first.start
    window = start // step
    while True:
        progress.check()
        window += 1
        if _touched(fetch, window * step, (window + 1) * step):
            continue
        end, behind = _end_before(fetch, start, window * step), _next(fetch, window * step)
        if behind is None:
            return [*found, (start, end)]
        if behind.start - end >= LONGEST_GAP:
            found.append((start, end))
            start = behind.start
        window = behind.start // step


def _end_before(fetch: _Fetch, low: int, high: int) -> int:
    """Return the end of the records before a place that none touches; one touches the base at ``low``."""
    bound = high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _touched(fetch, middle, bound) else (low, middle)
    return low + 1


def _touched(fetch: _Fetch, start: int, end: int | None) -> bool:
    return next(fetch(start, end), None) is not None


def _next(fetch: _Fetch, start: int) -> _Interval | None:
    return next(fetch(start, None), None)


def _has_blocks(intervals: Iterator[_Interval]) -> bool:
    return any(interval.as_reference for interval in islice(intervals, _FIRST))


def _joined(pairs: Sequence[Sequence[int]], gap: int) -> NDArray[np.int64]:
    starts, ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return join_intervals(starts, ends, gap)


def _of_texts(found: Iterable[str]) -> Iterator[_Interval]:
    return filter(None, (_of_line(text.encode("latin-1")) for text in found))


def _of_line(line: bytes) -> _Interval | None:
    columns = line.rstrip(b"\r\n").split(b"\t", 8)[:8]
    if len(columns) < 8 or not columns[1].isdigit() or len(columns[1]) > _MOST_DIGITS:
        return None
    start = max(int(columns[1]) - 1, 0)
    said = _END.search(columns[7])
    end = max(start + len(columns[3]), int(said[1]) if said else 0)
    block = end > start + len(columns[3]) and columns[4] in _AS_REFERENCE
    return _Interval(contig_key(text_of(columns[0])), start, end, block)


def _of_record(record: Any) -> _Interval:
    alternates = ",".join(record.alts or ".").encode()
    block = record.stop > record.start + len(record.ref) and alternates in _AS_REFERENCE
    return _Interval(contig_key(record.contig), max(record.start, 0), record.stop, block)

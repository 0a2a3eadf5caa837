"""The records of a VCF or BCF as lines, each with its fixed columns read and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from phenviz.errors import DataError
from phenviz.genome.locus import Locus, same_contig
from phenviz.variation.broken_vcf import UNPACKING, Head, byte_lines, damaged, text_of
from phenviz.variation.htslib import quiet_pysam
from phenviz.variation.report import counted

# a position of more digits fits no contig, and no 64-bit number
_MOST_DIGITS = 18
_SHORT, _LONG = 40, 2_000
_TAB = ord("\t")
_WRITE_AGAIN = "write the file again"


class Line(NamedTuple):
    """One record.

    Parameters
    ----------
    number
        Of the line in the file, from 1; 0 where it was found through an index or in a BCF.
    contig, position, id, reference, alternates
        As in the file but for upper case; positions count from 1; an id that is missing is "".
    form, calls
        FORMAT, and what follows it; both empty where the file has sites only.
    """

    number: int
    contig: str
    position: int
    id: str
    reference: str
    alternates: tuple[str, ...]
    form: bytes
    calls: bytes


def stream_lines(path: Path, head: Head) -> Iterator[Line]:
    """Read all records of a file.

    Raises
    ------
    DataError
        If it is damaged, or a line is no record: names the line.
    """
    if head.binary:
        yield from _bcf_lines(path, head, None)
        return
    blank, begun = 0, False
    try:
        for number, line in enumerate(byte_lines(path), 1):
            if line.startswith(b"#"):
                if begun:
                    raise DataError(
                        f"{path}, line {number}: a header among the records, as where files were joined as "
                        "they are: join them with `bcftools concat`"
                    )
                begun = line.startswith(b"#CHROM")
                continue
            # at the end of a file blank lines do no harm
            if not line.strip():
                blank = blank or number
                continue
            if blank:
                raise DataError(f"{path}, line {blank}: the line is blank: remove it")
            yield _parsed(line, head.columns, number, f"{path}, line {number}: ")
    except UNPACKING as error:
        raise DataError(damaged(path, error)) from error


def found_lines(path: Path, head: Head, locus: Locus, index: Path) -> Iterator[Line]:
    """Read the records that touch a locus through the file's index.

    Raises
    ------
    DataError
        If the file or its index is damaged, or a line is no record.
    """
    if head.binary:
        yield from _bcf_lines(path, head, locus)
        return
    for text in _guarded(path, _indexed_texts(path, locus, index)):
        yield _parsed(text.encode("latin-1"), head.columns, 0, f"{path}, {locus}: ")


def _indexed_texts(path: Path, locus: Locus, index: Path) -> Iterator[str]:
    # Latin-1 gives back every byte as it was
    with closing(quiet_pysam().TabixFile(str(path), index=str(index), encoding="latin-1")) as opened:
        for name in opened.contigs:
            if same_contig(name, locus.contig):
                yield from opened.fetch(name, locus.start, locus.end)


def _bcf_lines(path: Path, head: Head, locus: Locus | None) -> Iterator[Line]:
    for number, text in enumerate(_guarded(path, _bcf_texts(path, locus)), 1):
        where = f"{path}, {f'record {number:,}' if locus is None else locus}: "
        yield _parsed(text, head.columns, 0, where)


def _bcf_texts(path: Path, locus: Locus | None) -> Iterator[bytes]:
    with _closed(quiet_pysam().VariantFile(str(path))) as opened:
        if locus is None:
            yield from map(_text_of_record, opened)
            return
        for name in opened.header.contigs:
            if same_contig(name, locus.contig):
                yield from map(_text_of_record, opened.fetch(name, locus.start, locus.end))


@contextmanager
def _closed(opened: Any) -> Iterator[Any]:
    try:
        yield opened
    except BaseException:
        # something has been told already, and closing a damaged file fails as well
        with suppress(OSError):
            opened.close()
        raise
    opened.close()


def _text_of_record(record: Any) -> bytes:
    # pysam writes a whole record much faster than it gives out one genotype after the other
    try:
        return str(record).encode()
    except UnicodeDecodeError:
        # INFO is what may hold any byte, and nobody asks for it here
        record.info.clear()
        return str(record).encode()


def _guarded(path: Path, found: Any) -> Iterator[Any]:
    iterator = iter(found)
    while True:
        try:
            one = next(iterator)
        except StopIteration:
            return
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        yield one


def _unreadable(path: Path, error: Exception) -> DataError:
    # pysam's own words say little ("truncated file", "error code -2")
    return DataError(
        f"{path} can't be read to its end ({(str(error).splitlines() or [''])[0]}): it is cut short or "
        "damaged, or its index belongs to another file; copy it again, or run `bcftools index -f`"
    )


def _parsed(line: bytes, columns: int, number: int, where: str) -> Line:
    line = line.rstrip(b"\r\n")
    there = _tabs_of(line) + 1
    if there != columns:
        # what stands there says more than a number, where it is short
        words = f" (it reads {text_of(line)!r})" if len(line) < _SHORT else ""
        raise DataError(
            f"{where}{counted(there, 'column')} where the header has {columns}{words}: {_WRITE_AGAIN}"
        )
    contig, position, name, reference, alternates, _, _, _, *rest = line.split(b"\t", 9)
    if b"\0" in contig + name + reference + alternates:
        raise DataError(f"{where}a zero byte, as where a disk failed: {_WRITE_AGAIN}")
    if not position.isdigit() or len(position) > _MOST_DIGITS:
        raise DataError(f"{where}POS is {text_of(position)[:20]!r}, no whole number: {_WRITE_AGAIN}")
    if not reference.strip(b".") or not alternates:
        raise DataError(f"{where}REF or ALT is empty: {_WRITE_AGAIN}")
    return Line(
        number=number,
        contig=text_of(contig),
        position=int(position),
        id="" if name == b"." else text_of(name),
        reference=text_of(reference).upper(),
        alternates=() if alternates == b"." else tuple(text_of(alternates).upper().split(",")),
        form=rest[0] if rest else b"",
        calls=rest[1] if len(rest) > 1 else b"",
    )


def _tabs_of(line: bytes) -> int:
    # of thousands of samples NumPy counts three times as fast
    if len(line) < _LONG:
        return line.count(b"\t")
    return int(np.count_nonzero(np.frombuffer(line, dtype=np.uint8) == _TAB))

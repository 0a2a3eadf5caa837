"""The head of a VCF, and what is wrong with one that can't be read, in one sentence."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from phenviz.errors import DataError

_GZIP = b"\x1f\x8b"
# blocks of bgzip are gzip members with a field BC; the last one is empty (SAM specification, 4.1)
_BGZF = re.compile(rb"\x1f\x8b\x08\x04.{8}BC\x02\x00", re.DOTALL)
_BGZF_HEAD = 18
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
# what some editors and spreadsheets put in front of a text
_MARKS = {
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
# what can go wrong while a file is unpacked
UNPACKING = (EOFError, OSError, zlib.error)
_BUFFER = 2**20


@dataclass(frozen=True)
class Head:
    """What the head of a VCF or BCF says.

    Parameters
    ----------
    samples
        In the order of the file; empty where it has sites only.
    columns
        Number of columns of every record.
    binary
        Whether it is a BCF.
    """

    samples: tuple[str, ...]
    columns: int
    binary: bool


def read_head(path: Path) -> Head:
    """Look at a file's first bytes and header.

    Raises
    ------
    DataError
        If the file is missing, unreadable, empty, no VCF or BCF, or its header is broken.
    """
    _check_file(path)
    start = _first_bytes(path)
    if start.startswith((b"BCF\2", b"BCF\1")):
        return _head_of_bcf(path)
    if not start.strip():
        raise DataError(f"{path} is empty: give a VCF or BCF file with its header")
    if not start.startswith(b"##fileformat=VCF"):
        raise DataError(_no_vcf(path, start))
    try:
        return _head_of_text(path)
    except UNPACKING as error:
        raise DataError(damaged(path, error)) from error


def is_bgzip(path: Path) -> bool:
    """Tell whether a file was compressed block by block: only then an index can point into it."""
    with path.open("rb") as raw:
        return _BGZF.match(raw.read(16)) is not None


def lacks_end_mark(path: Path) -> bool:
    """Tell whether a bgzip file has lost its end; what is left may well be whole records."""
    if not is_bgzip(path):
        return False
    with path.open("rb") as raw:
        raw.seek(max(path.stat().st_size - len(_BGZF_END), 0))
        return raw.read() != _BGZF_END


def lacks_line_end(path: Path) -> bool:
    """Tell whether a plain text ends within a line."""
    if not _first_bytes(path).startswith(b"##"):
        return False
    with path.open("rb") as raw:
        if raw.read(2) == _GZIP:
            return False
        raw.seek(-1, os.SEEK_END)
        return raw.read() != b"\n"


def refuse_half_block(path: Path) -> None:
    """Look whether a bgzip file ends within a block: through an index, what is missing looks like no record.

    Raises
    ------
    DataError
        If it does.
    """
    size, place = path.stat().st_size, 0
    with path.open("rb") as raw:
        while place < size:
            raw.seek(place)
            head = raw.read(_BGZF_HEAD)
            if len(head) == _BGZF_HEAD and not _BGZF.match(head):
                # laid out in another way than bgzip does it
                return
            # the field holds the block's length less one
            place += int.from_bytes(head[16:18], "little") + 1 if len(head) == _BGZF_HEAD else _BGZF_HEAD
    if place > size:
        raise DataError(damaged(path, "its last block of bgzip isn't whole"))


def is_text_vcf(path: Path) -> bool:
    """Tell whether a file is text (of a VCF, perhaps broken), not BCF, PGEN or a Zarr store."""
    return path.is_file() and not _first_bytes(path).startswith((b"BCF", b"\x6c\x1b"))


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a VCF, BCF or .pgen file, or a VCF Zarr store")
    if not path.exists():
        raise DataError(f"{path} is missing: give the path of a VCF or BCF file")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} may not be read: change its permissions (chmod u+r)")


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            start = raw.read(2)
        if start != _GZIP:
            with path.open("rb") as raw:
                return raw.read(200)
        with gzip.open(path) as zipped:
            return zipped.read(200)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, PermissionError):
            raise DataError(f"{path} may not be read: change its permissions (chmod u+r)") from error
        raise DataError(damaged(path, error)) from error


def _no_vcf(path: Path, start: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return f"{path} is text in {encoding}: save it again as UTF-8 without a byte order mark"
    if start.startswith(_GZIP):
        return f"{path} is compressed twice: unpack it once (gunzip)"
    first = start.split(b"\n", 1)[0][:40].decode("latin-1")
    fields = start.split(b"\n", 1)[0].split(b"\t")
    if start.startswith(b"#") or (len(fields) > 4 and fields[1].isdigit()):
        return f"{path} lacks the head of a VCF: its first line must be ##fileformat=VCFv4.2 (or later)"
    return f"{path} is no VCF (it begins with {first!r}): give a VCF or BCF file"


def _head_of_bcf(path: Path) -> Head:
    from phenviz.variation.htslib import quiet_pysam

    try:
        with quiet_pysam().VariantFile(str(path)) as opened:
            samples = tuple(opened.header.samples)
    except (OSError, ValueError) as error:
        raise DataError(damaged(path, error)) from error
    return Head(samples, len(_FIXED) + (1 + len(samples) if samples else 0), binary=True)


def _head_of_text(path: Path) -> Head:
    for number, line in enumerate(byte_lines(path), 1):
        if line.startswith(b"#CHROM"):
            names = _checked_columns(path, number, text_of(line))
            return Head(tuple(names[len(_FIXED) + 1 :]), len(names), binary=False)
        if not line.startswith(b"##"):
            raise DataError(
                f"{path}, line {number}: the header ends without its line #CHROM POS ID REF ALT ...: "
                "the file is no whole VCF; write it again"
            )
    raise DataError(f"{path} ends within its header: it was cut short; copy or write it again")


def damaged(path: Path, error: Exception | str) -> str:
    """Say that a file can't be unpacked."""
    return f"{path} is cut short or damaged ({error}): copy or download it again"


def _checked_columns(path: Path, number: int, line: str) -> list[str]:
    names = line.rstrip("\r\n").split("\t")
    if names[: len(_FIXED)] != _FIXED:
        separated = "" if len(names) > 1 else ", separated by tabs"
        raise DataError(f"{path}, line {number}: the columns must be {' '.join(_FIXED)}{separated}")
    if len(names) > len(_FIXED) and names[len(_FIXED)] != "FORMAT":
        raise DataError(f"{path}, line {number}: column 9 is {names[len(_FIXED)]!r} where FORMAT belongs")
    samples = names[len(_FIXED) + 1 :]
    if "" in samples:
        raise DataError(
            f"{path}, line {number}: column {10 + samples.index('')} has no name: name its sample"
        )
    twice = next((name for name in samples if samples.count(name) > 1), None) if _repeats(samples) else None
    if twice is not None:
        raise DataError(f"{path}, line {number}: sample {twice!r} has two columns: rename one of them")
    return names


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def byte_lines(path: Path) -> Iterator[bytes]:
    """Read the lines of a file, plain or gzip, as they are: not every VCF is UTF-8."""
    with io.BufferedReader(io.FileIO(path), _BUFFER) as raw:
        if raw.peek(2)[:2] == _GZIP:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield from io.BufferedReader(cast(io.RawIOBase, unpacked), _BUFFER)
        else:
            yield from raw


def text_of(line: bytes) -> str:
    """Decode UTF-8, or Latin-1 where that is what it can't be."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")

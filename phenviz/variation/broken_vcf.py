"""What is wrong with a VCF that can't be read, in one sentence."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

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
_ALLELE = frozenset("0123456789./|")


def check_start(path: Path) -> None:
    """Look at a file's first bytes and header before htslib does.

    Raises
    ------
    DataError
        If the file is missing, unreadable, empty, no VCF or BCF, or its header is broken.
    """
    _check_file(path)
    start = _first_bytes(path)
    if start.startswith((b"BCF\2", b"BCF\1")):
        return
    if not start.strip():
        raise DataError(f"{path} is empty: give a VCF or BCF file with its header")
    if not start.startswith(b"##fileformat=VCF"):
        raise DataError(_no_vcf(path, start))
    try:
        _check_header(path)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(_damaged(path, error)) from error


def explain(path: Path, error: Exception) -> DataError:
    """Turn what htslib couldn't read into an error that names the line and the fix.

    Parameters
    ----------
    path
        The file.
    error
        What cyvcf2 raised.
    """
    try:
        found = _first_broken_line(path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as cause:
        return DataError(_damaged(path, cause))
    if found:
        return DataError(f"{path}, {found}")
    # cyvcf2's own words say little ("error-code: 0 and ret: -2")
    return DataError(
        f"{path} can't be read to its end ({_first_line(error)}): it is cut short or damaged, or its index "
        "belongs to another file; copy it again, or run `bcftools index -f`"
    )


def lacks_end_mark(path: Path) -> bool:
    """Tell whether a bgzip file has lost its end; what is left may well be whole records."""
    with path.open("rb") as raw:
        if not _BGZF.match(raw.read(16)):
            return False
        raw.seek(max(path.stat().st_size - len(_BGZF_END), 0))
        return raw.read() != _BGZF_END


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
        raise DataError(_damaged(path, "its last block of bgzip isn't whole"))


def refuse_broken_lines(path: Path) -> None:
    """Look through a whole file whose records lack genotypes: htslib passes over a record that is cut short.

    Raises
    ------
    DataError
        Names the first line that is broken.
    """
    stat = path.stat()
    if found := _found_before(path, stat.st_size, stat.st_mtime_ns):
        raise DataError(f"{path}, {found}")


@lru_cache(maxsize=32)
def _found_before(path: Path, size: int, modified: int) -> str | None:
    # size and time are arguments so that a file that was replaced is looked at again
    return _first_broken_line(path)


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
        raise DataError(_damaged(path, error)) from error


def _no_vcf(path: Path, start: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return f"{path} is text in {encoding}: save it again as UTF-8 without a byte order mark"
    first = start.split(b"\n", 1)[0][:40].decode("latin-1")
    fields = start.split(b"\n", 1)[0].split(b"\t")
    if start.startswith(b"#") or (len(fields) > 4 and fields[1].isdigit()):
        return f"{path} lacks the head of a VCF: its first line must be ##fileformat=VCFv4.2 (or later)"
    return f"{path} is no VCF (it begins with {first!r}): give a VCF or BCF file"


def _check_header(path: Path) -> None:
    lines = enumerate(text_lines(path), 1)
    for number, line in lines:
        if line.startswith("#CHROM"):
            columns = _check_columns(path, number, line)
            # htslib reads the first record's surplus columns without a word
            number, line = next(lines, (0, ""))
            if problem := _problem(line, columns):
                raise DataError(f"{path}, line {number}: {problem}")
            return
        if not line.startswith("##"):
            raise DataError(
                f"{path}, line {number}: the header ends without its line #CHROM POS ID REF ALT ...: "
                "the file is no whole VCF; write it again"
            )
    raise DataError(f"{path} ends within its header: it was cut short; copy or write it again")


def _damaged(path: Path, error: Exception | str) -> str:
    return f"{path} is cut short or damaged ({error}): copy or download it again"


def _check_columns(path: Path, number: int, line: str) -> int:
    names = line.rstrip("\r\n").split("\t")
    if names[: len(_FIXED)] != _FIXED:
        separated = "" if len(names) > 1 else ", separated by tabs"
        raise DataError(f"{path}, line {number}: the columns must be {' '.join(_FIXED)}{separated}")
    if len(names) > len(_FIXED) and names[8] != "FORMAT":
        raise DataError(f"{path}, line {number}: column 9 is {names[8]!r} where FORMAT belongs")
    samples = names[9:]
    twice = next((name for name in samples if samples.count(name) > 1), None) if _repeats(samples) else None
    if twice is not None:
        raise DataError(f"{path}, line {number}: sample {twice!r} has two columns: rename one of them")
    return len(names)


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def _first_broken_line(path: Path) -> str | None:
    if _first_bytes(path).startswith(b"BCF"):
        return None
    columns = 0
    for number, line in enumerate(text_lines(path), 1):
        if line.startswith("#CHROM"):
            columns = line.count("\t") + 1
        elif not line.startswith("#") and (problem := _problem(line, columns)):
            return f"line {number}: {problem}"
    return None


def _problem(line: str, columns: int) -> str | None:
    fields = line.rstrip("\r\n").split("\t")
    if not line.strip():
        return None
    if len(fields) != columns:
        return f"{len(fields)} columns where the header has {columns}: write the file again"
    if not fields[1].isdigit():
        return f"POS is {fields[1]!r}, no whole number"
    if not fields[3].strip(".") or not fields[4]:
        return "REF or ALT is empty"
    if columns > 9 and "GT" in fields[8].split(":"):
        place = fields[8].split(":").index("GT")
        for column, call in enumerate(fields[9:], 10):
            genotype = call.split(":")[place] if call.count(":") >= place else "."
            if not _ALLELE.issuperset(genotype) or not genotype:
                return f"column {column}: {genotype[:20]!r} is no genotype (0/1, 0|1, ./. ...)"
    return None


def text_lines(path: Path) -> Iterator[str]:
    """Read the lines of a text file, plain or gzip."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == _GZIP
    opened = gzip.open if zipped else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as lines:
        yield from lines


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

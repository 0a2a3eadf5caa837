"""Indexes of a FASTA, and its bytes as they are."""

from __future__ import annotations

import gzip
import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from Bio import bgzf
from numpy.typing import NDArray
from pyfaidx import Fasta

from phenviz.errors import SequenceError

_PACKED = (".gz", ".bgz")
_ANY_ZIPPED = (b"\x1f\x8b", b"BZh", b"PK\x03\x04", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
# letters for one or several bases, and for none: any other isn't DNA
_LETTERS = np.zeros(256, dtype=bool)
_LETTERS[list(b"ACGTNRYSWKMBDHVXacgtnryswkmbdhvx-*")] = True


def is_packed(path: Path) -> bool:
    """Tell by its name whether a FASTA is one of bgzip."""
    return path.name.lower().endswith(_PACKED)


def make_indexes(path: Path, fai: Path, gzi: Path) -> None:
    """Write the index of a FASTA, and that of bgzip's blocks, where they are missing or old.

    pyfaidx would make them too, but refuses the blank lines behind a contig that samtools accepts.

    Raises
    ------
    SequenceError
        If a line of the FASTA makes no sense: names it.
    """
    changed = path.stat().st_mtime
    with path.open("rb") as file:
        start = file.read(6)
    if not is_packed(path) and start.startswith(_ANY_ZIPPED):
        raise SequenceError(f"reference {path} is compressed: give it plain, or by bgzip and named .fa.gz")
    if is_packed(path) and not _is_fresh(gzi, changed):
        _write(gzi, _block_index(path))
    if not _is_fresh(fai, changed):
        opener = gzip.open if is_packed(path) else open
        with opener(path, "rb") as lines:
            _write(fai, "".join(_index_lines(lines, f"reference {path}")).encode())


def _is_fresh(index: Path, changed: float) -> bool:
    return index.is_file() and index.stat().st_mtime >= changed


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


def _block_index(path: Path) -> bytes:
    """Return what htslib keeps of bgzip's blocks: where each but the first begins, packed and unpacked."""
    with path.open("rb") as file:
        places = [(start, unpacked, size) for start, _, unpacked, size in bgzf.BgzfBlocks(file)]
    if not places or places[-1][2] != 0:
        raise EOFError("the mark at the end is missing")
    pairs = [pair for start, unpacked, _ in places[1:-1] for pair in (start, unpacked)]
    return struct.pack(f"<{1 + len(pairs)}Q", len(pairs) // 2, *pairs)


def _index_lines(lines: Iterable[bytes], file: str) -> Iterator[str]:
    """Yield what the index says of each contig: name, length, first byte, bases and bytes of a line."""
    names: dict[str, int] = {}
    name, begin, offset, length, width, size = "", 0, 0, 0, 0, 0
    # why no more bases may follow
    ended = ""
    for number, line in enumerate(lines, 1):
        offset += len(line)
        bases = len(line.rstrip())
        if line[:1] == b">":
            if names:
                yield f"{name}\t{length}\t{begin}\t{width}\t{size}\n"
            name, begin = _new_name(line, number, names, file), offset
            length, width, size, ended = 0, 0, 0, ""
        elif not names:
            if bases and line[:1] != b";":
                raise SequenceError(f"{file}, line {number}: text above the first '>NAME': give a FASTA file")
        elif not bases:
            ended = ended or f"line {number} is blank"
        else:
            width, size = width or bases, size or len(line)
            if ended or bases > width:
                what = ended or f"line {number} is longer than those above it"
                raise SequenceError(
                    f"{file}: {what}, inside of contig {name!r}: give lines of one length, the last of which "
                    "may be shorter, and one kind of line end"
                )
            if (bases, len(line)) != (width, size):
                ended = f"line {number} has another length than those above it"
            length += bases
    if not names:
        raise SequenceError(f"{file} holds no sequence: give a FASTA file, whose contigs begin with '>NAME'")
    yield f"{name}\t{length}\t{begin}\t{width}\t{size}\n"


def _new_name(line: bytes, number: int, names: dict[str, int], file: str) -> str:
    """Return the name of a contig, which is its header's first word."""
    if b"\r" in line.rstrip(b"\r\n"):
        raise SequenceError(f"{file}, line {number}: lines end as on an old Mac (CR alone): end them with LF")
    words = line[1:].decode("utf-8", "backslashreplace").split()
    if not words:
        raise SequenceError(f"{file}, line {number}: a contig without a name: write one behind '>'")
    if words[0] in names:
        raise SequenceError(
            f"{file}, line {number}: contig {words[0]!r} was in line {names[words[0]]} already: keep one, or "
            "give them different names"
        )
    names[words[0]] = number
    return words[0]


def raw_bytes(fasta: Fasta, start: int, end: int) -> bytes:
    """Read bytes of a FASTA as they are, headers and line ends included; unpacked if it is bgzip."""
    file, blocks = fasta.faidx.file, getattr(fasta.faidx, "gzi_index", None)
    if blocks is None:
        file.seek(start)
    else:
        block = blocks[max(bisect_right(blocks, start, key=lambda block: block.ustart) - 1, 0)]
        file.seek(bgzf.make_virtual_offset(block.cstart, start - block.ustart))
    return bytes(file.read(end - start))


def raw_letters(fasta: Fasta, contig: str, start: int, end: int) -> NDArray[np.uint8]:
    """Read what stands where the index places the bases from start to end (0-based half-open)."""
    place = fasta.faidx.index[contig]
    line, skipped = divmod(start, place.lenc)
    first = place.offset + line * place.lenb
    last = place.offset + (end - 1) // place.lenc * place.lenb + (end - 1) % place.lenc
    found = np.frombuffer(raw_bytes(fasta, first, last + 1), dtype=np.uint8)
    whole = len(found) // place.lenb * place.lenb
    lines = found[:whole].reshape(-1, place.lenb)[:, : place.lenc].ravel()
    return np.concatenate([lines, found[whole:][: place.lenc]])[skipped:]


def first_odd(letters: NDArray[np.uint8]) -> int | None:
    """Return the place of the first letter that stands for no base; None if all do."""
    odd = ~_LETTERS[letters]
    return int(odd.argmax()) if odd.any() else None

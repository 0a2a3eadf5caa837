"""A reference genome: a FASTA on disk, and its codes mapped into memory."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import struct
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyfaidx import Fasta, FastaIndexingError

from phenviz.errors import LocusError, SequenceError
from phenviz.genome.codes import N_CODE, decode, encode
from phenviz.genome.fasta import first_odd, is_packed, make_indexes, raw_bytes, raw_letters
from phenviz.genome.locus import Locus, contig_key, shown_contig

_CHUNK = 4_000_000
_LONGEST_HEADER = 2**16
_PLAIN_NAME = re.compile(r"[a-z0-9._]{1,30}")
# at the end of kept codes
_CHECKSUM_BYTES = 4
# what pyfaidx and Bio.bgzf raise on damaged files
_BROKEN_BLOCK = (EOFError, RuntimeError, struct.error, zlib.error)
_DAMAGE = (FastaIndexingError, OSError, ValueError, IndexError, OverflowError, *_BROKEN_BLOCK)


class ReferenceGenome:
    """Sequence of an assembly.

    Bases are read from the FASTA once, written as one byte per base into a cache, and mapped into
    memory from then on: any window of any size is then a slice.

    Parameters
    ----------
    path
        FASTA, plain or bgzip. Its index (``.fai``, and ``.gzi`` for bgzip) is made if missing: beside it, or
        in the cache where its folder can't be written to.
    assembly
        Name of the assembly, shown everywhere (``GRCh37``).
    cache_dir
        Where codes are kept.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, assembly: str, cache_dir: str | os.PathLike[str]
    ) -> None:
        self.path = Path(path)
        self.assembly = assembly
        self._cache_dir = Path(cache_dir)
        self._codes: dict[str, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()
        if not self.path.is_file():
            raise SequenceError(f"reference {self.path} is missing: give the path of a FASTA file")

    @cached_property
    def contigs(self) -> dict[str, int]:
        """Length in bases of each contig, in the order of the FASTA."""
        return {name: len(record) for name, record in self._fasta.items()}

    @cached_property
    def _names_of_bare(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for name in self.contigs:
            names.setdefault(contig_key(name), []).append(name)
        return names

    @cached_property
    def _fasta(self) -> Fasta:
        fai, gzi = self._index_paths()
        with self._guarded():
            make_indexes(self.path, fai, gzi)
            fasta = Fasta(
                str(self.path), as_raw=True, sequence_always_upper=True,
                indexname=str(fai), gzi_indexname=str(gzi),
            )  # fmt: skip
        places = fasta.faidx.index
        if not places:
            raise SequenceError(f"index {fasta.faidx.indexname} is empty: delete it, and it is made anew")
        # a FASTA that was cut off lacks the last contig; the others are looked at when they are first read
        self._check_place(fasta, max(places, key=lambda name: places[name].offset))
        return fasta

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            cause = "a block is damaged or cut off" if isinstance(error, _BROKEN_BLOCK) else error
            raise SequenceError(
                f"reference {self.path} can't be read as FASTA ({cause}): give a whole one, plain or bgzip; "
                "if this one is whole, delete its .fai and .gzi, which are then made anew"
            ) from error

    def _check_place(self, fasta: Fasta, contig: str) -> None:
        """Raise unless a contig lies where the index says, in lines of that width."""
        place = fasta.faidx.index[contig]
        if place.rlen == 0:
            return
        width = min(max(place.lenc, 1), place.rlen)
        end = place.offset + place.rlen + (place.rlen - 1) // width * (place.lenb - place.lenc)
        with self._guarded():
            header = raw_bytes(fasta, max(place.offset - _LONGEST_HEADER, 0), place.offset).splitlines()[-1:]
            first = raw_bytes(fasta, place.offset, place.offset + width + 1)
            last = raw_bytes(fasta, end - 1, end + 3)
        if not (
            [text[:1] for text in header] == [b">"]
            and header[0][1:].split()[:1] == [contig.encode()]
            and [len(line.rstrip()) for line in first.splitlines()] == [width]
            and last[:1].strip()
            and last[1:].lstrip()[:1] in (b"", b">")
        ):
            raise self._misfit(contig)

    def _misfit(self, contig: str) -> SequenceError:
        return SequenceError(
            f"reference {self.path} doesn't hold contig {contig!r} as its index says (cut off, or of another "
            "length or line width): give the whole FASTA; if this one is whole, delete its .fai and .gzi, "
            "which are then made anew"
        )

    def _index_paths(self) -> tuple[Path, Path]:
        """Say where the index is, or is to be made, and that of bgzip's blocks."""
        fai, gzi = (self.path.with_name(self.path.name + suffix) for suffix in (".fai", ".gzi"))
        changed = self.path.stat().st_mtime
        needed = (fai, gzi) if is_packed(self.path) else (fai,)
        whole = all(index.is_file() and index.stat().st_mtime >= changed for index in needed)
        if whole or os.access(self.path.parent, os.W_OK):
            return fai, gzi
        # genomes often lie in a folder that is shared and read-only
        folder = self._cache_dir / "indexes"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.fingerprint}.fai", folder / f"{self.fingerprint}.gzi"

    def resolve_contig(self, name: str) -> str:
        """Return the contig's name as the FASTA has it; ``chr20`` is ``20`` unless it has both."""
        if name in self.contigs:
            return name
        found = self._names_of_bare.get(contig_key(name), [])
        if len(found) > 1:
            raise LocusError(
                f"{name!r} may be any of {', '.join(found)} of {self.path.name}: give one of these"
            )
        if not found:
            known = ", ".join(map(shown_contig, list(self.contigs)[:5]))
            more = " ..." if len(self.contigs) > 5 else ""
            raise LocusError(f"{self.assembly} here has no contig {name!r}: it has {known}{more}")
        return found[0]

    def length(self, contig: str) -> int:
        """Return the bases of a contig, by any of its names."""
        return self.contigs[self.resolve_contig(contig)]

    def check(self, locus: Locus) -> Locus:
        """Return the locus with the FASTA's contig name; raise if it can't be worked on.

        Raises
        ------
        LocusError
            If the contig is unknown, the locus leaves it, or all its bases are N.
        """
        checked = self.inside(locus)
        if not (self.codes(checked.contig)[checked.start : checked.end] != N_CODE).any():
            raise LocusError(f"{locus} holds only N (unsequenced bases): choose a locus beside this gap")
        return checked

    def inside(self, locus: Locus) -> Locus:
        """Return the locus with the FASTA's contig name, sequenced or not.

        Raises
        ------
        LocusError
            If the contig is unknown, or the locus leaves it.
        """
        contig = self.resolve_contig(locus.contig)
        length = self.contigs[contig]
        if locus.end > length:
            raise LocusError(f"{locus} leaves the contig: {shown_contig(contig)} ends at {length:,}")
        return Locus(contig, locus.start, locus.end, locus.strand)

    def sequence(self, locus: Locus) -> str:
        """Return the bases of a locus on the forward strand, upper case."""
        return decode(self.fetch_codes(locus.contig, locus.start, locus.end))

    def letters(self, contig: str, start: int, end: int) -> str:
        """Return the FASTA's letters from start to end (0-based half-open), upper case, R and Y included."""
        contig = self.resolve_contig(contig)
        with self._lock, self._guarded():
            return str(self._fasta[contig][max(start, 0) : end])

    def fetch_codes(self, contig: str, start: int, end: int) -> NDArray[np.uint8]:
        """Return codes from start to end (0-based half-open); what overhangs the contig is N.

        Returns
        -------
        NDArray[np.uint8]
            Shape (end - start,).
        """
        codes = self.codes(contig)
        inner = codes[max(start, 0) : max(min(end, len(codes)), 0)]
        if len(inner) == end - start:
            return np.asarray(inner)
        left = min(max(-start, 0), end - start)
        padded = np.full(end - start, N_CODE, dtype=np.uint8)
        padded[left : left + len(inner)] = inner
        return padded

    def codes(self, contig: str) -> NDArray[np.uint8]:
        """Return the codes of a whole contig, mapped from the cache (made on first use).

        Returns
        -------
        NDArray[np.uint8]
            Read-only, shape (contig length,).
        """
        contig = self.resolve_contig(contig)
        with self._lock:
            if contig not in self._codes:
                self._codes[contig] = self._map_codes(contig)
            return self._codes[contig]

    def verify(self) -> None:
        """Read the whole file, which takes a while for a whole genome.

        Raises
        ------
        SequenceError
            If it is damaged, or not what its index says.
        """
        with self._lock:
            for contig in self.contigs:
                self._check_place(self._fasta, contig)
        if is_packed(self.path):
            # bgzip keeps a checksum of each block
            with self._guarded(), gzip.open(self.path) as bases:
                while bases.read(_CHUNK):
                    pass

    def _map_codes(self, contig: str) -> NDArray[np.uint8]:
        # names may differ in case alone, hold a slash, or be longer than a file's
        name = contig if _PLAIN_NAME.fullmatch(contig) else hashlib.sha256(contig.encode()).hexdigest()[:32]
        path = self._cache_dir / "codes" / f"{self.fingerprint}-{name}.u8"
        codes = _kept_codes(path, self.contigs[contig])
        if codes is None:
            self._write_codes(contig, path)
            codes = _kept_codes(path, self.contigs[contig])
        if codes is None:
            raise SequenceError(
                f"{path} isn't what was just written to it: check this disk, or set PHENVIZ_CACHE"
            )
        return codes

    def _write_codes(self, contig: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        checksum = 0
        # written aside and renamed, so that two processes or a crash never leave half a file
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with aside.open("xb") as part:
                for codes in self._read_codes(contig):
                    checksum = zlib.crc32(codes.data, checksum)
                    part.write(codes.tobytes())
                part.write(checksum.to_bytes(_CHECKSUM_BYTES, "little"))
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def _read_codes(self, contig: str) -> Iterator[NDArray[np.uint8]]:
        self._check_place(self._fasta, contig)
        length = self.contigs[contig]
        for start in range(0, length, _CHUNK):
            end = min(start + _CHUNK, length)
            with self._guarded():
                letters = raw_letters(self._fasta, contig, start, end)
            odd = first_odd(letters)
            if len(letters) != end - start or (odd is not None and letters[odd] in b"\r\n"):
                raise self._misfit(contig)
            if odd is not None:
                raise SequenceError(
                    f"reference {self.path}: {chr(letters[odd])!r} at position {start + odd + 1:,} of contig "
                    f"{contig!r} stands for no base of DNA: give a FASTA of A, C, G, T, N and IUPAC's letters"
                )
            yield encode(letters.tobytes())

    @cached_property
    def fingerprint(self) -> str:
        """Name of this very file and its content's state: changes when the file is replaced."""
        stat = self.path.stat()
        identity = f"{self.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _kept_codes(path: Path, length: int) -> NDArray[np.uint8] | None:
    """Map kept codes; None if there are none, or they aren't what was written."""
    if not path.is_file() or path.stat().st_size != length + _CHECKSUM_BYTES:
        return None
    kept = np.memmap(path, dtype=np.uint8, mode="r")
    codes, checksum = kept[:length], int.from_bytes(kept[length:].tobytes(), "little")
    # 25 ms for 63 Mb
    return codes if zlib.crc32(codes.data) == checksum else None

"""A reference genome: a FASTA on disk, and its codes mapped into memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyfaidx import Fasta, FastaIndexingError, FastaNotFoundError

from phenviz.errors import LocusError, SequenceError
from phenviz.genome.codes import N_CODE, decode, encode
from phenviz.genome.locus import Locus, bare_contig

_CHUNK = 4_000_000


class ReferenceGenome:
    """Sequence of an assembly.

    Bases are read from the FASTA once, written as one byte a base into a cache, and mapped into
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
    def _name_of_bare(self) -> dict[str, str]:
        return {bare_contig(name).upper(): name for name in self.contigs}

    @cached_property
    def _fasta(self) -> Fasta:
        try:
            return Fasta(str(self.path), as_raw=True, sequence_always_upper=True, **self._index_names())
        except (FastaIndexingError, FastaNotFoundError, OSError, ValueError) as error:
            raise SequenceError(
                f"reference {self.path} can't be read as FASTA ({error}): give a plain or bgzip FASTA"
            ) from error

    def _index_names(self) -> dict[str, str]:
        beside = [self.path.with_name(self.path.name + suffix) for suffix in (".fai", ".gzi")]
        needed = beside if self.path.suffix == ".gz" else beside[:1]
        changed = self.path.stat().st_mtime
        if all(index.is_file() and index.stat().st_mtime >= changed for index in needed):
            return {}
        if os.access(self.path.parent, os.W_OK):
            return {}
        # genomes often lie in a folder that is shared and read-only
        folder = self._cache_dir / "indexes"
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / self.fingerprint
        return {"indexname": f"{base}.fai", "gzi_indexname": f"{base}.gzi"}

    def resolve_contig(self, name: str) -> str:
        """Return the contig's name as the FASTA has it; ``chr20`` and ``20`` are the same."""
        found = self._name_of_bare.get(bare_contig(name).upper())
        if found is None:
            known = ", ".join(f"chr{bare_contig(contig)}" for contig in list(self.contigs)[:5])
            more = " ..." if len(self.contigs) > 5 else ""
            raise LocusError(f"{self.assembly} here has no contig {name!r}: it has {known}{more}")
        return found

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
        contig = self.resolve_contig(locus.contig)
        length = self.contigs[contig]
        if locus.end > length:
            raise LocusError(f"{locus} leaves the contig: chr{bare_contig(contig)} ends at {length:,}")
        checked = Locus(contig, locus.start, locus.end, locus.strand)
        if not (self.codes(contig)[checked.start : checked.end] != N_CODE).any():
            raise LocusError(f"{locus} holds only N (unsequenced bases): choose a locus beside this gap")
        return checked

    def sequence(self, locus: Locus) -> str:
        """Return the bases of a locus on the forward strand, upper case."""
        return decode(self.fetch_codes(locus.contig, locus.start, locus.end))

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

    def _map_codes(self, contig: str) -> NDArray[np.uint8]:
        path = self._cache_dir / "codes" / f"{self.fingerprint}-{contig}.u8"
        if not path.is_file() or path.stat().st_size != self.contigs[contig]:
            self._write_codes(contig, path)
        return np.memmap(path, dtype=np.uint8, mode="r")

    def _write_codes(self, contig: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        length = self.contigs[contig]
        # written aside and renamed, so that two processes or a crash never leave half a file
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            for start in range(0, length, _CHUNK):
                part.write(encode(self._fasta[contig][start : min(start + _CHUNK, length)]).tobytes())
        os.replace(part.name, path)

    @cached_property
    def fingerprint(self) -> str:
        """Name of this very file and its content's state: changes when the file is replaced."""
        stat = self.path.stat()
        identity = f"{self.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

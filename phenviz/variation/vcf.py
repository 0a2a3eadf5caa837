"""VCF and BCF files, plain or compressed, indexed or not, through cyvcf2."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome import Locus, bare_contig
from phenviz.variation.broken_vcf import (
    check_start,
    explain,
    lacks_end_mark,
    refuse_broken_lines,
    refuse_half_block,
)
from phenviz.variation.htslib import quiet_cyvcf2
from phenviz.variation.records import ABSENT, MISSING, NO_PHASE_SET, Calls, Records, touches

# a file and its index are often copied one after the other
_SECONDS_OF_COPYING = 60
_NOT_GIVEN = np.iinfo(np.int32).min
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
        check_start(self.path)
        reader = self._open(None)
        self.samples: tuple[str, ...] = tuple(reader.samples)
        self._contigs = _contig_names(reader)
        reader.close()
        self.indexed = _index_of(self.path) is not None
        if lacks_end_mark(self.path):
            refuse_half_block(self.path)
        self.notes = _notes(self.path)

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus; see `Source.records`."""
        wanted = [] if samples is None else [self.samples[index] for index in samples]
        reader = self._open(wanted)
        try:
            numbered: Iterator[tuple[int, Any | None]]
            if locus is not None and self.indexed:
                numbered = ((0, variant) for variant in self._found(reader, locus))
            else:
                numbered = self._streamed(reader, locus)
            yield from self._pieces(numbered, len(wanted), size, sites_only=samples is None)
        finally:
            reader.close()

    def _open(self, samples: list[str] | None) -> Any:
        try:
            return quiet_cyvcf2().VCF(str(self.path), samples=samples)
        # cyvcf2 raises plain Exceptions
        except Exception as error:
            raise explain(self.path, error) from error

    def _found(self, reader: Any, locus: Locus) -> Iterator[Any]:
        for name in self._contigs:
            if bare_contig(name).upper() == bare_contig(locus.contig).upper():
                with warnings.catch_warnings():
                    # no record there is no reason to warn
                    warnings.simplefilter("ignore")
                    yield from self._guarded(reader(f"{name}:{locus.start + 1}-{locus.end}"))

    def _streamed(self, reader: Any, locus: Locus | None) -> Iterator[tuple[int, Any | None]]:
        order = _Order(self.path)
        for number, variant in enumerate(self._guarded(reader), 1):
            order.check(number, variant)
            if locus is None:
                yield number, variant
            elif bare_contig(variant.CHROM).upper() == bare_contig(locus.contig).upper():
                if variant.POS > locus.end:
                    return
                if touches(variant.POS, len(variant.REF), locus):
                    yield number, variant
            if locus is not None and number % _LOOK_UP == 0:
                yield number, None

    def _guarded(self, variants: Any) -> Iterator[Any]:
        iterator = iter(variants)
        while True:
            try:
                variant = next(iterator)
            except StopIteration:
                return
            except Exception as error:
                raise explain(self.path, error) from error
            yield variant

    def _pieces(
        self, numbered: Iterator[tuple[int, Any | None]], n_samples: int, size: int, *, sites_only: bool
    ) -> Iterator[Records]:
        piece = _Piece(self.path, None if sites_only else n_samples)
        for number, variant in numbered:
            if variant is not None:
                piece.add(number, variant)
            if variant is None or len(piece) == size:
                yield piece.records()
                piece = _Piece(self.path, None if sites_only else n_samples)
        if len(piece):
            yield piece.records()


class _Piece:
    """Records that are being gathered."""

    def __init__(self, path: Path, n_samples: int | None) -> None:
        self._path = path
        self._n_samples = n_samples
        self._contig: list[str] = []
        self._position: list[int] = []
        self._reference: list[str] = []
        self._alternates: list[tuple[str, ...]] = []
        self._ids: list[str] = []
        self._number: list[int] = []
        self._genotypes: list[NDArray[np.int16] | None] = []
        self._phase_sets: list[NDArray[np.int64] | None] = []

    def __len__(self) -> int:
        return len(self._contig)

    def add(self, number: int, variant: Any) -> None:
        self._contig.append(variant.CHROM)
        self._position.append(variant.POS)
        self._reference.append(variant.REF.upper())
        self._alternates.append(tuple(alternate.upper() for alternate in variant.ALT))
        self._ids.append(variant.ID or "")
        self._number.append(number)
        if self._n_samples is not None:
            formats = variant.FORMAT or []
            self._genotypes.append(variant.genotype.array() if "GT" in formats else None)
            self._phase_sets.append(_phase_set(variant) if "PS" in formats else None)

    def records(self) -> Records:
        return Records(
            contig=self._contig,
            position=np.array(self._position, dtype=np.int64),
            reference=self._reference,
            alternates=self._alternates,
            ids=self._ids,
            number=np.array(self._number, dtype=np.int64),
            calls=None if self._n_samples is None else self._calls(self._n_samples),
        )

    def _calls(self, n_samples: int) -> Calls:
        alleles = np.full((len(self), n_samples, 2), MISSING, dtype=np.int16)
        phased = np.zeros((len(self), n_samples), dtype=bool)
        phase_set = np.full((len(self), n_samples), NO_PHASE_SET, dtype=np.int64)
        has_genotype = np.array([called is not None for called in self._genotypes], dtype=bool)
        for row, called in enumerate(self._genotypes):
            if called is None:
                refuse_broken_lines(self._path)
            else:
                # columns: the alleles, then whether they are phased; one allele where nobody has two
                alleles[row, :, 0], phased[row] = called[:, 0], called[:, -1]
                alleles[row, :, 1] = called[:, 1] if called.shape[1] > 2 else ABSENT
                if called.shape[1] > 3 and (called[:, 2:-1] != ABSENT).any():
                    raise self._error(row, "has a genotype of more than two alleles: give diploid calls")
        for row, sets in enumerate(self._phase_sets):
            if sets is not None:
                phase_set[row] = sets
        self._refuse_unknown_alleles(alleles)
        # "." stands for a call of which nothing is known, its ploidy included
        unknown = (alleles[..., 0] == MISSING) & (alleles[..., 1] == ABSENT)
        alleles[unknown, 1] = MISSING
        return Calls(alleles, phased, phase_set, has_genotype)

    def _refuse_unknown_alleles(self, alleles: NDArray[np.int16]) -> None:
        known = np.array([len(alternates) for alternates in self._alternates])
        for row in np.flatnonzero(alleles.max(axis=(1, 2), initial=0) > known).tolist():
            raise self._error(
                row,
                f"has a genotype with allele {alleles[row].max()}, but {known[row]} alternate alleles: "
                "the file is damaged; write it again",
            )

    def _error(self, row: int, problem: str) -> DataError:
        number = f"record {self._number[row]:,}, " if self._number[row] else ""
        return DataError(f"{self._path}, {number}{self._contig[row]}:{self._position[row]} {problem}")


class _Order:
    """Notices a record that comes too late."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contig = ""
        self._position = 0
        self._done: set[str] = set()

    def check(self, number: int, variant: Any) -> None:
        contig, position = variant.CHROM, variant.POS
        if contig != self._contig:
            self._done.add(self._contig)
            self._contig, self._position = contig, 0
        if position < self._position or contig in self._done:
            raise DataError(
                f"{self._path}, record {number:,}: {contig}:{position} comes too late, the file isn't "
                "sorted: `bcftools sort -Oz -o sorted.vcf.gz` sorts it"
            )
        self._position = position


def _phase_set(variant: Any) -> NDArray[np.int64]:
    sets = variant.format("PS")
    if sets is None or sets.dtype.kind not in "if":
        return np.full(1, NO_PHASE_SET, dtype=np.int64)
    first = sets[:, 0].astype(np.int64)
    return np.where(first == _NOT_GIVEN, NO_PHASE_SET, first)


def _contig_names(reader: Any) -> list[str]:
    try:
        return list(dict.fromkeys(reader.seqnames))
    # a file without contig lines and without an index has none to tell
    except Exception:
        return []


def _notes(path: Path) -> tuple[str, ...]:
    notes, index = [], _index_of(path)
    if index is None:
        notes.append(
            f"{path.name} has no index and is read from its start for every locus: compress it with bgzip "
            "and run `bcftools index` to make that instant"
        )
    elif index.stat().st_mtime < path.stat().st_mtime - _SECONDS_OF_COPYING:
        notes.append(
            f"{index.name} is older than its file: if that has changed since, run `bcftools index -f`"
        )
    if lacks_end_mark(path):
        notes.append(f"{path.name} lacks the mark that ends a bgzip file: it may have been cut short")
    return tuple(notes)


def _index_of(path: Path) -> Path | None:
    for suffix in (".csi", ".tbi"):
        index = path.with_name(path.name + suffix)
        if index.is_file():
            return index
    return None

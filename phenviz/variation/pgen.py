"""PLINK 2 genotypes (``.pgen`` with ``.pvar`` and ``.psam``) through pgenlib."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome.intervals import join_intervals
from phenviz.genome.locus import Locus, contig_key, same_contig
from phenviz.progress import Progress
from phenviz.variation.broken_vcf import byte_lines, text_of
from phenviz.variation.coverage import LONGEST_GAP
from phenviz.variation.records import MISSING, NO_PHASE_SET, Calls, Records
from phenviz.variation.report import counted

_PGEN_MISSING = -9


class PgenSource:
    """A PLINK 2 fileset.

    Heterozygotes that PLINK knows no phase of are unphased, their alleles listed with the lower number
    first; there are no phase sets and no haploid calls (PLINK writes these as homozygous).

    Parameters
    ----------
    path
        The ``.pgen``; ``.pvar`` or ``.pvar.zst`` and ``.psam`` lie beside it under the same name.

    Attributes
    ----------
    samples
        IIDs, in the order of the ``.psam``.
    indexed
        True: any variant is read by its number.
    notes
        Empty.

    Raises
    ------
    DataError
        If one of the three files is missing, damaged or doesn't fit the others.
    """

    indexed = True
    notes: tuple[str, ...] = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(f"{self.path} is missing: give the path of a .pgen file")
        self._pvar_path = _beside(self.path, (".pvar", ".pvar.zst"))
        self.samples: tuple[str, ...] = _read_psam(_beside(self.path, (".psam",)))
        # opened once, so that files that don't belong together are noticed here
        self._reader().close()

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus; see `Source.records`."""
        chosen = self._touching(locus)
        reader = None if samples is None or not len(samples) else self._reader(samples)
        try:
            for start in range(0, len(chosen), size):
                rows = chosen[start : start + size]
                calls = None if samples is None else self._calls(reader, rows, len(samples))
                yield self._records(rows, calls)
        finally:
            if reader is not None:
                reader.close()

    def covered(self, contig: str, progress: Progress) -> NDArray[np.int64]:
        """Return what is covered of a contig; see `Source.covered`."""
        numbers, first, last, names = self._places
        here = np.isin(numbers, [n for n, name in enumerate(names) if same_contig(name, contig)])
        return join_intervals(first[here] - 1, last[here], LONGEST_GAP)

    def contigs(self, progress: Progress) -> tuple[str, ...]:
        """Return the contigs that have records."""
        return tuple(dict.fromkeys(map(contig_key, self._places[3])))

    @cached_property
    def _pvar(self) -> Any:
        import pgenlib

        try:
            return pgenlib.PvarReader(os.fsencode(self._pvar_path))
        except RuntimeError as error:
            raise DataError(f"{self._pvar_path} can't be read as .pvar: {self._fault(error)}") from error

    def _fault(self, error: Exception) -> str:
        """Say what is wrong with the ``.pvar``; the line that pgenlib names is often the one after it."""
        if self._pvar_path.suffix == ".zst":
            return _words(error)
        try:
            return next(_faults_of_pvar(self._pvar_path), _words(error))
        except OSError as cause:
            return f"{cause}"

    @cached_property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[str]]:
        """Return contig number, first and last 1-based position of every variant, and the contigs."""
        pvar = self._pvar
        contigs: dict[bytes, int] = {}
        n = pvar.get_variant_ct()
        contig, first, last = (np.empty(n, dtype=np.int64) for _ in range(3))
        for row in range(n):
            contig[row] = contigs.setdefault(pvar.get_variant_chrom(row), len(contigs))
            first[row] = pvar.get_variant_pos(row)
            last[row] = first[row] + len(pvar.get_allele_code(row, 0)) - 1
        return contig, first, last, [text_of(name) for name in contigs]

    def _touching(self, locus: Locus | None) -> NDArray[np.uint32]:
        contig, first, last, names = self._places
        if locus is None:
            return np.arange(len(first), dtype=np.uint32)
        same = [number for number, name in enumerate(names) if same_contig(name, locus.contig)]
        touching = np.isin(contig, same) & (first <= locus.end) & (last > locus.start)
        return np.flatnonzero(touching).astype(np.uint32)

    def _records(self, rows: NDArray[np.uint32], calls: Calls | None) -> Records:
        pvar, (contig, first, _, names) = self._pvar, self._places
        alleles = [self._alleles(int(row)) for row in rows]
        ids = [text_of(pvar.get_variant_id(int(row))) for row in rows]
        return Records(
            contig=[names[contig[row]] for row in rows],
            position=first[rows],
            reference=[codes[0] for codes in alleles],
            alternates=[tuple(code for code in codes[1:] if code != ".") for codes in alleles],
            ids=["" if name == "." else name for name in ids],
            number=rows.astype(np.int64) + 1,
            calls=calls,
        )

    def _alleles(self, row: int) -> list[str]:
        codes = range(self._pvar.get_allele_ct(row))
        return [text_of(self._pvar.get_allele_code(row, code)).upper() for code in codes]

    def _calls(self, reader: Any, rows: NDArray[np.uint32], n_samples: int) -> Calls:
        alleles = np.full((len(rows), 2 * n_samples), _PGEN_MISSING, dtype=np.int32)
        phased = np.zeros((len(rows), n_samples), dtype=np.uint8)
        if reader is not None:
            try:
                reader.read_alleles_and_phasepresent_list(rows, alleles, phased)
            except RuntimeError as error:
                raise DataError(f"{self.path} is damaged: {_words(error)}: copy it again") from error
        alleles = np.where(alleles == _PGEN_MISSING, MISSING, alleles)
        return Calls(
            alleles=alleles.reshape(len(rows), n_samples, 2).astype(np.int16),
            phased=phased.astype(bool),
            phase_set=np.full((len(rows), n_samples), NO_PHASE_SET, dtype=np.int64),
            has_genotype=np.ones(len(rows), dtype=bool),
        )

    def _reader(self, samples: Sequence[int] | None = None) -> Any:
        import pgenlib

        subset = None if samples is None else np.asarray(samples, dtype=np.uint32)
        try:
            return pgenlib.PgenReader(
                os.fsencode(self.path),
                raw_sample_ct=len(self.samples),
                variant_ct=self._pvar.get_variant_ct(),
                allele_idx_offsets=self._pvar.get_allele_idx_offsets(),
                sample_subset=subset,
            )
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"{self.path} can't be read beside {self._pvar_path.name} and the .psam: {_words(error)}: "
                "the three files must belong together"
            ) from error


def _beside(path: Path, suffixes: tuple[str, ...]) -> Path:
    for suffix in suffixes:
        beside = path.with_name(path.stem + suffix)
        if beside.is_file():
            return beside
    raise DataError(f"{path.with_suffix(suffixes[0])} is missing: it belongs beside {path.name}")


def _faults_of_pvar(path: Path) -> Iterator[str]:
    # without a header the columns are those of a .bim: contig, id, centimorgans, position, alleles
    place, columns = 3, 6
    for number, line in enumerate(byte_lines(path), 1):
        words = line.split()
        if line.startswith(b"##"):
            continue
        if line.startswith(b"#"):
            columns, place = len(words), words.index(b"POS") if b"POS" in words else 1
        elif not words:
            yield f"line {number:,} is blank: remove it"
        elif len(words) < columns:
            header = "" if number > 1 else " and no header line (#CHROM POS ID REF ALT)"
            yield f"line {number:,} has {counted(len(words), 'column')}{header}, {columns} are needed"
        elif not words[place].removeprefix(b"-").isdigit():
            yield f"line {number:,}: POS is {text_of(words[place])[:20]!r}, no whole number"


def _read_psam(path: Path) -> tuple[str, ...]:
    try:
        text = [text_of(line) for line in byte_lines(path)]
    except OSError as error:
        raise DataError(f"{path} can't be read ({error})") from error
    lines = [line for line in text if line.strip() and not line.startswith("##")]
    # without a header the columns are those of a .fam: family, then individual
    header, rows = ["#FID", "IID"], lines
    if lines and lines[0].startswith("#"):
        header, rows = lines[0].split(), lines[1:]
    names = [name.lstrip("#") for name in header]
    if "IID" not in names or not rows:
        raise DataError(f"{path} names no samples: it needs a header line with #IID and one line per sample")
    column = names.index("IID")
    samples = tuple((row.split() + [""] * len(names))[column] for row in rows)
    if "" in samples:
        raise DataError(f"{path}: the line {rows[samples.index('')].strip()[:60]!r} has no IID: give it one")
    if len(set(samples)) < len(samples):
        twice = next(name for name in samples if samples.count(name) > 1)
        raise DataError(
            f"{path} names a sample twice: {twice!r}; give every sample an IID of its own, in all families"
        )
    return samples


def _words(error: Exception) -> str:
    # pgenlib's messages are bytes
    message = error.args[0] if error.args else str(error)
    text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return text.strip().rstrip(".")

"""Cohorts as VCF Zarr, as bio2zarr writes them."""

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
from phenviz.variation.coverage import LONGEST_GAP, join_all
from phenviz.variation.phase_sets import phase_set_number
from phenviz.variation.records import ABSENT, MISSING, NO_PHASE_SET, Calls, Records

_OF_CALLS = ("call_genotype", "call_genotype_phased", "call_PS", "call_PSL")
_PHASE_SETS = ("call_PS", "call_PSL")
_NEEDED = ("contig_id", "variant_contig", "variant_position", "variant_allele")
# variants whose places are read at once
_RECORDS_AT_ONCE = 100_000
_KNOWN = (*_NEEDED, *_OF_CALLS, "variant_id", "sample_id", "region_index")


class ZarrSource:
    """A VCF Zarr store [1]_.

    Parameters
    ----------
    path
        Folder of the store, Zarr format 2 or 3.

    Attributes
    ----------
    samples
        Empty where the store has sites only.
    indexed
        True: chunks beside the locus aren't read.
    notes
        Empty.

    Raises
    ------
    DataError
        If the folder is no VCF Zarr store, or one of its arrays is missing.

    References
    ----------
    .. [1] Czech et al. 2025, Analysis-ready VCF at Biobank scale using Zarr,
           doi:10.1093/gigascience/giaf049.
    """

    indexed = True
    notes: tuple[str, ...] = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        missing = [name for name in _NEEDED if name not in self._arrays]
        if missing:
            raise DataError(
                f"{self.path} is no VCF Zarr store, it lacks {', '.join(missing)}: make one with "
                "`vcf2zarr convert calls.vcf.gz calls.vcz`"
            )
        self._check_shapes()
        has_calls = "call_genotype" in self._arrays
        self.samples: tuple[str, ...] = tuple(map(str, self._read("sample_id"))) if has_calls else ()
        if len(set(self.samples)) < len(self.samples):
            twice = next(name for name in self.samples if self.samples.count(name) > 1)
            raise DataError(
                f"{self.path} names the sample {twice!r} twice: give every sample a name of its own"
            )

    def _check_shapes(self) -> None:
        """Raise unless the arrays belong together."""
        arrays, calls = self._arrays, [name for name in _OF_CALLS if name in self._arrays]
        if calls and "sample_id" not in arrays:
            raise DataError(
                f"{self.path} has genotypes, but lacks sample_id, whose they are: convert it again"
            )
        n = arrays["variant_position"].shape[:1]
        wanted: dict[str, tuple[int, ...]] = {
            name: n for name in ("variant_contig", "variant_allele", "variant_id") if name in arrays
        }
        wanted |= {name: (*n, *arrays["sample_id"].shape) for name in calls}
        for name, shape in wanted.items():
            if arrays[name].shape[: len(shape)] != shape:
                raise DataError(
                    f"array {name} of {self.path} has the shape {arrays[name].shape}, the others {shape}: "
                    "convert the calls again"
                )
        if self._contigs and np.ndim(self._read("contig_id")) != 1:
            raise DataError(
                f"array contig_id of {self.path} holds no names of contigs: convert the calls again"
            )
        for name in ("variant_position", "variant_allele"):
            # other arrays may well lack a chunk in which all is 0
            if arrays[name].nchunks_initialized < arrays[name].nchunks:
                raise DataError(f"array {name} of {self.path} lacks a chunk: copy the store again")

    def records(self, locus: Locus | None, samples: Sequence[int] | None, size: int) -> Iterator[Records]:
        """Read records that touch a locus; see `Source.records`."""
        for start, end in self._intervals(locus):
            for first in range(start, end, size):
                chunk = slice(first, min(first + size, end))
                found = self._records(chunk, locus, samples)
                if len(found):
                    yield found

    def covered(self, contig: str, progress: Progress) -> NDArray[np.int64]:
        """Return what is covered of a contig; see `Source.covered`."""
        numbers, found = self._numbers(Locus(contig, 0, 1)), []
        for start in range(0, len(self._contig_of), _RECORDS_AT_ONCE):
            progress.check()
            chunk = slice(start, start + _RECORDS_AT_ONCE)
            rows = np.flatnonzero(np.isin(self._contig_of[chunk], numbers))
            if len(rows):
                starts = self._whole("variant_position", chunk)[rows] - 1
                alleles = self._read("variant_allele", chunk)[rows, 0]
                ends = starts + [len(str(allele)) for allele in alleles]
                found.append(join_intervals(starts, ends, LONGEST_GAP))
        every = join_all(found)
        return join_intervals(every[:, 0], every[:, 1], LONGEST_GAP)

    def contigs(self, progress: Progress) -> tuple[str, ...]:
        """Return the contigs that have records."""
        known = (self._contigs[n] for n in np.unique(self._contig_of) if 0 <= n < len(self._contigs))
        return tuple(dict.fromkeys(map(contig_key, known)))

    @cached_property
    def _contig_of(self) -> NDArray[np.int64]:
        return self._whole("variant_contig", slice(None))

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        import zarr

        name = ""
        try:
            store, found = zarr.open_group(str(self.path), mode="r"), {}
            for name in _KNOWN:
                if name in store:
                    found[name] = store[name]
            return found
        except Exception as error:
            # zarr raises many kinds, some of its own
            what = f"array {name} of {self.path}" if name else f"{self.path}"
            raise DataError(
                f"{what} can't be read as a Zarr store ({_first_line(error)}): copy it again, or make one "
                "with `vcf2zarr convert calls.vcf.gz calls.vcz`"
            ) from error

    @cached_property
    def _contigs(self) -> list[str]:
        return [str(name) for name in self._read("contig_id")]

    def _read(self, name: str, rows: slice = slice(None)) -> NDArray[Any]:
        try:
            return np.asarray(self._arrays[name][rows])
        except Exception as error:
            raise DataError(
                f"array {name} of {self.path} is damaged ({_first_line(error)}): copy the store again"
            ) from error

    def _whole(self, name: str, rows: slice) -> NDArray[np.int64]:
        values = self._read(name, rows)
        if values.dtype.kind not in "iu":
            raise DataError(f"array {name} of {self.path} holds {values.dtype}, no whole numbers")
        return values.astype(np.int64)

    def _numbers(self, locus: Locus) -> list[int]:
        return [number for number, name in enumerate(self._contigs) if same_contig(name, locus.contig)]

    def _intervals(self, locus: Locus | None) -> Iterator[tuple[int, int]]:
        """Yield first and last-plus-one variant of intervals that may touch the locus."""
        n = int(self._arrays["variant_position"].shape[0])
        if locus is None or "region_index" not in self._arrays:
            yield 0, n
            return
        chunk = int(self._arrays["variant_position"].chunks[0])
        # columns: chunk, contig, first position, last position, last position of a REF, variants
        index = self._whole("region_index", slice(None))
        if index.ndim != 2 or index.shape[1] < 6:
            raise DataError(f"array region_index of {self.path} is none: convert the calls again")
        wanted = np.isin(index[:, 1], self._numbers(locus))
        near = wanted & (index[:, 2] <= locus.end) & (index[:, 4] > locus.start)
        for number in np.unique(index[near, 0]):
            yield int(number) * chunk, min((int(number) + 1) * chunk, n)

    def _records(self, chunk: slice, locus: Locus | None, samples: Sequence[int] | None) -> Records:
        contig, position = self._whole("variant_contig", chunk), self._whole("variant_position", chunk)
        if len(contig) and not 0 <= contig.min() <= contig.max() < len(self._contigs):
            raise DataError(
                f"array variant_contig of {self.path} numbers contigs that contig_id doesn't have"
            )
        rows = np.arange(len(position))
        if locus is not None:
            rows = np.flatnonzero(np.isin(contig, self._numbers(locus)) & (position <= locus.end))
        alleles = self._read("variant_allele", chunk)
        if locus is not None and len(rows):
            lengths = np.array([len(str(alleles[row, 0])) for row in rows])
            rows = rows[position[rows] - 1 + lengths > locus.start]
        ids = self._read("variant_id", chunk) if "variant_id" in self._arrays and len(rows) else None
        # "" fills up the records that have fewer alleles than others
        alternates = [
            tuple(str(code).upper() for code in alleles[row, 1:] if code and code != ".") for row in rows
        ]
        return Records(
            contig=[self._contigs[contig[row]] for row in rows],
            position=position[rows],
            reference=[str(alleles[row, 0]).upper() for row in rows],
            alternates=alternates,
            ids=["" if ids is None or ids[row] == "." else str(ids[row]) for row in rows],
            number=rows.astype(np.int64) + chunk.start + 1,
            calls=None if samples is None else self._calls(chunk, rows, samples, alternates),
        )

    def _calls(
        self,
        chunk: slice,
        rows: NDArray[np.intp],
        samples: Sequence[int],
        alternates: Sequence[tuple[str, ...]],
    ) -> Calls:
        columns = np.asarray(samples, dtype=np.intp)
        if not len(rows) or not len(columns):
            shape = (len(rows), len(columns))
            return Calls(
                np.full((*shape, 2), MISSING, dtype=np.int16),
                np.zeros(shape, dtype=bool),
                np.full(shape, NO_PHASE_SET, dtype=np.int64),
                np.ones(len(rows), dtype=bool),
            )
        alleles = self._selected("call_genotype", chunk, rows, columns).astype(np.int16)
        if alleles.shape[2] > 2 and (alleles[:, :, 2:] != ABSENT).any():
            raise DataError(f"{self.path} has genotypes of more than two alleles: give diploid calls")
        if alleles.shape[2] == 1:
            alleles = np.concatenate([alleles, np.full_like(alleles, ABSENT)], axis=2)
        alleles = alleles[:, :, :2].copy()
        unknown = (alleles[..., 0] == MISSING) & (alleles[..., 1] == ABSENT)
        alleles[unknown, 1] = MISSING
        phased = np.zeros(alleles.shape[:2], dtype=bool)
        if "call_genotype_phased" in self._arrays:
            phased = self._selected("call_genotype_phased", chunk, rows, columns).astype(bool)
        known = np.array([len(one) for one in alternates])
        if (too_many := alleles.max(axis=(1, 2)) > known).any():
            place = chunk.start + int(rows[int(np.argmax(too_many))]) + 1
            raise DataError(
                f"{self.path}, record {place:,} has a genotype with an allele that it doesn't list: the "
                "store is damaged; convert the calls again"
            )
        sets = [self._selected(name, chunk, rows, columns) for name in _PHASE_SETS if name in self._arrays]
        phase_set = _phase_sets(sets, alleles.shape[:2])
        return Calls(alleles, phased, phase_set, np.ones(len(rows), dtype=bool))

    def _selected(
        self, name: str, chunk: slice, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[Any]:
        first, last = int(rows[0]), int(rows[-1])
        interval = slice(chunk.start + first, chunk.start + last + 1)
        try:
            # the samples are picked chunk by chunk, so that a cohort isn't read for one of them
            values = self._arrays[name].oindex[interval, columns]
        except Exception as error:
            raise DataError(
                f"array {name} of {self.path} is damaged ({_first_line(error)}): copy the store again"
            ) from error
        return np.asarray(values)[rows - first]


def _phase_sets(arrays: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return numbers for what PS and PSL name, (records, samples) of any type; PSL has one more axis."""
    names = []
    for array in arrays:
        # -1 and -2 stand for whole numbers that are missing
        texts = np.where(array < 0, "", array.astype(str)) if array.dtype.kind in "iu" else array
        rows = texts.reshape(int(np.prod(shape)), -1).tolist()
        names.append([",".join(str(word) for word in row if word) for row in rows])
    if not names:
        return np.full(shape, NO_PHASE_SET, dtype=np.int64)
    numbers = [phase_set_number(*one) for one in zip(*names, strict=True)]
    return np.array(numbers, dtype=np.int64).reshape(shape)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

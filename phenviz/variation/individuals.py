"""The people whose genotypes a file holds."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.variation.genotypes import Genotypes, alleles_of_rows
from phenviz.variation.haplotype import Haplotype, apply_variants
from phenviz.variation.normalise import Rows, split_records
from phenviz.variation.phasing import Unphased
from phenviz.variation.read import check_assembly
from phenviz.variation.records import Records, Source
from phenviz.variation.report import Tally
from phenviz.variation.samples import sample_table
from phenviz.variation.sources import open_source
from phenviz.variation.table import RECORD_COLUMNS, VARIANT_COLUMNS

_PIECE = 5_000
HAPLOTYPE_COLUMNS = ["haplotype_1", "haplotype_2", "phased", "phase_set"]


def open_individuals(
    path: str | os.PathLike[str],
    reference: ReferenceGenome,
    *,
    panel: str | os.PathLike[str] | None = None,
    superpopulation: str = "",
) -> Individuals:
    """Open a file with genotypes; nothing but its head is read.

    Parameters
    ----------
    path
        VCF or BCF (plain, gzip or bgzip, indexed or not), PLINK 2 ``.pgen``, or a VCF Zarr store.
    reference
        The genome that the file was called against.
    panel
        Table of samples, populations and superpopulations (as that of the 1000 Genomes Project); None
        where they are unknown.
    superpopulation
        Of samples that the panel doesn't name.

    Raises
    ------
    DataError
        If the file can't be read or holds no samples.
    """
    source = open_source(path)
    if not source.samples:
        raise DataError(f"{path} holds sites only, no samples: give a file with genotypes")
    return Individuals(source, reference, sample_table(source.samples, panel, superpopulation))


class Individuals:
    """Individuals of one file.

    Parameters
    ----------
    source
        The file.
    reference
        The genome.
    samples
        One row each: sample, population, superpopulation.

    Attributes
    ----------
    samples
        Columns sample, population, superpopulation; "" where unknown; order of the file.
    """

    def __init__(self, source: Source, reference: ReferenceGenome, samples: pd.DataFrame) -> None:
        self.source = source
        self.reference = reference
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.source.samples)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how the file is read, such as a missing index."""
        return self.source.notes

    def individual(self, sample: str) -> Individual:
        """Return one individual.

        Raises
        ------
        DataError
            If nobody has this name; offers the nearest ones.
        """
        self._indices([sample])
        return Individual(self, sample)

    def variants(self, locus: Locus) -> pd.DataFrame:
        """Return the variants of a locus, whoever carries them: `VARIANT_COLUMNS`, sorted."""
        return self._read(locus, None).variants[VARIANT_COLUMNS]

    def genotypes(self, locus: Locus, samples: Iterable[str] | None = None) -> Genotypes:
        """Return the alleles of samples at the variants whose record touches a locus.

        Parameters
        ----------
        locus
            Checked against the reference.
        samples
            Names, in the order wanted; all for None.

        Raises
        ------
        DataError
            If a name is unknown, or the file is damaged or of another assembly.
        """
        names = list(self.source.samples if samples is None else samples)
        indices = self._indices(names)
        # files give samples in their own order
        rising = sorted(set(indices))
        found = self._read(locus, rising)
        columns = np.searchsorted(rising, indices)
        return Genotypes(
            found.variants,
            tuple(names),
            found.alleles[:, columns],
            found.phased[:, columns],
            found.phase_set[:, columns],
            found.report,
        )

    def allele_counts(self, locus: Locus, by: str | None = "population") -> pd.DataFrame:
        """Count the alternate alleles of a locus.

        Parameters
        ----------
        locus
            Where.
        by
            ``population`` or ``superpopulation``; None for everybody together.

        Returns
        -------
        pd.DataFrame
            One row for each variant and group, see `Genotypes.counts`; a group of unknown origin is "".
        """
        if by is None:
            groups = {"all": np.arange(len(self))}
        elif by in ("population", "superpopulation"):
            groups = {str(name): np.asarray(rows) for name, rows in self.samples.groupby(by).indices.items()}
        else:
            raise DataError(f"samples can't be grouped by {by!r}: choose population or superpopulation")
        return self.genotypes(locus).counts(groups)

    def _indices(self, names: Sequence[str]) -> list[int]:
        for name in names:
            if name not in self._index:
                near = difflib.get_close_matches(name, self.source.samples, n=3, cutoff=0.5)
                shown = near or self.source.samples[:3]
                hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(shown)} ..."
                raise DataError(f"{self.source.path.name} has no sample {name!r} among {len(self):,}: {hint}")
        return [self._index[name] for name in names]

    def _read(self, locus: Locus, samples: list[int] | None) -> Genotypes:
        locus = self._located(locus)
        tally = Tally(str(self.source.path))
        tally.notes.extend(self.source.notes)
        pieces, first = [], 0
        for records in self.source.records(locus, samples, _PIECE):
            pieces.append(self._piece(records, first, tally))
            first += len(records)
        check_assembly(tally, self.reference, self.source)
        joined = _joined(pieces, len(samples or ()), tally)
        return joined.select(np.argsort(joined.variants["position"].to_numpy(), kind="stable"))

    def _located(self, locus: Locus) -> Locus:
        return Locus(self.reference.resolve_contig(locus.contig), locus.start, locus.end, locus.strand)

    def _piece(self, records: Records, first: int, tally: Tally) -> Genotypes:
        rows = split_records(records, self.reference, tally)
        variants = rows.table_with_records(first)
        calls = records.calls
        if calls is None:
            return Genotypes(variants, (), *_no_calls((len(variants), 0)), tally.report())
        tally.no_genotype += int((~calls.has_genotype).sum())
        of_row = np.asarray(rows.record, dtype=np.intp)
        return Genotypes(
            variants,
            (),
            alleles_of_rows(calls, rows.record, rows.allele),
            calls.phased[of_row],
            calls.phase_set[of_row],
            tally.report(),
        )


@dataclass(frozen=True, eq=False)
class Individual:
    """One person.

    Parameters
    ----------
    individuals
        Everybody of the file.
    sample
        Name.
    """

    individuals: Individuals
    sample: str

    def variants(self, locus: Locus) -> pd.DataFrame:
        """Return the variants of a locus that this individual carries.

        Returns
        -------
        pd.DataFrame
            `VARIANT_COLUMNS`, ``haplotype_1`` and ``haplotype_2`` (1 alternate, 0 not, -1 missing,
            -2 no second copy; in the order of the file), ``phased``, ``phase_set``, then `RECORD_COLUMNS`.
        """
        found = self.individuals.genotypes(locus, [self.sample])
        found = found.select(np.flatnonzero((found.alleles[:, 0] == 1).any(axis=1)))
        table = found.variants.copy()
        values = (found.alleles[:, 0, 0], found.alleles[:, 0, 1], found.phased[:, 0], found.phase_set[:, 0])
        for column, value in zip(HAPLOTYPE_COLUMNS, values, strict=True):
            table[column] = value
        return table[[*VARIANT_COLUMNS, *HAPLOTYPE_COLUMNS, *RECORD_COLUMNS]]

    def haplotype(
        self, locus: Locus, number: int, *, unphased: Unphased = "refuse", seed: int = 0
    ) -> Haplotype:
        """Return one of the two haplotypes of a locus.

        Parameters
        ----------
        locus
            Where.
        number
            1 or 2: the first or second allele of phased calls.
        unphased
            What to do about heterozygotes whose phase the file doesn't know: ``refuse``, ``as listed``
            or ``random``; see `phasing.orient`.
        seed
            Of ``random``.

        Raises
        ------
        DataError
            If heterozygotes are unphased and that is refused.
        LocusError
            If the locus leaves the contig.
        """
        if number not in (1, 2):
            raise DataError(f"haplotype {number}: an individual has 1 and 2")
        return self.haplotypes(locus, unphased=unphased, seed=seed)[number - 1]

    def haplotypes(
        self, locus: Locus, *, unphased: Unphased = "refuse", seed: int = 0
    ) -> tuple[Haplotype, Haplotype]:
        """Return both haplotypes of a locus, reading the file once; see `haplotype`."""
        reference = self.individuals.reference
        found = self.individuals.genotypes(locus, [self.sample])
        alleles, phasing = found.oriented(0, unphased=unphased, seed=seed)
        first, second = (
            replace(
                apply_variants(reference, locus, found.variants[alleles[:, copy] == 1]),
                sample=self.sample,
                number=copy + 1,
                phasing=phasing,
            )
            for copy in (0, 1)
        )
        return first, second


def _joined(pieces: list[Genotypes], n_samples: int, tally: Tally) -> Genotypes:
    if not pieces:
        shape = (0, n_samples)
        empty = Rows().table_with_records(0)
        return Genotypes(empty, (), *_no_calls(shape), tally.report())
    return Genotypes(
        pd.concat([piece.variants for piece in pieces], ignore_index=True),
        (),
        np.concatenate([piece.alleles for piece in pieces]),
        np.concatenate([piece.phased for piece in pieces]),
        np.concatenate([piece.phase_set for piece in pieces]),
        tally.report(),
    )


def _no_calls(shape: tuple[int, int]) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.int64]]:
    return np.zeros((*shape, 2), np.int8), np.zeros(shape, bool), np.zeros(shape, np.int64)

"""The people whose genotypes a file, or a set of files, holds."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.carried import View, carried_haplotypes
from phenviz.variation.chained import group_by_samples
from phenviz.variation.coverage import Coverage, join_all
from phenviz.variation.genotypes import Genotypes
from phenviz.variation.haplotype import Haplotype
from phenviz.variation.merge import merge_genotypes
from phenviz.variation.phasing import Unphased
from phenviz.variation.read_genotypes import read_genotypes
from phenviz.variation.records import Source
from phenviz.variation.samples import sample_table
from phenviz.variation.sources import open_source
from phenviz.variation.table import RECORD_COLUMNS, VARIANT_COLUMNS

HAPLOTYPE_COLUMNS = ["haplotype_1", "haplotype_2", "phased", "phase_set"]
AnyPath = str | os.PathLike[str]


def open_individuals(
    path: AnyPath | Sequence[AnyPath],
    reference: ReferenceGenome,
    *,
    panel: AnyPath | None = None,
    superpopulation: str = "",
) -> Individuals:
    """Open a file with genotypes; nothing but its head is read.

    Parameters
    ----------
    path
        VCF or BCF (plain, gzip or bgzip), PLINK 2 ``.pgen``, or a VCF Zarr store. Several files have either
        the same samples (one file per chromosome, say) or none in common (batches of a cohort).
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
        If a file can't be read or holds no samples, or two files share some but not all samples.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        raise DataError("no file of genotypes was given: give a VCF, BCF or .pgen file or a VCF Zarr store")
    sources = [open_source(one) for one in paths]
    for source in sources:
        if not source.samples:
            raise DataError(f"{source.path} holds sites only, no samples: give a file with genotypes")
    batches = group_by_samples(sources)
    samples = _all_samples(batches)
    return Individuals(batches, reference, sample_table(samples, panel, superpopulation))


class Individuals:
    """Individuals of one cohort.

    Parameters
    ----------
    batches
        Files, none of which has a sample of another one.
    reference
        The genome.
    samples
        One row each: sample, population, superpopulation.

    Attributes
    ----------
    samples
        Columns sample, population, superpopulation; "" where unknown; in the order of the files.
    """

    def __init__(self, batches: Sequence[Source], reference: ReferenceGenome, samples: pd.DataFrame) -> None:
        self._batches = tuple(batches)
        self.reference = reference
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files as they are read, none of which has a sample of another one."""
        return self._batches

    @property
    def paths(self) -> tuple[Path, ...]:
        """Files, the first of each batch."""
        return tuple(batch.path for batch in self._batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how the files are read, such as a missing index."""
        return tuple(note for batch in self._batches for note in batch.notes)

    def individual(self, sample: str) -> Individual:
        """Return one individual.

        Raises
        ------
        DataError
            If nobody has this name; offers the nearest ones.
        """
        self._check_names([sample])
        return Individual(self, sample)

    def variants(self, locus: Locus) -> pd.DataFrame:
        """Return the variants of a locus, whoever carries them: `VARIANT_COLUMNS`, sorted."""
        locus = self._located(locus)
        found = [read_genotypes(batch, self.reference, locus, None) for batch in self._batches]
        return merge_genotypes(found).variants[VARIANT_COLUMNS]

    def genotypes(
        self,
        locus: Locus,
        samples: Iterable[str] | None = None,
        *,
        ahead: int = 0,
        progress: Progress = NO_PROGRESS,
    ) -> Genotypes:
        """Return the alleles of samples at the variants whose record touches a locus.

        Parameters
        ----------
        locus
            Where; ``chr20`` and ``20`` are the same contig.
        samples
            Names, in the order wanted; all for None.
        ahead
            Records that begin within so many bases behind the locus are given, too, but not reported.
        progress
            Checked after each chunk for a cancel.

        Raises
        ------
        DataError
            If a name is unknown, or the file is damaged or of another assembly.
        """
        locus = self._located(locus)
        names = list(self.samples["sample"] if samples is None else samples)
        self._check_names(names)
        wanted = set(names)
        found = []
        for batch in self._batches:
            # files give samples in their own order
            chosen = [index for index, sample in enumerate(batch.samples) if sample in wanted]
            if chosen or not names:
                found.append(read_genotypes(batch, self.reference, locus, chosen, progress, ahead))
        return merge_genotypes(found).with_samples(names)

    def coverage(self, contig: str, sample: str | None = None, progress: Progress = NO_PROGRESS) -> Coverage:
        """Tell where on a contig genotypes are known: elsewhere, nobody carries "no variant".

        Parameters
        ----------
        contig
            ``chr20`` and ``20`` are the same.
        sample
            Whose; None for what the file of at least one covers.
        progress
            Checked for a cancel while a file without an index is looked through.

        Raises
        ------
        DataError
            If nobody has this name, or a file can't be read.
        """
        if sample is not None:
            self._check_names([sample])
        contig = self.reference.resolve_contig(contig)
        batches = [one for one in self._batches if sample is None or sample in one.samples]
        length = self.reference.contigs[contig]
        intervals = join_all(batch.covered(contig, progress) for batch in batches)
        return Coverage(
            ", ".join(batch.path.name for batch in batches),
            tuple(Locus(contig, int(a), int(min(b, length))) for a, b in intervals if a < min(b, length)),
            tuple(dict.fromkeys(name for batch in batches for name in batch.contigs(progress)))
            if not len(intervals)
            else (),
        )

    def uncovered(self, locus: Locus, samples: Iterable[str] | None = None) -> str:
        """Say of which bases of a locus some file says nothing about its samples; "" where each does.

        Parameters
        ----------
        locus
            Where.
        samples
            Names; all for None.
        """
        locus, wanted = self._located(locus), None if samples is None else set(samples)
        first = (
            next((name for name in batch.samples if wanted is None or name in wanted), None)
            for batch in self._batches
        )
        said = (self.coverage(locus.contig, name).describe(locus) for name in first if name is not None)
        return "; ".join(filter(None, said))

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

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.samples["sample"])

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._known:
                known = self.samples["sample"].tolist()
                near = nearest_samples(name, known)
                hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known[:3])} ..."
                files = ", ".join(path.name for path in self.paths)
                raise DataError(f"{files} has no sample {name!r} among {len(known):,}: {hint}")

    def _located(self, locus: Locus) -> Locus:
        return replace(locus, contig=self.reference.resolve_contig(locus.contig))


@dataclass(frozen=True, eq=False)
class Individual:
    """One person.

    Parameters
    ----------
    individuals
        Everybody of the file.
    sample
        Name.
    progress
        Checked for a cancel while genotypes are read.
    """

    individuals: Individuals
    sample: str
    progress: Progress = NO_PROGRESS

    def coverage(self, contig: str) -> Coverage:
        """Tell where on a contig this individual's genotypes are known; see `Individuals.coverage`."""
        return self.individuals.coverage(contig, self.sample, self.progress)

    def uncovered(self, locus: Locus) -> str:
        """Say of which bases of a locus nothing is known about this individual; "" where of none."""
        return self.individuals.uncovered(locus, [self.sample])

    def check_covered(self, locus: Locus) -> None:
        """Raise a `DataError` where nothing at all is known of a locus: the reference is nobody's genome."""
        known = self.coverage(locus.contig)
        if not known.share(locus):
            raise DataError(f"nothing is known of {self.sample} in {locus}: {known.extent()}; choose another")

    def variants(self, locus: Locus, *, unphased: Unphased = "as listed", seed: int = 0) -> pd.DataFrame:
        """Return the variants of a locus that this individual carries.

        Parameters
        ----------
        locus
            Where.
        unphased, seed
            What to do about heterozygotes whose phase the file doesn't know, see `haplotype`; by default
            their alleles stay in the order of the file, and ``phased`` tells them apart.

        Returns
        -------
        pd.DataFrame
            `VARIANT_COLUMNS`, ``haplotype_1`` and ``haplotype_2`` (1 alternate, 0 not, -1 missing,
            -2 no second copy), ``phased``, ``phase_set``, then `RECORD_COLUMNS`.
        """
        found = self.individuals.genotypes(locus, [self.sample], progress=self.progress)
        alleles, _ = found.oriented(0, unphased=unphased, seed=seed)
        carried = np.flatnonzero((alleles == 1).any(axis=1))
        found, alleles = found.select(carried), alleles[carried]
        table = found.variants.copy()
        values = (alleles[:, 0], alleles[:, 1], found.phased[:, 0], found.phase_set[:, 0])
        for column, value in zip(HAPLOTYPE_COLUMNS, values, strict=True):
            table[column] = value
        return table[[*VARIANT_COLUMNS, *HAPLOTYPE_COLUMNS, *RECORD_COLUMNS]]

    def haplotype(
        self, locus: Locus, number: int, *, unphased: Unphased = "refuse", seed: int = 0
    ) -> Haplotype:
        """Return one of the two haplotypes of a locus: what it has of that person's whole contig.

        A deletion counts wherever it begins, and loci that overlap agree on what they share.

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
            If heterozygotes of the locus are unphased and that is refused.
        LocusError
            If the locus leaves the contig.
        """
        if number not in (1, 2):
            raise DataError(f"haplotype {number}: an individual has 1 and 2")
        return self.haplotypes(locus, unphased=unphased, seed=seed)[number - 1]

    def haplotypes(
        self, locus: Locus, *, view: View | None = None, unphased: Unphased = "refuse", seed: int = 0
    ) -> tuple[Haplotype, Haplotype]:
        """Return both haplotypes of a locus; see `haplotype`.

        Parameters
        ----------
        view
            Says what is looked at of a haplotype, if that is more than the locus: each haplotype is then
            given over that (see `carried_haplotypes`).
        """
        found = carried_haplotypes(
            self.individuals,
            locus,
            [self.sample],
            view=view,
            unphased=unphased,
            seed=seed,
            progress=self.progress,
        )
        known: dict[str, Any] = {
            "sample": self.sample,
            "phasing": found.phasing[0],
            "report": found.report,
            "coverage": self.coverage(locus.contig),
        }
        one, two = (replace(plain, number=number, **known) for number, plain in enumerate(found.pairs[0], 1))
        return one, two


def nearest_samples(name: str, known: Sequence[str]) -> list[str]:
    """Return up to three known names that are close to one that isn't known."""
    typed = name.strip().lower()
    begins = [one for one in known if typed and one.lower().startswith(typed)]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return list(dict.fromkeys([*begins[:3], *close]))[:3]


def _all_samples(batches: Sequence[Source]) -> list[str]:
    of_sample: dict[str, Path] = {}
    for batch in batches:
        for sample in batch.samples:
            if sample in of_sample:
                raise DataError(
                    f"sample {sample!r} is in {of_sample[sample]} and in {batch.path}, which differ in other "
                    "samples or in their order: files must share all their samples or none"
                )
            of_sample[sample] = batch.path
    return list(of_sample)

"""Who carries what: alleles of every sample at every variant of a locus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.variation.phasing import Phasing, Unphased, orient
from phenviz.variation.records import ABSENT
from phenviz.variation.report import VariantReport
from phenviz.variation.table import VARIANT_COLUMNS


@dataclass(frozen=True, eq=False)
class Genotypes:
    """Alleles of S samples at V variants.

    Parameters
    ----------
    variants
        `VARIANT_COLUMNS` and `RECORD_COLUMNS`; V rows.
    samples
        Names.
    alleles
        Shape (V, S, 2), int8: 1 where the allele is the row's alternate, 0 where it is another one,
        -1 where the call is missing, -2 in the second place of a haploid call.
    phased
        Whether the order of the two alleles means something, shape (V, S).
    phase_set
        Name of the interval within which phased calls belong together, shape (V, S); 0 where the file
        names none.
    report
        What was left out.
    """

    variants: pd.DataFrame
    samples: tuple[str, ...]
    alleles: NDArray[np.int8]
    phased: NDArray[np.bool_]
    phase_set: NDArray[np.int64]
    report: VariantReport

    def select(self, rows: NDArray[np.intp]) -> Genotypes:
        """Return the given rows, in this order."""
        return replace(
            self,
            variants=self.variants.iloc[rows].reset_index(drop=True),
            alleles=self.alleles[rows],
            phased=self.phased[rows],
            phase_set=self.phase_set[rows],
        )

    def reference_intervals(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return 0-based start and exclusive end of each row's record, as the file writes it."""
        starts = self.variants["record_position"].to_numpy() - 1
        return starts, starts + self.variants["record_ref"].str.len().to_numpy(dtype=np.int64)

    def with_samples(self, names: Sequence[str]) -> Genotypes:
        """Return the given samples, in this order."""
        place = {name: column for column, name in enumerate(self.samples)}
        columns = [place[name] for name in names]
        return replace(
            self,
            samples=tuple(names),
            alleles=self.alleles[:, columns],
            phased=self.phased[:, columns],
            phase_set=self.phase_set[:, columns],
        )

    def oriented(
        self, column: int, *, unphased: Unphased = "refuse", seed: int = 0
    ) -> tuple[NDArray[np.int8], Phasing]:
        """Put the alleles of the sample in one column onto haplotypes: shape (V, 2); see `orient`."""
        return orient(
            self.variants,
            self.alleles[:, column],
            self.phased[:, column],
            self.phase_set[:, column],
            sample=self.samples[column],
            unphased=unphased,
            seed=seed,
        )

    def counts(self, groups: dict[str, NDArray[np.intp]]) -> pd.DataFrame:
        """Count alleles in groups of samples.

        Parameters
        ----------
        groups
            Name -> indices into ``samples``.

        Returns
        -------
        pd.DataFrame
            One row for each variant and group: `VARIANT_COLUMNS`, ``group``, ``carriers`` (samples with
            at least one alternate allele), ``homozygous`` (with nothing else), ``allele_count``,
            ``allele_number`` (called alleles) and ``allele_frequency`` (NaN where nothing is called).
        """
        tables = [self._count(name, chosen) for name, chosen in groups.items()]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _count(self, name: str, chosen: NDArray[np.intp]) -> pd.DataFrame:
        alleles = self.alleles[:, chosen]
        alternate, called = (alleles == 1).sum(axis=2), (alleles >= 0).sum(axis=2)
        table = self.variants[VARIANT_COLUMNS].copy()
        table["group"] = name
        table["carriers"] = (alternate > 0).sum(axis=1)
        table["homozygous"] = ((alternate > 0) & (alternate == (alleles != ABSENT).sum(axis=2))).sum(axis=1)
        table["allele_count"], table["allele_number"] = alternate.sum(axis=1), called.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            table["allele_frequency"] = table["allele_count"] / table["allele_number"].where(
                table["allele_number"] > 0
            )
        return table

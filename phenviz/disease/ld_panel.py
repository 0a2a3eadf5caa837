"""Correlation between variants (linkage disequilibrium) of the people at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome.locus import Locus
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals

Array = NDArray[np.float64]

# bases that genotypes are read in at once
_TILE = 1_000_000
# correlations of fewer say nothing
FEWEST_PEOPLE = 50


@dataclass(frozen=True)
class LdPanel:
    """Genotypes of one contig, standardised, so that products of rows are correlations.

    Parameters
    ----------
    variants
        ``contig``, ``position`` (1-based), ``ref``, ``alt``, ``frequency`` (of the alternate), by position.
    genotypes
        Mean 0 and variance 1 over people, missing calls at the mean, (V, people).
    """

    variants: pd.DataFrame
    genotypes: NDArray[np.float32]

    @property
    def people(self) -> int:
        """How many there are."""
        return self.genotypes.shape[1]

    def rows(self, wanted: pd.DataFrame) -> NDArray[np.intp]:
        """Return the row of each of some variants (by place and alleles), -1 where there is none.

        The order of a panel's alleles is the reference's, as that of checked statistics is.
        """
        key = ["position", "ref", "alt"]
        numbers = self.variants[key].assign(_row=np.arange(len(self.variants)))
        # a record may stand in two files
        numbers = numbers.drop_duplicates(key)
        return wanted[key].merge(numbers, on=key, how="left")["_row"].fillna(-1).to_numpy(np.intp)


def read_panels(
    people: Individuals,
    places: pd.DataFrame,
    *,
    least_frequency: float = 0.01,
    reach: int = 0,
    progress: Progress = NO_PROGRESS,
) -> Iterator[LdPanel]:
    """Read the common variants of people around some places, contig by contig.

    Parameters
    ----------
    people
        Whose genotypes.
    places
        ``contig``, ``position`` (1-based).
    least_frequency
        Of the rarer allele; what is rarer, or the same in all people, is left out.
    reach
        Bases to read on each side of the outermost places of a contig.

    Yields
    ------
    LdPanel
        One for each contig that has such variants; none where there are fewer than `FEWEST_PEOPLE`.
    """
    if len(people) < FEWEST_PEOPLE:
        return
    for contig, own in places.groupby("contig", sort=True):
        length = people.reference.length(str(contig))
        low = max(0, int(own["position"].min()) - 1 - reach)
        high = min(length, int(own["position"].max()) + reach)
        parts = []
        for start in range(low, high, _TILE):
            progress.check()
            parts.append(_read(people, Locus(str(contig), start, min(start + _TILE, high)), least_frequency))
        tables, values = zip(*parts, strict=True)
        variants = pd.concat(tables, ignore_index=True)
        again = variants.duplicated(["position", "ref", "alt"]).to_numpy()
        if len(variants):
            yield LdPanel(variants[~again].reset_index(drop=True), np.concatenate(values)[~again])


def unbiased_square(correlation: Array, people: int) -> Array:
    """Return r^2 less what chance gives in so many people: ``r^2 - (1 - r^2) / (N - 2)`` [1]_.

    References
    ----------
    .. [1] Bulik-Sullivan 2015, Nat Genet 47:291.
    """
    square = correlation**2
    return np.asarray(square - (1 - square) / (people - 2))


def standardised(dosage: Array) -> NDArray[np.float32]:
    """Bring dosages (V, people; NaN where missing) to mean 0 and variance 1, missing ones to the mean."""
    mean = np.nanmean(dosage, axis=1, keepdims=True)
    about = np.nan_to_num(dosage - mean)
    sd = np.sqrt((about**2).mean(1, keepdims=True))
    return (about / np.where(sd > 0, sd, 1.0)).astype(np.float32)


def _read(
    people: Individuals, locus: Locus, least_frequency: float
) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    found = people.genotypes(locus)
    table = found.variants[["contig", "position", "ref", "alt"]].copy()
    called = found.alleles >= 0
    dosage = np.where(called, found.alleles, 0).sum(2).astype(float)
    # a haploid call counts as two of the same, so that it has the range of others
    copies = called.sum(2)
    dosage = np.where(copies > 0, dosage * 2 / np.maximum(copies, 1), np.nan)
    # where all are alike, also all heterozygous, there is no correlation
    differs = np.fmax.reduce(dosage, axis=1) > np.fmin.reduce(dosage, axis=1)
    frequency = np.full(len(table), np.nan)
    frequency[differs] = np.nanmean(dosage[differs], axis=1) / 2
    inside = (table["position"] > locus.start) & (table["position"] <= locus.end)
    keep = inside.to_numpy() & (np.minimum(frequency, 1 - frequency) >= least_frequency)
    table["frequency"] = frequency
    return table[keep].reset_index(drop=True), standardised(dosage[keep])

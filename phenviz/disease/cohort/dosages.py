"""Common variants of a cohort in memory: what association, scores and principal components work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray

from phenviz.disease.cohort.genotypes import ReadCounts, read_blocks
from phenviz.errors import DataError, MemoryLimitError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation import Individuals

MIN_FREQUENCY = 0.01
# of principal components and genetic distance
_PC_FREQUENCY, _DISTANCE_VARIANTS = 0.05, 10_000
_AT_ONCE = 2_048


@dataclass(frozen=True, eq=False)
class Dosages:
    """How many copies of ALT each person has.

    Parameters
    ----------
    variants
        contig, position (1-based), ref, alt, id; one row each, sorted.
    values
        Shape (variants, people), int8: 0, 1, 2; -1 where the genotype isn't called.
    frequency
        Of ALT among the training people, (variants,).
    """

    variants: pd.DataFrame
    values: NDArray[np.int8]
    frequency: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.variants)

    def select(self, rows: NDArray[np.intp]) -> Dosages:
        """Return the given variants."""
        return Dosages(
            self.variants.iloc[rows].reset_index(drop=True), self.values[rows], self.frequency[rows]
        )

    def centred(self, rows: slice, people: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return dosages minus twice the training frequency; 0 where the genotype isn't called."""
        values = self.values[rows] if people is None else self.values[rows][:, people]
        centred = values.astype(np.float32) - 2 * self.frequency[rows, None].astype(np.float32)
        centred[values < 0] = 0
        return centred

    def standardised(self, rows: slice, people: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return centred dosages divided by their expected standard deviation."""
        return self.centred(rows, people) / self.deviation[rows, None]

    @property
    def deviation(self) -> NDArray[np.float32]:
        """Expected standard deviation of the dosage in the training people, (variants,)."""
        spread = np.sqrt(2 * self.frequency * (1 - self.frequency))
        return np.maximum(spread, 1e-6).astype(np.float32)

    def slices(self, size: int = _AT_ONCE) -> Iterator[slice]:
        """Yield slices of variants."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def score(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum dosages times weights: (variants,) or (variants, scores) gives (people,) or (people, scores).

        A genotype that isn't called counts as twice the training frequency.
        """
        total = np.zeros((self.values.shape[1], *weights.shape[1:]))
        for rows in self.slices():
            if np.any(weights[rows]):
                total += self.centred(rows).T @ weights[rows].astype(np.float32)
        return total + 2 * self.frequency @ weights


def read_dosages(
    individuals: Individuals,
    samples: list[str],
    train: NDArray[np.intp],
    *,
    min_frequency: float = MIN_FREQUENCY,
    counts: ReadCounts | None = None,
    every: list[pd.DataFrame] | None = None,
    progress: Progress = NO_PROGRESS,
) -> Dosages:
    """Read the variants that are common in the training people.

    Parameters
    ----------
    individuals, samples
        Whose genotypes, in which order.
    train
        Rows of the training people: they alone decide which variants are common.
    min_frequency
        Least frequency of the rarer allele among them.
    counts
        Gets what became of the records.
    every
        Gets contig, position, ref, alt and ``frequency`` of all variants, however rare or frequent.
    progress
        Told after each block, in bases.

    Raises
    ------
    DataError
        If no variant is common.
    MemoryLimitError
        If they don't fit into memory.
    """
    tables, kept, frequencies = [], [], []
    held, free = 0, int(psutil.virtual_memory().available)
    for block in read_blocks(individuals, samples, counts=counts, progress=progress):
        values = block.dosages()
        frequency = allele_frequency(values[:, train])
        common = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= min_frequency)
        if every is not None:
            seen = block.variants[["contig", "position", "ref", "alt"]].assign(frequency=frequency)
            every.append(seen[frequency > 0])
        tables.append(block.variants.iloc[common])
        kept.append(values[common])
        frequencies.append(frequency[common])
        held += kept[-1].nbytes
        # they are held twice while they are put together
        if 2 * held > free:
            raise MemoryLimitError(
                f"the variants of {len(samples):,} people that are at least {min_frequency:g} frequent take "
                f"more than the {free / 2**30:.1f} GB that are free: raise min_frequency, or take fewer "
                "people"
            )
    if not held:
        raise DataError(
            f"no variant is {min_frequency:g} or more frequent among the {len(train):,} training people: "
            "give genotypes with common variants"
        )
    return Dosages(pd.concat(tables, ignore_index=True), np.concatenate(kept), np.concatenate(frequencies))


def allele_frequency(values: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the frequency of ALT among called genotypes, (variants,); 0 where none is called."""
    called = (values >= 0).sum(axis=1)
    total = values.sum(axis=1, dtype=np.int64) + (values < 0).sum(axis=1)
    return total / np.maximum(2 * called, 1)


def principal_components(
    values: NDArray[np.int8], train: NDArray[np.intp], count: int, seed: int
) -> NDArray[np.float64]:
    """Fit principal components on the training people and project everybody.

    Parameters
    ----------
    values
        Dosages of variants from all over the genome, (variants, people).
    train
        Rows of the training people.
    count
        How many components.
    seed
        Of the randomised decomposition.

    Returns
    -------
    NDArray[np.float64]
        Shape (people, count), in standard deviations of the training people.
    """
    from sklearn.decomposition import PCA

    frequency = allele_frequency(values[:, train])
    common = np.flatnonzero(np.minimum(frequency, 1 - frequency) >= _PC_FREQUENCY)
    own = Dosages(pd.DataFrame(index=common), values[common], frequency[common])
    scaled = own.standardised(slice(None)).T
    count = min(count, len(train) - 1, scaled.shape[1])
    fitted = PCA(count, svd_solver="randomized", random_state=seed).fit(scaled[train])
    spread = np.sqrt(np.maximum(fitted.explained_variance_, 1e-12))
    components: NDArray[np.float64] = (fitted.transform(scaled) / spread).astype(np.float64)
    return components


def distance_variants(dosages: Dosages, train: NDArray[np.intp]) -> tuple[pd.DataFrame, float]:
    """Return the variants that genetic distance is measured by, and its mean among the training people.

    Returns
    -------
    tuple
        contig, position, ref, alt and ``frequency``; and the mean of squared standardised dosages.
    """
    some = dosages.select(_evenly(dosages))
    values = some.standardised(slice(None), train)
    table = some.variants.assign(frequency=some.frequency)
    return table, max(float((values**2).mean()), 1e-12)


def _evenly(dosages: Dosages) -> NDArray[np.intp]:
    """Choose common variants evenly over what there is."""
    minor = np.minimum(dosages.frequency, 1 - dosages.frequency)
    common = np.flatnonzero(minor >= _PC_FREQUENCY)
    common = common if len(common) else np.arange(len(dosages))
    return common[np.unique(np.linspace(0, len(common) - 1, _DISTANCE_VARIANTS).astype(int))]

"""Which haplotypes of a locus differ: a model needs to see each of them only once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus
from phenviz.variation.haplotype import Haplotype, HaplotypeBuilder
from phenviz.variation.individuals import Individuals
from phenviz.variation.phasing import Phasing, Unphased


@dataclass(frozen=True, eq=False)
class UniqueHaplotypes:
    """U different haplotypes of S samples.

    Parameters
    ----------
    haplotypes
        Nobody's (``sample`` is ""), in the order in which they are first met.
    index
        Which haplotype each copy is, shape (S, 2).
    samples
        Names.
    phasing
        Of each sample: what the file left open, and what was done about it.
    """

    haplotypes: tuple[Haplotype, ...]
    index: NDArray[np.int64]
    samples: tuple[str, ...]
    phasing: tuple[Phasing, ...]

    @property
    def saving(self) -> float:
        """Copies that needn't be looked at, as a fraction of all."""
        return 1 - len(self.haplotypes) / self.index.size if self.index.size else 0.0

    def describe(self) -> str:
        """Say how many of how many are different."""
        return (
            f"{len(self.haplotypes):,} different haplotypes among {self.index.size:,} "
            f"of {len(self.samples):,} individuals: {self.saving:.1%} saved"
        )


def unique_haplotypes(
    individuals: Individuals,
    locus: Locus,
    samples: Iterable[str] | None = None,
    *,
    unphased: Unphased = "refuse",
    seed: int = 0,
) -> UniqueHaplotypes:
    """Build every different haplotype of a locus once.

    Parameters
    ----------
    individuals
        Whose.
    locus
        Where.
    samples
        Names; all for None.
    unphased, seed
        As in `Individual.haplotype`.

    Returns
    -------
    UniqueHaplotypes
        Haplotypes that differ in their bases, and which of them each copy is.

    Raises
    ------
    DataError
        As `Individual.haplotype`.
    """
    found = individuals.genotypes(locus, samples)
    builder = HaplotypeBuilder(individuals.reference, locus, found.variants)
    index = np.empty((len(found.samples), 2), dtype=np.int64)
    haplotypes: list[Haplotype] = []
    of_pattern: dict[bytes, int] = {}
    of_content: dict[str, int] = {}
    phasings = []
    for row in range(len(found.samples)):
        alleles, phasing = found.oriented(row, unphased=unphased, seed=seed)
        phasings.append(phasing)
        for copy in (0, 1):
            carried = alleles[:, copy] == 1
            # equal rows make equal bases; only new ones are built, and different ones may still agree
            pattern = carried.tobytes()
            if pattern not in of_pattern:
                built = builder.build(carried)
                of_pattern[pattern] = of_content.setdefault(built.content_hash, len(haplotypes))
                if of_pattern[pattern] == len(haplotypes):
                    haplotypes.append(built)
            index[row, copy] = of_pattern[pattern]
    return UniqueHaplotypes(tuple(haplotypes), index, found.samples, tuple(phasings))

"""Which haplotypes of a locus differ: a model needs to see each of them only once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus
from phenviz.variation.carried import View, carried_haplotypes
from phenviz.variation.haplotype import Haplotype
from phenviz.variation.individuals import Individuals
from phenviz.variation.phasing import Phasing, Unphased
from phenviz.variation.report import VariantReport


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
    skipped
        How many variants each copy lacks since they overlap another one before them, shape (S, 2).
    report
        What became of the file's records there, whoever carries them.
    """

    haplotypes: tuple[Haplotype, ...]
    index: NDArray[np.int64]
    samples: tuple[str, ...]
    phasing: tuple[Phasing, ...]
    skipped: NDArray[np.int64]
    report: VariantReport

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
    view: View | None = None,
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
    view, unphased, seed
        As in `Individual.haplotypes`.

    Returns
    -------
    UniqueHaplotypes
        Haplotypes that differ in their bases (with a ``view`` in their edits there), and which of them each
        copy is.

    Raises
    ------
    DataError
        As `Individual.haplotype`.
    """
    names = individuals.samples["sample"].tolist() if samples is None else list(samples)
    found = carried_haplotypes(individuals, locus, names, view=view, unphased=unphased, seed=seed)
    index, skipped = np.empty((len(names), 2), dtype=np.int64), np.empty((len(names), 2), dtype=np.int64)
    haplotypes: list[Haplotype] = []
    known: dict[Hashable, int] = {}
    for row, pair in enumerate(found.pairs):
        for copy, haplotype in enumerate(pair):
            skipped[row, copy] = len(haplotype.reasons)
            # different variants may still make the same bases; what is looked at is read along the edits
            content = haplotype.content_hash if view is None else (haplotype.locus, haplotype.edits)
            index[row, copy] = known.setdefault(content, len(haplotypes))
            if index[row, copy] == len(haplotypes):
                haplotypes.append(haplotype)
    return UniqueHaplotypes(tuple(haplotypes), index, tuple(names), found.phasing, skipped, found.report)

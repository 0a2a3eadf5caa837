"""People who were measured and have genotypes: pair the two, and what is known around a gene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.data.expression_table import FEWEST_PEOPLE
from phenviz.data.measured_expression import INCLUSION, MeasuredExpression, people_of
from phenviz.effects.measured.folds import SPLITS, Covariates, Fold, Rows, folds_of
from phenviz.effects.measured.methods import RAREST, Numbers
from phenviz.errors import DataError, LocusError
from phenviz.genome import Annotation, Gene, Locus
from phenviz.genome.locus import same_contig
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from phenviz.variation import Individuals

# on each side of the TSS
WINDOW = 500_000
# variants with fewer known genotypes say more about batches of files than about people
_CALLED = 0.9


@dataclass(frozen=True, eq=False)
class MeasuredPeople:
    """People with both genotypes and measured expression.

    Parameters
    ----------
    individuals
        Their genotypes.
    measured
        Of these people alone, in this order.
    populations
        Of each person; "" where unknown.
    notes
        Who was left out, in words.
    """

    individuals: Individuals
    measured: MeasuredExpression
    populations: NDArray[np.str_]
    notes: tuple[str, ...]
    _known: dict[object, object] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The people."""
        return list(self.measured.people)

    def features_of(self, gene: Gene) -> list[int]:
        """Return the features that were measured of a gene, of which enough people have a value."""
        measured = self.measured
        bare = gene.gene_id.split(".")[0]
        found = [
            number
            for number, (name, gene_id) in enumerate(zip(measured.genes, measured.gene_ids, strict=True))
            if (bare and gene_id.split(".")[0] == bare) or (not gene_id and name in (gene.name, gene.gene_id))
        ]
        values = measured.values
        return [
            number
            for number in found
            if np.isfinite(values[:, number]).sum() >= FEWEST_PEOPLE and np.nanstd(values[:, number]) > 0
        ]

    def dosages(
        self, gene: Gene, progress: Progress = NO_PROGRESS
    ) -> tuple[pd.DataFrame, NDArray[np.float32]]:
        """Return the variants around a gene's TSS that are common in these people, and who carries them.

        Returns
        -------
        tuple
            Their table, and copies of the alternate allele, shape (people, variants); NaN where missing.
        """
        return _dosages(self.individuals, self.names, _window(gene, self.individuals), progress)

    def covariates(self, feature: int, elsewhere: NDArray[np.bool_], rows: Rows) -> Covariates:
        """Return the covariates of some people for one feature.

        Parameters
        ----------
        elsewhere
            Features whose gene lies on another contig, shape (features,).
        """
        measured = self.measured
        inclusion = np.array([one.startswith(INCLUSION) for one in measured.features])
        same = inclusion == measured.features[feature].startswith(INCLUSION)
        library = None if measured.library is None else measured.library[rows]
        return Covariates(self.populations[rows], library, measured.values[np.ix_(rows, same & elsewhere)])

    def folds(self, rows: Rows) -> dict[str, list[Fold]]:
        """Cut some people into the folds of each split."""
        return {split: folds_of(self.populations[rows], split) for split in SPLITS}

    def designs(
        self, feature: int, elsewhere: NDArray[np.bool_], rows: Rows, folds: Sequence[Fold], split: str
    ) -> list[Numbers]:
        """Return `Covariates.design` of each fold; those of one kind of feature are worked out once."""
        kind = self.measured.features[feature].split(" ")[0]
        key = (kind, elsewhere.tobytes(), rows.tobytes(), split)
        if key not in self._known:
            covariates = self.covariates(feature, elsewhere, rows)
            self._known[key] = [covariates.design(fold.train) for fold in folds]
        return self._known[key]  # type: ignore[return-value]


def pair_people(individuals: Individuals, measured: MeasuredExpression) -> MeasuredPeople:
    """Pair people's genotypes with what was measured in them, by name.

    Raises
    ------
    DataError
        If too few people have both.
    """
    known = individuals.samples["sample"].tolist()
    both = people_of(measured, known)
    if len(both) < FEWEST_PEOPLE:
        raise DataError(
            f"{len(both):,} of the {len(measured.people):,} people of {measured.title} have genotypes here "
            f"({', '.join(measured.people[:3])} ... were measured, {', '.join(known[:3])} ... have "
            f"genotypes): "
            f"at least {FEWEST_PEOPLE} are needed, so give the file with their genotypes, or a table of names"
        )
    place = {name: row for row, name in enumerate(measured.people)}
    rows = np.array([place[name] for name in both])
    origin = dict(zip(known, individuals.samples["population"].astype(str), strict=True))
    populations = [measured.populations[row] or origin[name] for name, row in zip(both, rows, strict=True)]
    notes = list(measured.notes)
    if left := len(measured.people) - len(both):
        notes.append(f"{left:,} of {len(measured.people):,} measured people have no genotypes here")
    if not any(populations):
        notes.append("nobody's population is known, so that all people count as one")
    kept = MeasuredExpression(
        measured.title, measured.about, tuple(both), tuple(populations), measured.genes, measured.gene_ids,
        measured.features, measured.values[rows],
        None if measured.library is None else measured.library[rows],
        measured.units, measured.curie, tuple(notes),
    )  # fmt: skip
    return MeasuredPeople(individuals, kept, np.array(populations, dtype=str), tuple(notes))


def elsewhere_of(measured: MeasuredExpression, annotation: Annotation, contig: str) -> NDArray[np.bool_]:
    """Tell which features are of genes that don't lie on a contig, as far as the annotation knows."""

    def here(name: str, gene_id: str) -> bool:
        gene = next(filter(None, map(annotation.find_gene, filter(None, (gene_id, name)))), None)
        return gene is not None and same_contig(gene.locus.contig, contig)

    pairs = zip(measured.genes, measured.gene_ids, strict=True)
    return ~np.fromiter((here(*pair) for pair in pairs), dtype=bool, count=len(measured.genes))


def measured_genes(people: MeasuredPeople, annotation: Annotation) -> list[str]:
    """Return the genes that were measured and around whose TSS genotypes are known, along the genome."""
    found: dict[str, Gene] = {}
    for name, gene_id in dict.fromkeys(zip(people.measured.genes, people.measured.gene_ids, strict=True)):
        if (gene := annotation.find_gene(gene_id or name)) is not None:
            found.setdefault(annotation.key_of(gene), gene)
    kept = [
        name
        for name, gene in found.items()
        if _covered(people.individuals, gene) and people.features_of(gene)
    ]
    return sorted(kept, key=lambda name: (found[name].locus.contig, found[name].tss))


def far_gene(gene: Gene, others: Sequence[Gene]) -> Gene | None:
    """Return the gene farthest from another, with no base of its window in common; None if there is none."""
    apart = [
        other
        for other in others
        if not same_contig(other.locus.contig, gene.locus.contig) or abs(other.tss - gene.tss) > 2 * WINDOW
    ]
    return max(apart, key=lambda other: (_distance(gene, other), other.name), default=None)


def _distance(one: Gene, other: Gene) -> float:
    return abs(one.tss - other.tss) if same_contig(one.locus.contig, other.locus.contig) else float("inf")


def _covered(individuals: Individuals, gene: Gene) -> bool:
    try:
        contig = individuals.reference.resolve_contig(gene.locus.contig)
    except LocusError:
        return False
    return any(locus.start <= gene.tss < locus.end for locus in individuals.coverage(contig).loci)


def _window(gene: Gene, individuals: Individuals) -> Locus:
    contig = individuals.reference.resolve_contig(gene.locus.contig)
    length = individuals.reference.contigs[contig]
    return Locus(contig, max(gene.tss - WINDOW, 0), min(gene.tss + WINDOW, length))


def _dosages(
    individuals: Individuals, names: Sequence[str], locus: Locus, progress: Progress
) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    found = individuals.genotypes(locus, names, progress=progress)
    called = (found.alleles >= 0).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        # a man's one copy of X weighs as much as two
        dosage = np.where(called > 0, 2 * (found.alleles == 1).sum(axis=2) / called, np.nan)
    known = (called > 0).mean(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.where(known > 0, np.nansum(dosage, axis=1) / np.maximum((called > 0).sum(axis=1), 1), 0)
    # with a margin: what is common enough is decided in each fold
    kept = np.flatnonzero((known >= _CALLED) & (np.minimum(mean, 2 - mean) / 2 >= RAREST / 2))
    return found.variants.iloc[kept].reset_index(drop=True), dosage[kept].T.astype(np.float32)

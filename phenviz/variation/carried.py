"""What people carry in a locus, of records that may begin far before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phenviz.genome import Locus
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.variation.edits import FARTHEST, changed_bases
from phenviz.variation.genotypes import Genotypes
from phenviz.variation.haplotype import Haplotype, HaplotypeBuilder
from phenviz.variation.phasing import Phasing, Unphased, orient
from phenviz.variation.report import VariantReport
from phenviz.variation.table import RECORD_COLUMNS, VARIANT_COLUMNS

if TYPE_CHECKING:
    from phenviz.variation.individuals import Individuals

# What is looked at of a haplotype that is known over its own locus: who looks along a haplotype looks further
# on the reference where bases are deleted.
View = Callable[[Haplotype], Locus]


@dataclass(frozen=True, eq=False)
class CarriedHaplotypes:
    """Both haplotypes of S samples.

    Parameters
    ----------
    pairs
        Nobody's (``sample`` is ""), each over what is looked at of it; the same choice of variants is the
        same object.
    phasing
        Of each sample: what the file left open about the heterozygotes that are looked at.
    report
        What became of the file's records in the locus, and where haplotypes are looked at beyond it.
    """

    pairs: tuple[tuple[Haplotype, Haplotype], ...]
    phasing: tuple[Phasing, ...]
    report: VariantReport


def carried_haplotypes(
    individuals: Individuals,
    locus: Locus,
    samples: Sequence[str],
    *,
    view: View | None = None,
    unphased: Unphased = "refuse",
    seed: int = 0,
    progress: Progress = NO_PROGRESS,
) -> CarriedHaplotypes:
    """Build the haplotypes that samples have in a locus, as they are on the whole contig.

    The window that is read grows to the start of every record that one of the samples carries and that
    reaches into it, to the edits before it that one may touch, and to all that is looked at, until it is
    stable. Records behind it are read as far as one of them may belong into it once it is left-aligned.

    Parameters
    ----------
    individuals
        Everybody of the file.
    locus
        Where.
    samples
        Names.
    view
        What is looked at, if that is more than the locus.
    unphased, seed
        As in `Individual.haplotype`; heterozygotes that nobody looks at need no phase.
    progress
        Checked for a cancel while genotypes are read.

    Raises
    ------
    DataError, LocusError
        As `Individual.haplotype`.
    """
    choice: Unphased = "as listed" if unphased == "refuse" else unphased
    window = replace(locus, contig=individuals.reference.resolve_contig(locus.contig))
    first = window.start
    while True:
        found, report, first = _reaching(individuals, window, first, samples, progress)
        builder = HaplotypeBuilder(individuals.reference, window.contig, found.variants)
        alleles = [found.oriented(column, unphased=choice, seed=seed)[0] for column in range(len(samples))]
        copies = (
            [(one[:, 0] == 1).tobytes() for one in alleles],
            [(one[:, 1] == 1).tobytes() for one in alleles],
        )
        views = {
            carried: window if view is None else view(builder.build(window, _rows(carried)))
            for carried in {*copies[0], *copies[1]}
        }
        grown = _hull([window, *views.values()])
        before = min((builder.first_edit(_rows(carried)) for carried in views), default=first + 1)
        if grown == window and (before > first or not first):
            break
        window, first = grown, min(first, grown.start, max(before - 1, 0))
    haplotypes = {carried: builder.build(own, _rows(carried)) for carried, own in views.items()}
    pairs = tuple((haplotypes[one], haplotypes[two]) for one, two in zip(*copies, strict=True))
    # a sequence is cut out where records have their bases, what is looked at is read in one form
    changed = changed_bases(found.variants, RECORD_COLUMNS[1:] if view is None else VARIANT_COLUMNS[1:4])
    phasing = tuple(
        _phasing(found, column, pair, changed, unphased, seed) for column, pair in enumerate(pairs)
    )
    return CarriedHaplotypes(pairs, phasing, report)


def _reaching(
    individuals: Individuals, window: Locus, first: int, samples: Sequence[str], progress: Progress
) -> tuple[Genotypes, VariantReport, int]:
    """Read the records of a window from the start of all that reach into it, in the order of the contig."""
    found = individuals.genotypes(window, samples, ahead=FARTHEST, progress=progress)
    report, read = found.report, window
    while True:
        starts, _ = found.reference_intervals()
        first = int(starts[(found.alleles == 1).any(axis=(1, 2))].min(initial=first))
        if first == read.start:
            order = np.lexsort([found.variants["record"], starts])
            return found.select(order), report, first
        read = replace(read, start=first)
        found = individuals.genotypes(read, samples, ahead=FARTHEST, progress=progress)


def _rows(carried: bytes) -> NDArray[np.bool_]:
    return np.frombuffer(carried, dtype=bool)


def _hull(loci: Iterable[Locus]) -> Locus:
    every = list(loci)
    return replace(every[0], start=min(one.start for one in every), end=max(one.end for one in every))


def _phasing(
    found: Genotypes,
    column: int,
    pair: tuple[Haplotype, Haplotype],
    changed: tuple[NDArray[np.int64], NDArray[np.int64]],
    unphased: Unphased,
    seed: int,
) -> Phasing:
    """Say what is open among the records that are looked at on either haplotype of a sample."""
    starts, ends = found.reference_intervals()
    seen = _hull([haplotype.locus for haplotype in pair])
    touching = (changed[0] < seen.end) & (changed[1] > seen.start)
    for haplotype in pair:
        touching[list(haplotype.edited_rows)] = True
    outside = (starts < seen.start) | (starts >= seen.end)
    decisive = _decisive(starts, ends, (found.alleles[:, column] == 1).any(axis=1), touching & outside)
    rows = np.flatnonzero((touching | decisive) & ~_replaced(starts, ends, pair))
    _, phasing = orient(
        found.variants.iloc[rows],
        found.alleles[rows, column],
        found.phased[rows, column],
        found.phase_set[rows, column],
        sample=found.samples[column],
        unphased=unphased,
        seed=seed,
    )
    return phasing


def _decisive(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    carried: NDArray[np.bool_],
    reaching: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Tell which records decide, since they overlap its start, whether one that reaches in is applied."""
    decisive, newest = np.zeros_like(carried), carried & reaching
    while newest.any():
        firsts = starts[newest]
        overlap = ((starts[:, None] <= firsts) & (ends[:, None] > firsts)).any(axis=1)
        newest = carried & overlap & ~decisive & ~newest
        decisive |= newest
    return decisive


def _replaced(
    starts: NDArray[np.int64], ends: NDArray[np.int64], pair: tuple[Haplotype, Haplotype]
) -> NDArray[np.bool_]:
    """Tell which records begin where both haplotypes have something else: their phase decides nothing."""
    replaced = np.ones(len(starts), dtype=bool)
    for haplotype in pair:
        applied = np.array(haplotype.applied, dtype=np.intp)
        before = np.searchsorted(starts[applied], starts) - 1
        last = np.concatenate([ends[applied] - 1, [-1]])
        replaced &= starts < last[before]
    return replaced

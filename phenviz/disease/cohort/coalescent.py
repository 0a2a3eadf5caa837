"""Genomes of simulated people: the coalescent with the history of four human populations."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.disease.cohort.plan import Plan
from phenviz.errors import DataError
from phenviz.genome import Locus, ReferenceGenome
from phenviz.genome.codes import LETTERS, N_CODE
from phenviz.progress import NO_PROGRESS, Progress

# Browning 2018: Africans, Europeans, East Asians, and the admixed people of the Americas
MODEL = "AmericanAdmixture_4B18"
_POPULATIONS = {"AFR": "AFR", "EUR": "EUR", "EAS": "ASIA", "AMR": "ADMIX"}
# independent stretches are eight times as fast as a whole chromosome
CHUNK = 5_000_000
# two of three changes between bases are A <-> G or C <-> T (codes 0 <-> 2, 1 <-> 3)
_TRANSITIONS = 2 / 3
# so many sites stay in the processor's cache
_AT_ONCE = 2_048
# of the rest of the genome, for principal components: about 6,000 common variants
_UNLINKED, _UNLINKED_BASES = 80, 20_000


@dataclass(frozen=True, eq=False)
class SimulatedInterval:
    """Variants of one stretch, and who carries them.

    Parameters
    ----------
    variants
        contig, position (1-based), ref, alt; sorted.
    alleles
        Shape (variants, people, 2), int8: 1 for ALT.
    unknown
        Sites left out since the reference has N there.
    """

    variants: pd.DataFrame
    alleles: NDArray[np.int8]
    unknown: int


def simulate_intervals(
    plan: Plan,
    locus: Locus,
    reference: ReferenceGenome,
    rng: np.random.Generator,
    *,
    progress: Progress = NO_PROGRESS,
) -> Iterator[SimulatedInterval]:
    """Draw genomes, stretch by stretch.

    REF is the reference's base and stands for the ancestral allele; ALT is another base. Stretches of
    5 Mb are independent of each other; children inherit across them.

    Parameters
    ----------
    plan
        Who.
    locus
        Where, on a contig of the reference.
    reference
        Gives the bases.
    rng
        Source of randomness.
    progress
        Told after each stretch, in bases.

    Yields
    ------
    SimulatedInterval
        From left to right.

    Raises
    ------
    DataError
        If msprime and stdpopsim aren't installed.
    """
    simulator = _Simulator(plan, locus)
    meioses = _Meioses(plan, locus, simulator.recombination, rng)
    progress.stage("drawing genomes", locus.length)
    for start in range(locus.start, locus.end, CHUNK):
        end = min(start + CHUNK, locus.end)
        bases = np.asarray(reference.fetch_codes(locus.contig, start, end))
        before = start
        for places, alleles in simulator.draw(start, end, rng.integers(1, 2**31 - 1, 2)):
            codes = bases[places - start]
            known = codes != N_CODE
            places, codes = places[known], codes[known]
            variants = pd.DataFrame(
                {
                    "contig": np.full(len(places), locus.contig, dtype=object),
                    "position": places + 1,
                    "ref": LETTERS[codes],
                    "alt": LETTERS[_other_base(codes, rng)],
                }
            )
            yield SimulatedInterval(variants, meioses.apply(places, alleles[known]), int((~known).sum()))
            if len(places):
                progress.advance(int(places[-1]) - before)
                before = int(places[-1])
        progress.advance(end - before)


def simulate_unlinked(plan: Plan, rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw short stretches of the rest of the genome, each of them independent of all others.

    Principal components of one stretch of a chromosome would say who shares which haplotype there, and so
    explain what its variants do; those of the whole genome say where people come from.

    Returns
    -------
    NDArray[np.int8]
        Dosages of variants, (variants, people).
    """
    simulator = _Simulator(plan, None)
    number = np.full(len(plan.people), -1, dtype=np.int64)
    number[plan.founders] = np.arange(len(plan.founders))
    children = np.flatnonzero(plan.parents[:, 0] >= 0)
    found = []
    for places, alleles in simulator.replicates(rng.integers(1, 2**31 - 1, 2)):
        haplotypes = 2 * number[:, None] + np.arange(2)
        # too short for a crossover: one haplotype of each parent
        inherited = 2 * number[plan.parents[children]] + rng.integers(0, 2, (len(children), 2))
        haplotypes[children] = inherited
        if len(places):
            found.append(alleles[:, haplotypes[:, 0]] + alleles[:, haplotypes[:, 1]])
    return np.concatenate(found)


class _Simulator:
    """stdpopsim's demography, simulated by msprime."""

    def __init__(self, plan: Plan, locus: Locus | None) -> None:
        self._msprime, stdpopsim = _libraries()
        species = stdpopsim.get_species("HomSap")
        self._model = species.get_demographic_model(MODEL)
        self.recombination = float(species.genome.mean_recombination_rate)
        for chromosome in species.genome.chromosomes:
            if locus is not None and chromosome.id == locus.contig.removeprefix("chr"):
                self.recombination = float(chromosome.recombination_rate)
        self._ancestry = plan.people["ancestry"].to_numpy()[plan.founders]

    def draw(
        self, start: int, end: int, seeds: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
        """Yield 0-based places, and alleles of the founders' haplotypes, (sites, 2 founders)."""
        trees = next(iter(self._ancestries(end - start, 1, int(seeds[0]))))
        for places, alleles in self._mutated(trees, int(seeds[1])):
            yield places + start, alleles

    def replicates(self, seeds: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
        """Yield what `draw` does of many short stretches."""
        for number, trees in enumerate(self._ancestries(_UNLINKED_BASES, _UNLINKED, int(seeds[0]))):
            yield from self._mutated(trees, int(seeds[1]) // 2 + number)

    def _ancestries(self, length: int, count: int, seed: int) -> Iterator[Any]:
        names = list(dict.fromkeys(self._ancestry))
        samples = [
            self._msprime.SampleSet(int((self._ancestry == name).sum()), population=_POPULATIONS[name])
            for name in names
        ]
        of_name = np.argsort(np.concatenate([np.flatnonzero(self._ancestry == name) for name in names]))
        # haplotypes in the order of the people, not of their populations
        self._order = (2 * of_name[:, None] + np.arange(2)).ravel()
        yield from self._msprime.sim_ancestry(
            samples,
            demography=self._model.model,
            sequence_length=length,
            recombination_rate=self.recombination,
            random_seed=seed,
            num_replicates=count,
        )

    def _mutated(self, trees: Any, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
        # the model's own rate: with another one its times and sizes mean something else
        mutated = self._msprime.sim_mutations(
            trees,
            rate=self._model.mutation_rate,
            model=self._msprime.BinaryMutationModel(),
            random_seed=seed,
        )
        sites = mutated.tables.sites.position.astype(np.int64)
        alleles = np.empty((_AT_ONCE, len(self._order)), dtype=np.int8)
        variants = mutated.variants(copy=False)
        for first in range(0, len(sites), _AT_ONCE):
            count = min(_AT_ONCE, len(sites) - first)
            for number in range(count):
                alleles[number] = next(variants).genotypes[self._order]
            carriers = alleles[:count].sum(axis=1, dtype=np.int64)
            # a site may have mutated back, or in everybody
            varies = (carriers > 0) & (carriers < len(self._order))
            yield sites[first : first + count][varies], alleles[:count][varies]


class _Meioses:
    """What children got from their parents: which haplotype, between which crossovers."""

    def __init__(self, plan: Plan, locus: Locus, rate: float, rng: np.random.Generator) -> None:
        number = np.full(len(plan.people), -1, dtype=np.int64)
        number[plan.founders] = np.arange(len(plan.founders))
        # haplotypes of founders that each haplotype of the cohort is, were there no crossovers
        self._first = 2 * number[:, None] + np.arange(2)
        self._crossovers: list[tuple[int, int, NDArray[np.int64]]] = []
        for child in np.flatnonzero(plan.parents[:, 0] >= 0):
            for side in (0, 1):
                places = np.sort(rng.integers(locus.start, locus.end, rng.poisson(rate * locus.length)))
                self._first[child, side] = 2 * number[plan.parents[child, side]] + rng.integers(2)
                self._crossovers.append((int(child), side, places))

    def apply(self, places: NDArray[np.int64], founders: NDArray[np.int8]) -> NDArray[np.int8]:
        """Add the children to haplotypes of founders, (sites, 2 founders): (sites, people, 2)."""
        if not len(places):
            return np.empty((0, *self._first.shape), dtype=np.int8)
        now, switched = self._first.copy(), []
        for child, side, crossovers in self._crossovers:
            begin, end = np.searchsorted(crossovers, [places[0], places[-1]], side="right")
            # both haplotypes of a parent stand side by side
            now[child, side] ^= begin % 2
            if end > begin:
                switched.append((child, side, crossovers[begin:end]))
        everybody = founders[:, now.ravel()].reshape(len(places), *now.shape)
        for child, side, crossovers in switched:
            copy = now[child, side] ^ (np.searchsorted(crossovers, places, side="right") % 2)
            everybody[:, child, side] = founders[np.arange(len(places)), copy]
        return everybody


def _other_base(codes: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    transition = rng.random(len(codes)) < _TRANSITIONS
    shift = np.where(transition, 2, rng.choice([1, 3], len(codes)))
    return ((codes.astype(np.int64) + shift) % 4).astype(np.uint8)


def _libraries() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            # what their own dependencies will have to change one day is not for the user
            warnings.simplefilter("ignore")
            import msprime
            import stdpopsim
    except ImportError as error:
        raise DataError(
            f"simulating people needs msprime and stdpopsim ({error.name} isn't here): "
            'pip install "phenviz[simulate]"'
        ) from error
    return msprime, stdpopsim

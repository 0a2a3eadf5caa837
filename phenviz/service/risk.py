"""The kind of job that gives people the scores of the world's risk model, and says where they come from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phenviz.errors import DataError, TargetError
from phenviz.genome import Locus
from phenviz.genome.locus import contig_key
from phenviz.progress import Progress
from phenviz.service.chosen_people import find_people, find_samples, people
from phenviz.service.cohort_effects import summed_effects
from phenviz.service.cohort_embedding import windows_of
from phenviz.service.job_params import COPIES, FLOAT_BYTES, WORKING_BYTES
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.disease.cohort.personal_genotypes import CarriedAlleles
    from phenviz.disease.cohort.saved import RiskModel
    from phenviz.disease.cohort.scoring import Weighed
    from phenviz.models.phenformer import Phenformer
    from phenviz.results.tokens import Tokens
    from phenviz.variation import Individuals
    from phenviz.world import World

DEFINITION = (
    "log odds of the trait at average covariates; percentile among the model's reference people; "
    "contributions: integrated gradients of the Phenformer's logit over gene tokens, from the average "
    "training person"
)


@dataclass(frozen=True, slots=True, eq=False)
class RiskRequest(Request):
    """Parameters of ``risk``.

    Parameters
    ----------
    samples
        Whose.
    traits
        Names, as the model has them.
    individuals
        File of genotypes; None for the world's own.
    content
        Size and time of the files.
    model
        Hash of the risk model's card.
    """

    kind = "risk"
    seconds_per_unit = 5.0
    even = False  # reading genotypes, scoring alleles and explaining aren't of a length
    of_people = True

    samples: tuple[str, ...]
    traits: tuple[str, ...]
    individuals: str | None
    content: tuple[tuple[str, int, int], ...]
    model: str

    @classmethod
    def of(
        cls,
        world: World,
        samples: str | Iterable[str] | None = None,
        traits: str | Iterable[str] | None = None,
        individuals: str | os.PathLike[str] | None = None,
    ) -> Self:
        from phenviz.disease.cohort.saved import open_risk_model

        model = open_risk_model(world)
        path, content = find_people(world, individuals)
        chosen = find_samples(people(world, path), samples)
        return cls(chosen, find_traits(world, traits), path, content, model.card_hash)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            return _Assessment(backend, self, progress).result()

        identity = {"samples": self.samples, "traits": self.traits, "file": self.content}
        return [Chunk({**identity, "model": self.model}, compute, 1 + len(self.samples))]

    def peak_bytes(self, world: World) -> int:
        phenformer = world.phenformer
        assert phenformer is not None
        numbers = len(phenformer.genes) * phenformer.features * (2 if phenformer.haplotypes == "pair" else 1)
        explained = len(self.traits) * len(phenformer.genes) * (len(phenformer.expression) + 1)
        # effects of what people carry: some thousand alleles on a few genes each
        effects = min(4_000 * len(self.samples), 200_000) * 8 * phenformer.features
        return WORKING_BYTES + COPIES * FLOAT_BYTES * (len(self.samples) * (numbers + explained) + effects)


def find_traits(world: World, traits: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return names of the disease model's traits, by name or label; all for None.

    Raises
    ------
    TargetError
        If it doesn't predict one, or none is asked for.
    """
    phenformer = world.phenformer
    assert phenformer is not None
    if traits is None:
        return tuple(trait.name for trait in phenformer.traits)
    asked = [traits] if isinstance(traits, str) else list(traits)
    if not asked:
        raise TargetError("no trait was chosen: name at least one, or leave traits out for all")
    return tuple(dict.fromkeys(phenformer.traits[phenformer.trait_index(name)].name for name in asked))


class _Assessment:
    """One job: people's genotypes, read once, and all that is made of them."""

    def __init__(self, backend: Backend, request: RiskRequest, progress: Progress) -> None:
        from phenviz.disease.cohort.personal_genotypes import known_loci
        from phenviz.disease.cohort.saved import open_risk_model

        assert backend.phenformer is not None
        self._world, self._request, self._progress = backend.world, request, progress
        self._phenformer: Phenformer = backend.phenformer
        self._model: RiskModel = open_risk_model(self._world)
        self._people: Individuals = people(self._world, request.individuals)
        self._pair = self._phenformer.haplotypes == "pair"
        self._loci = self._read_loci()
        self._covered, self._told = known_loci(self._people, request.samples, self._model.loci)
        if not any(self._covered.values()):
            raise DataError(
                f"nothing is known of {request.samples[0]} where {self._model.folder.name} reads genotypes "
                f"({', '.join(map(str, self._loci))}): {self._told}; give genotypes of these bases"
            )

    def result(self) -> xr.Dataset:
        from phenviz.disease.cohort.ranking import rank_people
        from phenviz.disease.cohort.scoring import Layout, combined, expression_scores, unknown_covariates
        from phenviz.models.phenformer_training import logits_of

        phenformer, model, traits = self._phenformer, self._model, self._request.traits
        weighed, carried = self._read()
        effects = self._effects(carried)
        tokens, uncovered = self._tokens(carried, effects)
        names = tuple(gene.name for gene in phenformer.genes)
        layout = Layout(names, phenformer.expression, phenformer.channels)
        expression = expression_scores(tokens, layout, model, traits)
        logits = logits_of(phenformer, tokens)
        unknown = unknown_covariates(model, len(tokens))
        scores = {
            name: combined(
                model, name, unknown, weighed.scores[name], expression[name],
                logits[:, phenformer.trait_index(name)].astype(float),
            )
            for name in traits
        }  # fmt: skip
        found = rank_people(model, self._request.samples, traits, scores, weighed)
        explained, delta = self._explained(tokens, carried, effects)
        attrs = self._attrs(weighed, effects, uncovered)
        return found.merge(explained).assign_attrs(**attrs, convergence_delta=delta)

    def _read_loci(self) -> list[Locus]:
        """Return where the training people have variants: nothing was learnt about those elsewhere."""
        reference = self._people.reference
        found = []
        for locus in self._model.loci:
            contig = reference.resolve_contig(locus.contig)
            found.append(Locus(contig, locus.start, min(locus.end, reference.contigs[contig])))
        return found

    def _read(self) -> tuple[Weighed, CarriedAlleles]:
        from phenviz.disease.cohort.genotypes import ReadCounts
        from phenviz.disease.cohort.personal_genotypes import read_carried
        from phenviz.disease.cohort.scoring import Weigher

        counts, samples = ReadCounts(), self._request.samples
        weigher = Weigher(self._model, self._request.traits, len(samples))
        carried = read_carried(
            self._people,
            samples,
            self._loci,
            weigher,
            pair=self._pair,
            counts=counts,
            progress=self._progress,
        )
        if self._pair and counts.unphased:
            raise DataError(
                f"{counts.unphased:,} heterozygotes have no phase, which {self._phenformer.name} needs, as "
                "it looks at both haplotypes: phase the genotypes"
            )
        return weigher.finish(counts, self._covered), carried

    def _effects(self, carried: CarriedAlleles) -> xr.Dataset:
        from phenviz.effects.token_effects import score_tokens

        world = self._world
        where = (self._phenformer, world.reference, world.backbone, world.readout)
        return score_tokens(carried.variants, *where, progress=self._progress)

    def _tokens(self, carried: CarriedAlleles, effects: xr.Dataset) -> tuple[Tokens, int]:
        """Return everybody's tokens, and how many genes' windows aren't covered by half."""
        from phenviz.results.tokens import Tokens

        phenformer, reference = self._phenformer, self._model.reference_tokens
        genes, samples = len(phenformer.genes), len(self._request.samples)
        difference = summed_effects(carried.copies, effects, genes)
        share = self._shares()
        # of what isn't known of a window, everybody has what is usual
        usual = phenformer.token_mean.cpu().numpy().astype(np.float64) - reference
        filled = ((1 - share)[:, None] * usual).astype(np.float32)
        if self._pair:
            difference = difference.reshape(samples, 2, genes, -1) + filled
        else:
            difference = difference + 2 * filled
        held: Any = difference
        return Tokens(held, np.ones_like(reference), reference), int((share < 0.5).sum())

    def _shares(self) -> NDArray[np.float64]:
        """Return which share of each window is known, of what is known of the training people."""
        from phenviz.disease.cohort.personal_genotypes import overlap

        found = np.ones(len(self._phenformer.genes))
        for number, gene in enumerate(self._phenformer.genes):
            bare = contig_key(gene.contig)
            windows = windows_of(self._world, [gene], self._phenformer.window)
            wanted = [
                both
                for window in windows
                for locus in self._loci
                if (both := overlap(window, locus)) is not None
            ]
            total = sum(locus.length for locus in wanted)
            known = sum(
                both.length
                for locus in wanted
                for covered in self._covered.get(bare, ())
                if (both := overlap(locus, covered)) is not None
            )
            found[number] = known / total if total else 1.0
        return found

    def _explained(
        self, tokens: Tokens, carried: CarriedAlleles, effects: xr.Dataset
    ) -> tuple[xr.Dataset, float]:
        """Return where the logits come from, and how far the parts are from adding up."""
        from phenviz.disease.cohort.explaining import explain
        from phenviz.disease.cohort.leading_alleles import LeadingAlleles
        from phenviz.models.phenformer_checkpoint import own_readout
        from phenviz.results.schema import context_coords

        phenformer, traits, samples = self._phenformer, self._request.traits, self._request.samples
        shape = (len(samples), len(traits), len(phenformer.genes))
        by_gene = np.empty(shape, dtype=np.float32)
        by_context = np.empty((*shape, len(phenformer.expression)), dtype=np.float32)
        names = [gene.name for gene in phenformer.genes]
        alleles = LeadingAlleles(names, self._model, carried, effects, samples, traits)
        delta = 0.0
        self._progress.stage("explaining", len(samples))
        for row, one in enumerate(explain(phenformer, tokens, traits, progress=self._progress)):
            by_gene[row] = one.added.sum(axis=2)
            by_context[row] = one.added[:, :, phenformer.channels :]
            alleles.add(row, by_gene[row], one.slope)
            delta = max(delta, one.delta)
        readout = own_readout(phenformer, self._world.readout)
        named = self._world.backbone if phenformer.expression_from == "activity" else readout
        assert named is not None
        variables, coords = alleles.columns()
        return xr.Dataset(
            {
                "contribution": (("person", "trait", "gene", "context"), by_context),
                "gene_contribution": (("person", "trait", "gene"), by_gene),
                **variables,
            },
            coords={
                "person": list(samples),
                "trait": list(traits),
                "gene": names,
                "gene_id": ("gene", [gene.gene_id for gene in phenformer.genes]),
                "contig": ("gene", [gene.contig for gene in phenformer.genes]),
                "tss": ("gene", [gene.tss for gene in phenformer.genes]),
                **context_coords(named.contexts),
                **coords,
            },
        ), delta

    def _attrs(self, weighed: Weighed, effects: xr.Dataset, uncovered: int) -> dict[str, Any]:
        from phenviz.results.schema import result_attrs

        model, phenformer, counts = self._model, self._phenformer, weighed.counts
        first, last = self._loci[0], self._loci[-1]
        locus = Locus(first.contig, first.start, last.end if last.contig == first.contig else first.end)
        return result_attrs(
            locus,
            None,
            self._world.reference,
            definition=DEFINITION,
            units="logit",
            model=f"{phenformer.name}@{phenformer.weights_hash[:8]}",
            model_hash=phenformer.weights_hash,
            simulated=model.simulated,
            trained_on=model.trained_on,
            coverage=self._told,
            variants_found=[weighed.found[name] for name in self._request.traits],
            variants_known=[weighed.known[name] for name in self._request.traits],
            genotypes_missing=counts.missing,
            genes_uncovered=uncovered,
            skipped=int(effects.attrs["skipped"]),
            left_out=list(counts.left_out),
        )

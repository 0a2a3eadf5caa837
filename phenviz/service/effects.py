"""The kinds of job about variants: their effects, and activity along a person's two haplotypes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.errors import DataError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service import grid
from phenviz.service.chosen_people import find_people, find_phasing, people
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    chunk_intervals,
    find_contexts,
    find_gene,
    find_locus,
    gapped,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, Chunk, Request
from phenviz.service.variant_tables import ROW_BYTES, VariantTable

if TYPE_CHECKING:
    from phenviz.variation import Haplotype, Individual, Unphased
    from phenviz.world import World

# a second or two on two cores
VARIANTS_CHUNK = 4_096
# with a global model, some minutes
GLOBAL_CHUNK = 64
# that predictions go through in the time of one variant
_VARIANT_BASES = 500
PERSONAL_CHUNK = 2**17
# each haplotype from its own sequence, or what each variant changes by itself, added up
MODES = ("exact", "sum")


@dataclass(frozen=True, slots=True, eq=False)
class VariantsRequest(Request):
    """Parameters of ``variant_effects``.

    Parameters
    ----------
    table
        The variants.
    contexts
        Short names.
    gene
        Gene whose expression is scored; None for the activity around each variant.
    background
        What quantiles are taken from; None for no quantiles.
    """

    kind = "variant_effects"
    seconds_per_unit = 1 / 2e3

    table: VariantTable
    contexts: tuple[str, ...]
    gene: str | None
    background: str | None

    @classmethod
    def of(
        cls,
        world: World,
        variants: pd.DataFrame | str | os.PathLike[str],
        contexts: str | Iterable[str] | None = None,
        gene: str | None = None,
        quantiles: bool | None = None,
    ) -> Self:
        """Check a request.

        For quantiles thousands of common variants are scored once; by default a global model has none.
        """
        from phenviz.effects.quantiles import background_key

        table, name = VariantTable.read(world, variants), find_gene(world, gene)
        ranked = name is None and (
            world.backbone.receptive_field is not None if quantiles is None else quantiles
        )
        background = background_key(world, world.backbone) if ranked else None
        return cls(table, find_contexts(world, contexts, name), name, background)

    def chunks(self, world: World) -> list[Chunk]:
        from phenviz.effects.quantiles import background_work

        shared = {"background": self.background, **gene_identity(world, self.gene, self.contexts)}
        trim = partial(_trim, contexts=self.contexts)
        effort = _effort(world)
        chunks: list[Chunk] = []
        common = background_work(self.background)
        for _, rows, digest in self.table.chunks(VARIANTS_CHUNK if effort == 1 else GLOBAL_CHUNK):
            # the first one that is computed scores the common variants, too
            units = (max(len(rows), 1) + (0 if chunks else common)) * effort
            # alleles weren't left-aligned at first
            identity = {"aligned": True, "variants": digest, **shared}
            chunks.append(Chunk(identity, partial(self._score, rows), units, trim))
        return chunks

    def _score(self, rows: pd.DataFrame, backend: Backend, progress: Progress) -> xr.Dataset:
        # in all contexts, whatever was asked for: the last layer costs next to nothing, and so all share
        from phenviz.effects import score_gene, score_variants, with_quantiles, world_background

        world = backend.world
        if (target := gene_target(backend, self.gene, self.contexts)) is not None:
            return score_gene(rows, *target, world.reference, world.backbone, progress=progress)
        scores = score_variants(rows, world.reference, world.backbone, progress=progress)
        if self.background is None:
            return scores
        background = world_background(world, progress=progress)
        return scores if background is None else with_quantiles(scores, background)

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        from phenviz.effects import join_scores

        joined = join_scores(parts)
        # before the end, and after a cancel, there are the first few chunks only
        rows = self.table.order()[: joined.sizes["variant"]]
        return joined.isel(variant=np.argsort(rows))

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES + COPIES * self.table.count * (3 * len(self.contexts) * FLOAT_BYTES + ROW_BYTES)

    @property
    def flavour(self) -> str:
        return "of a gene" if self.gene else ""

    @property
    def private(self) -> bool:
        return self.table.personal


@dataclass(frozen=True, slots=True, eq=False)
class PersonalRequest(Request):
    """Parameters of ``personal``.

    Parameters
    ----------
    locus
        Checked.
    sample
        Whose haplotypes.
    content
        Size and time of the files: another file under the same name is another request.
    contexts
        Short names.
    unphased, seed
        What to do about unphased heterozygotes.
    mode
        One of `MODES`.
    haplotypes
        Both, over all that the bins of the locus see: read once, for the locus as a whole.
    """

    kind = "personal"
    seconds_per_unit = 1 / 3e5
    of_people = True
    version = 3

    locus: Locus
    sample: str
    content: tuple[tuple[str, int, int], ...]
    contexts: tuple[str, ...]
    unphased: str
    seed: int
    mode: str
    haplotypes: tuple[Haplotype, Haplotype] = field(compare=False, repr=False)

    @classmethod
    def of(
        cls,
        world: World,
        locus: str | Locus,
        sample: str | Individual,
        individuals: str | os.PathLike[str] | None = None,
        contexts: str | Iterable[str] | None = None,
        unphased: str = "refuse",
        seed: int = 0,
        mode: str = "exact",
    ) -> Self:
        """Check the name of an individual, or one whose file is open already, and read genotypes."""
        from phenviz.effects.personal import seen_haplotypes

        if mode not in MODES:
            raise DataError(f"mode={mode!r}: choose one of {', '.join(map(repr, MODES))}")
        individual, content = _individual(world, sample, individuals)
        choice, seed = find_phasing(unphased, seed)
        place, chosen = find_locus(world, locus), find_contexts(world, contexts)
        # what is refused is refused before the job begins, and for the locus as a whole
        individual.check_covered(place)
        both = seen_haplotypes(
            individual, place, world.reference, world.backbone, unphased=cast("Unphased", choice), seed=seed
        )
        return cls(place, individual.sample, content, chosen, choice, seed, mode, both)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.effects import predict_haplotypes
            from phenviz.effects.summed import sum_of_variants

            person: Any = _Read(self.sample, self.haplotypes)
            models = gapped(backend.world), backend.backbone
            if self.mode == "exact":
                return predict_haplotypes(person, interval, *models, progress=progress)
            plain = predict_haplotypes(person.unedited, interval, *models, progress=progress)
            return sum_of_variants(plain, person, *models, progress=progress)

        # as far as asked for only: of what lies beyond the locus the haplotypes know nothing
        asked = [
            grid.overlap(interval, self.locus)
            for interval in chunk_intervals(world, self.locus, PERSONAL_CHUNK)
        ]
        whose = {"sample": self.sample, "file": self.content, "unphased": [self.unphased, self.seed]}
        trim = partial(grid.crop, locus=self.locus, contexts=self.contexts)
        return [
            Chunk(
                {"cell": interval, "mode": self.mode, **whose},
                partial(compute, interval),
                self._units(world, interval),
                trim,
            )
            for interval in asked
        ]

    def _units(self, world: World, interval: Locus) -> float:
        """Count the bases that go through the model."""
        backbone = world.backbone
        if backbone.receptive_field is not None:
            return float(interval.length)
        # a window for each interval between insertions and deletions, or for each variant by itself
        tiles = max(-(-2 * interval.length // backbone.window), 1)
        within = [
            [one for one in both.edits if interval.start <= one.start < interval.end]
            for both in self.haplotypes
        ]
        indels = sum(len(one.ref) != len(one.alt) for edits in within for one in edits)
        windows = sum(len(edits) for edits in within) if self.mode == "sum" else 0
        return float(backbone.window * (3 * tiles + indels + 2 * windows * tiles))

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        from phenviz.effects.personal import facts_of

        # chunks see some variants twice, and can't tell that two of them have different phase sets
        return grid.join(self.locus, parts).assign_attrs(facts_of(self.haplotypes, self.locus))

    def peak_bytes(self, world: World) -> int:
        bins = self.locus.length // world.backbone.bin_size + 2
        return WORKING_BYTES + COPIES * 3 * bins * len(self.contexts) * FLOAT_BYTES

    @property
    def flavour(self) -> str:
        return self.mode


def _effort(world: World) -> float:
    """Return the work of a variant: of a global model two whole windows, else a few hundred bases."""
    backbone = world.backbone
    return 1.0 if backbone.receptive_field is not None else max(2 * backbone.window / _VARIANT_BASES, 1.0)


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    names = dataset["context"].values.tolist()
    return (
        dataset if list(contexts) == names else dataset.isel(context=[names.index(one) for one in contexts])
    )


def _individual(
    world: World, sample: str | Individual, individuals: str | os.PathLike[str] | None
) -> tuple[Individual, tuple[tuple[str, int, int], ...]]:
    from phenviz.variation.sources import content_of

    if not isinstance(sample, str):
        return sample, tuple(content_of(path) for path in sample.individuals.paths)
    path, content = find_people(world, individuals)
    return people(world, path).individual(sample), content


@dataclass(frozen=True)
class _Read:
    """An individual whose haplotypes have been read."""

    sample: str
    pair: tuple[Haplotype, Haplotype]

    def haplotypes(self, *_: object, **__: object) -> tuple[Haplotype, Haplotype]:
        return self.pair

    @property
    def unedited(self) -> _Read:
        """The same without any variant."""
        one, two = (replace(haplotype, applied=()) for haplotype in self.pair)
        return _Read(self.sample, (one, two))

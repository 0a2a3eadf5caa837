"""The kinds of job about variants: their effects, and activity along a person's two haplotypes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

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
from phenviz.service.job_types import Backend, Chunk, Kind
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
class VariantsParams:
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

    table: VariantTable
    contexts: tuple[str, ...]
    gene: str | None
    background: str | None


@dataclass(frozen=True, slots=True)
class PersonalParams:
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

    locus: Locus
    sample: str
    content: tuple[tuple[str, int, int], ...]
    contexts: tuple[str, ...]
    unphased: str
    seed: int
    mode: str
    haplotypes: tuple[Haplotype, Haplotype] = field(compare=False, repr=False)


def _variants_params(
    world: World,
    variants: pd.DataFrame | str | os.PathLike[str],
    contexts: str | Iterable[str] | None = None,
    gene: str | None = None,
    quantiles: bool | None = None,
) -> VariantsParams:
    """Check a request.

    For quantiles thousands of common variants are scored once, so that by default a global model has none.
    """
    from phenviz.effects.quantiles import background_key

    table, name = VariantTable.read(world, variants), find_gene(world, gene)
    ranked = name is None and (world.backbone.receptive_field is not None if quantiles is None else quantiles)
    background = background_key(world, world.backbone) if ranked else None
    return VariantsParams(table, find_contexts(world, contexts, name), name, background)


def _variants_chunks(world: World, params: VariantsParams) -> list[Chunk]:
    from phenviz.effects.quantiles import background_work

    shared = {"background": params.background, **gene_identity(world, params.gene, params.contexts)}
    trim = partial(_trim, contexts=params.contexts)
    effort = _effort(world)
    chunks: list[Chunk] = []
    common = background_work(params.background)
    for _, rows, digest in params.table.chunks(VARIANTS_CHUNK if effort == 1 else GLOBAL_CHUNK):
        # the first one that is computed scores the common variants, too
        units = (max(len(rows), 1) + (0 if chunks else common)) * effort
        # alleles weren't left-aligned at first
        identity = {"aligned": True, "variants": digest, **shared}
        chunks.append(Chunk(identity, partial(_score, rows, params), units, trim))
    return chunks


def _effort(world: World) -> float:
    """Return the work of a variant: of a global model two whole windows, else a few hundred bases."""
    backbone = world.backbone
    return 1.0 if backbone.receptive_field is not None else max(2 * backbone.window / _VARIANT_BASES, 1.0)


def _score(rows: pd.DataFrame, params: VariantsParams, backend: Backend, progress: Progress) -> xr.Dataset:
    # in all contexts, whatever was asked for: the last layer costs next to nothing, and so all requests share
    from phenviz.effects import score_gene, score_variants, with_quantiles, world_background

    world = backend.world
    if (target := gene_target(backend, params.gene, params.contexts)) is not None:
        return score_gene(rows, *target, world.reference, world.backbone, progress=progress)
    scores = score_variants(rows, world.reference, world.backbone, progress=progress)
    if params.background is None:
        return scores
    background = world_background(world, progress=progress)
    return scores if background is None else with_quantiles(scores, background)


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    names = dataset["context"].values.tolist()
    return (
        dataset if list(contexts) == names else dataset.isel(context=[names.index(one) for one in contexts])
    )


def _join_variants(params: VariantsParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    from phenviz.effects import join_scores

    joined = join_scores(parts)
    # before the end, and after a cancel, there are the first few chunks only
    rows = params.table.order()[: joined.sizes["variant"]]
    return joined.isel(variant=np.argsort(rows))


def _variants_memory(world: World, params: VariantsParams) -> int:
    return WORKING_BYTES + COPIES * params.table.count * (3 * len(params.contexts) * FLOAT_BYTES + ROW_BYTES)


def _personal_params(
    world: World,
    locus: str | Locus,
    sample: str | Individual,
    individuals: str | os.PathLike[str] | None = None,
    contexts: str | Iterable[str] | None = None,
    unphased: str = "refuse",
    seed: int = 0,
    mode: str = "exact",
) -> PersonalParams:
    """Check a request: the name of an individual, or one whose file is open already; and read genotypes."""
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
    return PersonalParams(place, individual.sample, content, chosen, choice, seed, mode, both)


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


def _personal_chunks(world: World, params: PersonalParams) -> list[Chunk]:
    def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.effects import predict_haplotypes
        from phenviz.effects.summed import sum_of_variants

        person: Any = _Read(params.sample, params.haplotypes)
        models = gapped(backend.world), backend.backbone
        if params.mode == "exact":
            return predict_haplotypes(person, interval, *models, progress=progress)
        plain = predict_haplotypes(person.unedited, interval, *models, progress=progress)
        return sum_of_variants(plain, person, *models, progress=progress)

    # as far as asked for only: of what lies beyond the locus the haplotypes know nothing
    asked = [
        grid.overlap(interval, params.locus)
        for interval in chunk_intervals(world, params.locus, PERSONAL_CHUNK)
    ]
    whose = {"sample": params.sample, "file": params.content, "unphased": [params.unphased, params.seed]}
    trim = partial(grid.crop, locus=params.locus, contexts=params.contexts)
    return [
        Chunk(
            {"cell": interval, "mode": params.mode, **whose},
            partial(compute, interval),
            _personal_units(world, params, interval),
            trim,
        )
        for interval in asked
    ]


def _personal_units(world: World, params: PersonalParams, interval: Locus) -> float:
    """Count the bases that go through the model."""
    backbone = world.backbone
    if backbone.receptive_field is not None:
        return float(interval.length)
    # a window for each interval between insertions and deletions, or for each variant by itself
    tiles = max(-(-2 * interval.length // backbone.window), 1)
    within = [
        [one for one in both.edits if interval.start <= one.start < interval.end]
        for both in params.haplotypes
    ]
    indels = sum(len(one.ref) != len(one.alt) for edits in within for one in edits)
    windows = sum(len(edits) for edits in within) if params.mode == "sum" else 0
    return float(backbone.window * (3 * tiles + indels + 2 * windows * tiles))


def _join_personal(params: PersonalParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    from phenviz.effects.personal import facts_of

    # chunks see some variants twice, and can't tell that two of them have different phase sets
    return grid.join(params.locus, parts).assign_attrs(facts_of(params.haplotypes, params.locus))


def _personal_memory(world: World, params: PersonalParams) -> int:
    bins = params.locus.length // world.backbone.bin_size + 2
    return WORKING_BYTES + COPIES * 3 * bins * len(params.contexts) * FLOAT_BYTES


VARIANT_EFFECTS = Kind(
    "variant_effects",
    _variants_params,
    _variants_chunks,
    _join_variants,
    seconds_per_unit=1 / 2e3,
    memory=_variants_memory,
    flavour=lambda params: "of a gene" if params.gene else "",
    private=lambda params: params.table.personal,
)
PERSONAL = Kind(
    "personal",
    _personal_params,
    _personal_chunks,
    _join_personal,
    seconds_per_unit=1 / 3e5,
    memory=_personal_memory,
    flavour=lambda params: params.mode,
    private=lambda params: True,
    version=3,
)

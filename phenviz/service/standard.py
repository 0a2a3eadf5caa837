"""The kinds of job that every service knows: predict, mutagenesis, attribute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import xarray as xr

from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service import grid
from phenviz.service.attribute import ATTRIBUTE
from phenviz.service.coarse import MUTAGENESIS_COARSE
from phenviz.service.cohort import HAPLOTYPE_TOKENS, LOGITS, TOKEN_EFFECTS
from phenviz.service.disease import EVIDENCE, HYPOTHESES
from phenviz.service.edits import ABLATE, BOTH_ALLELES, MARGINALIZE
from phenviz.service.effects import PERSONAL, VARIANT_EFFECTS
from phenviz.service.expression import EXPRESSION, GENE_EXPRESSION
from phenviz.service.expression_effects import EXPRESSION_EFFECTS
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    check_reaches_gene,
    chunk_intervals,
    find_contexts,
    find_gene,
    find_locus,
    gapped,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, Chunk, Kind, Registry, Streaming
from phenviz.service.measured import MEASURED
from phenviz.service.overview import OVERVIEW
from phenviz.service.risk import RISK
from phenviz.service.sequences import PREDICT_SEQUENCES
from phenviz.service.trait import TRAIT

if TYPE_CHECKING:
    from phenviz.world import World

# A chunk takes a fraction of a second on two cores: a view waits for little more than it shows, and a whole
# chromosome is a few hundred files.
PREDICT_CHUNK = 2**18
# the engine's own tile: shorter ones make poor batches
MUTAGENESIS_CHUNK = 2**14


@dataclass(frozen=True, slots=True)
class PredictParams:
    """Parameters of ``predict``: a checked locus, short names of contexts."""

    locus: Locus
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MutagenesisParams:
    """Parameters of ``mutagenesis``: a checked locus, short names of contexts, a gene's name or None."""

    locus: Locus
    contexts: tuple[str, ...]
    gene: str | None = None


def _predict_params(
    world: World,
    locus: str | Locus,
    contexts: str | Iterable[str] | None = None,
    individual: str | None = None,
) -> PredictParams:
    if individual is not None:
        raise JobError(
            f"individual {individual!r}: haplotypes are a kind of job of their own, so ask for 'personal' "
            f"with sample={individual!r}"
        )
    return PredictParams(find_locus(world, locus), find_contexts(world, contexts))


def _predict_chunks(world: World, params: PredictParams) -> list[Chunk]:
    # All contexts, whatever was asked for: the last layer costs next to nothing, and so all requests share.
    def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.models.predict import predict

        return predict(interval, gapped(backend.world), backend.predictor, progress=progress)

    trim = partial(grid.crop, locus=params.locus, contexts=params.contexts)
    return [
        Chunk({"cell": interval}, partial(compute, interval), interval.length, trim)
        for interval in chunk_intervals(world, params.locus, PREDICT_CHUNK)
    ]


def _predict_memory(world: World, params: PredictParams) -> int:
    bins = params.locus.length // world.backbone.bin_size + 2
    return WORKING_BYTES + COPIES * bins * len(params.contexts) * FLOAT_BYTES


def _mutagenesis_params(
    world: World,
    locus: str | Locus,
    contexts: str | Iterable[str] | None = None,
    gene: str | None = None,
) -> MutagenesisParams:
    name, where = find_gene(world, gene), find_locus(world, locus)
    chosen = find_contexts(world, contexts, name)
    if name is not None and world.backbone.receptive_field is not None:
        # here, as chunks out of the gene's reach may be in the store, from a longer locus
        check_reaches_gene(world, where, name, chosen)
    return MutagenesisParams(where, chosen, name)


def _mutagenesis_chunks(world: World, params: MutagenesisParams) -> list[Chunk]:
    # A base's effects don't depend on where the locus ends, so chunks are exact. The first and the last are
    # computed as far as asked for only (most requests are shorter than a chunk), but taken from a whole one
    # where that was computed before. A global backbone's windows do begin with what is asked for.
    target = gene_identity(world, params.gene, params.contexts)
    is_local = world.backbone.receptive_field is not None

    def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.attribution.mutagenesis import mutagenesis

        target = gene_target(backend, params.gene, params.contexts)
        return mutagenesis(
            interval,
            gapped(backend.world),
            backend.backbone,
            gene_target=target,
            part_of=params.locus,
            progress=progress,
        )

    trim = partial(grid.crop, locus=params.locus, contexts=params.contexts)
    chunks = []
    for interval in chunk_intervals(world, params.locus, MUTAGENESIS_CHUNK):
        asked = grid.overlap(interval, params.locus)
        wider = ({"cell": interval, **target},) if is_local and asked != interval else ()
        identity, extent = {"cell": asked, **target}, (asked.start, asked.end)
        chunks.append(Chunk(identity, partial(compute, asked), 3 * asked.length, trim, wider, extent))
    return chunks


def _mutagenesis_memory(world: World, params: MutagenesisParams) -> int:
    return WORKING_BYTES + COPIES * params.locus.length * 4 * len(params.contexts) * FLOAT_BYTES


def _mutagenesis_disk(world: World, params: MutagenesisParams) -> int:
    # chunks hold all contexts, whatever was asked for; numbers like these shrink by a few per cent only
    return params.locus.length * 4 * len(world.backbone.contexts) * FLOAT_BYTES


def _mutagenesis_interval(params: MutagenesisParams, parts: Sequence[xr.Dataset], locus: Locus) -> xr.Dataset:
    cut = (grid.crop(part, locus) for part in parts)
    return grid.join(locus, [part for part in cut if part is not None])


def _join(params: Any, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    return grid.join(params.locus, parts)


KINDS = Registry()
KINDS.add(
    Kind(
        "predict",
        _predict_params,
        _predict_chunks,
        _join,
        seconds_per_unit=1 / 1.5e6,
        memory=_predict_memory,
        mixed_precision=True,
    )
)
KINDS.add(
    Kind(
        "mutagenesis",
        _mutagenesis_params,
        _mutagenesis_chunks,
        _join,
        seconds_per_unit=1 / 1e4,
        memory=_mutagenesis_memory,
        flavour=lambda params: "of a gene" if params.gene else "",
        streaming=Streaming(_mutagenesis_interval, _mutagenesis_disk),
    )
)
for kind in (
    OVERVIEW, MUTAGENESIS_COARSE, ATTRIBUTE, ABLATE, MARGINALIZE, VARIANT_EFFECTS, EXPRESSION_EFFECTS,
    BOTH_ALLELES, PERSONAL, EXPRESSION, GENE_EXPRESSION, TRAIT, HYPOTHESES, EVIDENCE,
    TOKEN_EFFECTS, HAPLOTYPE_TOKENS, LOGITS, RISK, MEASURED, PREDICT_SEQUENCES,
):  # fmt: skip
    KINDS.add(kind)

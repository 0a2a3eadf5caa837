"""The kinds of job that every service knows; here those of activity and of mutagenesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import xarray as xr

from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service import grid
from phenviz.service.addresses import target_words, write_address
from phenviz.service.attribute import AttributeRequest
from phenviz.service.coarse import CoarseRequest
from phenviz.service.cohort import HaplotypeTokensRequest, TokenEffectsRequest
from phenviz.service.disease import EvidenceRequest, HypothesesRequest
from phenviz.service.edits import AblateRequest, BothAllelesRequest, MarginalizeRequest
from phenviz.service.effects import PersonalRequest, VariantsRequest
from phenviz.service.expression import ExpressionRequest, GeneExpressionRequest
from phenviz.service.expression_effects import ExpressionEffectsRequest
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
from phenviz.service.job_types import Backend, Chunk, Registry, Request, StreamedRequest
from phenviz.service.measured import MeasuredRequest
from phenviz.service.overview import OverviewRequest
from phenviz.service.risk import RiskRequest
from phenviz.service.sequences import SequencesRequest
from phenviz.service.stored_tokens import ContextContributionsRequest, LogitsRequest
from phenviz.service.trait import TraitRequest

if TYPE_CHECKING:
    from phenviz.world import World

# A chunk takes a fraction of a second on two cores: a view waits for little more than it shows, and a whole
# chromosome is a few hundred files.
PREDICT_CHUNK = 2**18
# the engine's own tile: shorter ones make poor batches
MUTAGENESIS_CHUNK = 2**14


@dataclass(frozen=True, slots=True, eq=False)
class PredictRequest(Request):
    """Parameters of ``predict``: a checked locus, short names of contexts."""

    kind = "predict"
    seconds_per_unit = 1 / 1.5e6
    mixed_precision = True

    locus: Locus
    contexts: tuple[str, ...]

    @classmethod
    def of(
        cls,
        world: World,
        locus: str | Locus,
        contexts: str | Iterable[str] | None = None,
        individual: str | None = None,
    ) -> Self:
        if individual is not None:
            raise JobError(
                f"individual {individual!r}: haplotypes are a kind of job of their own, so ask for "
                f"'personal' with sample={individual!r}"
            )
        return cls(find_locus(world, locus), find_contexts(world, contexts))

    def chunks(self, world: World) -> list[Chunk]:
        # All contexts, whatever was asked for: the last layer costs next to nothing, and so all share.
        def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.models.predict import predict

            return predict(interval, gapped(backend.world), backend.predictor, progress=progress)

        trim = partial(grid.crop, locus=self.locus, contexts=self.contexts)
        return [
            Chunk({"cell": interval}, partial(compute, interval), interval.length, trim)
            for interval in chunk_intervals(world, self.locus, PREDICT_CHUNK)
        ]

    def peak_bytes(self, world: World) -> int:
        bins = self.locus.length // world.backbone.bin_size + 2
        return WORKING_BYTES + COPIES * bins * len(self.contexts) * FLOAT_BYTES

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        return grid.join(self.locus, parts)


@dataclass(frozen=True, slots=True, eq=False)
class MutagenesisRequest(StreamedRequest):
    """Parameters of ``mutagenesis``: a checked locus, short names of contexts, a gene's name or None."""

    kind = "mutagenesis"
    seconds_per_unit = 1 / 1e4

    locus: Locus
    contexts: tuple[str, ...]
    gene: str | None = None

    @classmethod
    def of(
        cls,
        world: World,
        locus: str | Locus,
        contexts: str | Iterable[str] | None = None,
        gene: str | None = None,
    ) -> Self:
        name, where = find_gene(world, gene), find_locus(world, locus)
        chosen = find_contexts(world, contexts, name)
        if name is not None and world.backbone.receptive_field is not None:
            # here, as chunks out of the gene's reach may be in the store, from a longer locus
            check_reaches_gene(world, where, name, chosen)
        return cls(where, chosen, name)

    def chunks(self, world: World) -> list[Chunk]:
        # A base's effects don't depend on where the locus ends, so chunks are exact. The first and the last
        # are computed as far as asked for only (most requests are shorter than a chunk), but taken from a
        # whole one where that was computed before. A global backbone's windows begin with what is asked for.
        target = gene_identity(world, self.gene, self.contexts)
        is_local = world.backbone.receptive_field is not None

        def compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.attribution.mutagenesis import mutagenesis

            target = gene_target(backend, self.gene, self.contexts)
            return mutagenesis(
                interval,
                gapped(backend.world),
                backend.backbone,
                gene_target=target,
                part_of=self.locus,
                progress=progress,
            )

        trim = partial(grid.crop, locus=self.locus, contexts=self.contexts)
        chunks = []
        for interval in chunk_intervals(world, self.locus, MUTAGENESIS_CHUNK):
            asked = grid.overlap(interval, self.locus)
            wider = ({"cell": interval, **target},) if is_local and asked != interval else ()
            identity, extent = {"cell": asked, **target}, (asked.start, asked.end)
            chunks.append(Chunk(identity, partial(compute, asked), 3 * asked.length, trim, wider, extent))
        return chunks

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES + COPIES * self.locus.length * 4 * len(self.contexts) * FLOAT_BYTES

    def stored_bytes(self, world: World) -> int:
        # chunks hold all contexts, whatever was asked for; numbers like these shrink by a few per cent only
        return self.locus.length * 4 * len(world.backbone.contexts) * FLOAT_BYTES

    def interval(self, parts: Sequence[xr.Dataset], locus: Locus) -> xr.Dataset:
        cut = (grid.crop(part, locus) for part in parts)
        return grid.join(locus, [part for part in cut if part is not None])

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        return grid.join(self.locus, parts)

    @property
    def flavour(self) -> str:
        return "of a gene" if self.gene else ""

    @property
    def title(self) -> str:
        return f"ISM · {target_words(self.contexts, self.gene)}"

    @property
    def address(self) -> str:
        return write_address("mutagenesis", self.locus, self.contexts, self.gene)


KINDS = Registry()
for request in (
    PredictRequest, OverviewRequest, MutagenesisRequest, CoarseRequest, AttributeRequest, TraitRequest,
    AblateRequest, MarginalizeRequest, BothAllelesRequest, VariantsRequest, ExpressionEffectsRequest,
    PersonalRequest, ExpressionRequest, GeneExpressionRequest, MeasuredRequest, SequencesRequest,
    HypothesesRequest, EvidenceRequest, TokenEffectsRequest, HaplotypeTokensRequest, LogitsRequest,
    ContextContributionsRequest, RiskRequest,
):  # fmt: skip
    KINDS.add(request)

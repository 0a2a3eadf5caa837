"""The kind of job that predicts whole chromosomes for an overview: all of it, but few numbers to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import xarray as xr

from phenviz.genome.codes import N_CODE
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.results.overview import OVERVIEW_BINS, overview_of
from phenviz.service import grid
from phenviz.service.job_params import COPIES, FLOAT_BYTES, WORKING_BYTES, chunk_intervals, find_locus, gapped
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.world import World

# A third of a second on two cores, after which a view may go first; 120 small files for 63 Mb.
_CHUNK = 2**19


@dataclass(frozen=True, slots=True, eq=False)
class OverviewRequest(Request):
    """Parameters of ``overview``: a checked locus."""

    kind = "overview"
    seconds_per_unit = 1 / 1.5e6
    mixed_precision = True

    locus: Locus

    @classmethod
    def of(cls, world: World, locus: str | Locus) -> Self:
        return cls(find_locus(world, locus))

    def chunks(self, world: World) -> list[Chunk]:
        point = OVERVIEW_BINS * world.backbone.bin_size
        trim = partial(grid.crop, locus=self.locus)
        return [
            Chunk({"cell": interval}, partial(_compute, interval), interval.length, trim)
            for interval in chunk_intervals(world, self.locus, max(_CHUNK // point, 1) * point)
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        return grid.join(self.locus, parts)

    def peak_bytes(self, world: World) -> int:
        points = self.locus.length // (OVERVIEW_BINS * world.backbone.bin_size) + 2
        return WORKING_BYTES + COPIES * points * 3 * len(world.backbone.contexts) * FLOAT_BYTES


def _compute(interval: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
    from phenviz.models.predict import predict

    reference = gapped(backend.world)
    prediction = predict(interval, reference, backend.predictor, progress=progress.without_partials())
    if (reference.fetch_codes(interval.contig, interval.start, interval.end) == N_CODE).all():
        # as in the tracks: where no sequence is known, nothing is drawn
        prediction["activity"][:] = 0
    return overview_of(prediction)

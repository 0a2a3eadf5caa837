"""The kind of job that predicts whole chromosomes for an overview: all of it, but few numbers to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import xarray as xr

from phenviz.genome.codes import N_CODE
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.results.overview import OVERVIEW_BINS, overview_of
from phenviz.service import grid
from phenviz.service.job_params import COPIES, FLOAT_BYTES, WORKING_BYTES, cells, find_locus, gapped
from phenviz.service.job_types import Backend, Kind, Piece

if TYPE_CHECKING:
    from phenviz.world import World

# A third of a second on two cores, after which a view may go first; 120 small files for 63 Mb.
_CELL = 2**19


@dataclass(frozen=True, slots=True)
class OverviewParams:
    """Parameters of ``overview``: a checked locus."""

    locus: Locus


def _params(world: World, locus: str | Locus) -> OverviewParams:
    return OverviewParams(find_locus(world, locus))


def _pieces(world: World, params: OverviewParams) -> list[Piece]:
    point = OVERVIEW_BINS * world.backbone.bin_size
    trim = partial(grid.crop, locus=params.locus)
    return [
        Piece({"cell": cell}, partial(_compute, cell), cell.length, trim)
        for cell in cells(world, params.locus, max(_CELL // point, 1) * point)
    ]


def _compute(cell: Locus, backend: Backend, progress: Progress) -> xr.Dataset:
    from phenviz.models.predict import predict

    reference = gapped(backend.world)
    prediction = predict(cell, reference, backend.predictor, progress=progress.without_partials())
    if (reference.fetch_codes(cell.contig, cell.start, cell.end) == N_CODE).all():
        # as in the tracks: where no sequence is known, nothing is drawn
        prediction["activity"][:] = 0
    return overview_of(prediction)


def _join(params: OverviewParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    return grid.join(params.locus, parts)


def _memory(world: World, params: OverviewParams) -> int:
    points = params.locus.length // (OVERVIEW_BINS * world.backbone.bin_size) + 2
    return WORKING_BYTES + COPIES * points * 3 * len(world.backbone.contexts) * FLOAT_BYTES


OVERVIEW = Kind(
    "overview",
    _params,
    _pieces,
    _join,
    seconds_per_unit=1 / 1.5e6,
    memory=_memory,
    mixed_precision=True,
)

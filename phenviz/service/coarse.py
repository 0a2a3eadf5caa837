"""The kind of job that mutates with a global backbone: every base to first order, what matters exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xarray as xr

from phenviz.attribution.targets import Target, is_count
from phenviz.errors import JobError
from phenviz.genome.locus import Locus
from phenviz.models.backbone import halo
from phenviz.models.predict import CPU_TILE_BASES
from phenviz.progress import Progress
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    find_context,
    find_gene,
    find_locus,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, whole

if TYPE_CHECKING:
    from phenviz.world import World

FIRST = ("saliency", "integrated-gradients")


@dataclass(frozen=True, slots=True)
class CoarseParams:
    """Parameters of ``mutagenesis_coarse``; see `phenviz.attribution.mutagenesis_coarse_to_fine`."""

    locus: Locus
    context: str
    gene: str | None
    first: str
    n_steps: int
    window: int
    n_windows: int


def _params(
    world: World,
    locus: str | Locus,
    context: str,
    gene: str | None = None,
    first: str = "saliency",
    n_steps: int = 16,
    window: int = 32,
    n_windows: int = 8,
) -> CoarseParams:
    if first not in FIRST:
        raise JobError(f"first pass {first!r} is unknown: use one of {', '.join(FIRST)}")
    if not (is_count(window) and is_count(n_windows, least=0) and is_count(n_steps)):
        raise JobError(f"{n_windows} windows of {window} bases, {n_steps} steps: use whole, positive numbers")
    name = find_gene(world, gene)
    steps = n_steps if first == "integrated-gradients" else 1
    return CoarseParams(
        find_locus(world, locus),
        find_context(world, context, name),
        name,
        first,
        int(steps),
        int(window),
        int(n_windows),
    )


def _compute(world: World, params: CoarseParams, progress: Progress, backend: Backend) -> xr.Dataset:
    # imported here: Captum takes a while
    from phenviz.attribution.coarse import mutagenesis_coarse_to_fine

    return mutagenesis_coarse_to_fine(
        params.locus,
        world.reference,
        backend.backbone,
        target=Target(gene=params.gene, context=params.context),
        gene_target=gene_target(backend, params.gene, [params.context]),
        first=params.first,  # type: ignore[arg-type]
        n_steps=params.n_steps,
        window=params.window,
        n_windows=params.n_windows,
        progress=progress,
    )


def _identity(world: World, params: CoarseParams) -> Mapping[str, Any]:
    return {"params": params, **gene_identity(world, params.gene, [params.context])}


def _units(world: World, params: CoarseParams) -> float:
    """Count bases that go through the model: a gradient of each tile, and each tile that a mutant reaches."""
    backbone, length = world.backbone, params.locus.length
    mutants = 3 * min(params.window * params.n_windows, length)
    if backbone.receptive_field is not None:
        tile = min(length, CPU_TILE_BASES) + 2 * halo(backbone)
        tiles, reached = -(-length // CPU_TILE_BASES), 1
    else:
        # tiles are windows, of which the central half counts; a base lies in two
        tile, tiles = backbone.window, 1 if params.gene else -(-2 * length // backbone.window)
        reached = min(tiles, 2)
    return float(tile * (tiles * 3 * params.n_steps + mutants * reached))


def _memory(world: World, params: CoarseParams) -> int:
    return WORKING_BYTES + COPIES * params.locus.length * 16 * FLOAT_BYTES


MUTAGENESIS_COARSE = whole(
    "mutagenesis_coarse",
    _params,
    _compute,
    identity=_identity,
    units=_units,
    seconds_per_unit=1 / 1e6,
    memory=_memory,
)

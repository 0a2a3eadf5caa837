"""The kind of job that scores what variants change in the expression of every gene that they reach."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from phenviz.errors import ModelError
from phenviz.models.identity import model_identity
from phenviz.progress import Progress
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    WORKING_BYTES,
    expression_contexts,
    find_gene,
    gene_identity,
)
from phenviz.service.job_types import Backend, Chunk, Kind
from phenviz.service.variant_tables import ROW_BYTES, VariantTable

if TYPE_CHECKING:
    from phenviz.world import World

# some seconds on two cores: each gene in reach costs a look at its bins
CHUNK = 512
# genes in reach of one variant, about
_GENES = 4


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionEffectsParams:
    """Parameters of ``expression_effects``.

    Parameters
    ----------
    table
        The variants.
    genes
        Names as in the annotation, each once; None for all.
    contexts
        Short names, of the gene readout.
    """

    table: VariantTable
    genes: tuple[str, ...] | None
    contexts: tuple[str, ...]


def _params(
    world: World,
    variants: pd.DataFrame | str | os.PathLike[str],
    contexts: str | Iterable[str] | None = None,
    genes: str | Iterable[str] | None = None,
) -> ExpressionEffectsParams:
    if world.readout is None:
        raise ModelError(
            f"effects on expression need a gene readout, and world {world.name!r} has none: set 'readout' in "
            "its project.yaml, or ask for 'variant_effects'"
        )
    asked = [genes] if isinstance(genes, str) else genes
    names = (
        None if asked is None else tuple(dict.fromkeys(filter(None, (find_gene(world, g) for g in asked))))
    )
    # of a readout's contexts, not the backbone's
    chosen = expression_contexts(world, contexts)
    return ExpressionEffectsParams(VariantTable.read(world, variants), names or None, chosen)


def _chunks(world: World, params: ExpressionEffectsParams) -> list[Chunk]:
    assert world.readout is not None
    if params.genes is None:
        about: object = hashlib.sha256(_places(world.annotation.genes)).hexdigest()
    else:
        about = [gene_identity(world, gene, params.contexts) for gene in params.genes]
    shared = {"about": about, "readout": model_identity(world.readout.covering(params.contexts))}
    trim = partial(_trim, contexts=params.contexts)
    return [
        Chunk({"variants": digest, **shared}, partial(_score, rows, params), max(len(rows), 1), trim)
        for _, rows, digest in params.table.chunks(CHUNK)
    ]


def _score(
    rows: pd.DataFrame, params: ExpressionEffectsParams, backend: Backend, progress: Progress
) -> xr.Dataset:
    # in all contexts of the readout, whatever was asked for: they are one matrix, and requests share
    from phenviz.effects import score_expression

    world = backend.world
    assert backend.readout is not None
    readout = backend.readout.covering(params.contexts)
    models = world.annotation, world.reference, backend.backbone, readout
    return score_expression(rows, *models, genes=params.genes, progress=progress)


def _places(genes: pd.DataFrame) -> bytes:
    # where genes begin is part of what is scored: another annotation may say otherwise
    columns = ["gene_name", "gene_id", "contig", "tss", "strand"]
    return genes[[name for name in columns if name in genes]].to_csv(index=False).encode()


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    return dataset.sel(context=list(contexts))


def _join(params: ExpressionEffectsParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    from phenviz.effects import join_expression

    rows = params.table.order()
    return join_expression(parts, [rows[CHUNK * part : CHUNK * (part + 1)] for part in range(len(parts))])


def _memory(world: World, params: ExpressionEffectsParams) -> int:
    pairs = _GENES * params.table.count
    return WORKING_BYTES + COPIES * pairs * (len(params.contexts) * FLOAT_BYTES + ROW_BYTES)


EXPRESSION_EFFECTS = Kind(
    "expression_effects",
    _params,
    _chunks,
    _join,
    seconds_per_unit=1 / 100,
    memory=_memory,
    private=lambda params: params.table.personal,
)

"""The kind of job that scores what variants change in the expression of every gene that they reach."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

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
from phenviz.service.job_types import Backend, Chunk, Request
from phenviz.service.variant_tables import ROW_BYTES, VariantTable

if TYPE_CHECKING:
    from phenviz.world import World

# some seconds on two cores: each gene in reach costs a look at its bins
CHUNK = 512
# genes in reach of one variant, about
_GENES = 4


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionEffectsRequest(Request):
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

    kind = "expression_effects"
    seconds_per_unit = 1 / 100

    table: VariantTable
    genes: tuple[str, ...] | None
    contexts: tuple[str, ...]

    @classmethod
    def of(
        cls,
        world: World,
        variants: pd.DataFrame | str | os.PathLike[str],
        contexts: str | Iterable[str] | None = None,
        genes: str | Iterable[str] | None = None,
    ) -> Self:
        if world.readout is None:
            raise ModelError(
                f"effects on expression need a gene readout, and world {world.name!r} has none: set "
                "'readout' in its project.yaml, or ask for 'variant_effects'"
            )
        asked = [genes] if isinstance(genes, str) else genes
        names = (
            None
            if asked is None
            else tuple(dict.fromkeys(filter(None, (find_gene(world, g) for g in asked))))
        )
        # of a readout's contexts, not the backbone's
        chosen = expression_contexts(world, contexts)
        return cls(VariantTable.read(world, variants), names or None, chosen)

    def chunks(self, world: World) -> list[Chunk]:
        assert world.readout is not None
        if self.genes is None:
            about: object = hashlib.sha256(_places(world.annotation.genes)).hexdigest()
        else:
            about = [gene_identity(world, gene, self.contexts) for gene in self.genes]
        shared = {"about": about, "readout": model_identity(world.readout.covering(self.contexts))}
        trim = partial(_trim, contexts=self.contexts)
        return [
            Chunk({"variants": digest, **shared}, partial(self._score, rows), max(len(rows), 1), trim)
            for _, rows, digest in self.table.chunks(CHUNK)
        ]

    def _score(self, rows: pd.DataFrame, backend: Backend, progress: Progress) -> xr.Dataset:
        # in all contexts of the readout, whatever was asked for: they are one matrix, and requests share
        from phenviz.effects import score_expression

        world = backend.world
        assert backend.readout is not None
        readout = backend.readout.covering(self.contexts)
        models = world.annotation, world.reference, backend.backbone, readout
        return score_expression(rows, *models, genes=self.genes, progress=progress)

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        from phenviz.effects import join_expression

        rows = self.table.order()
        return join_expression(parts, [rows[CHUNK * part : CHUNK * (part + 1)] for part in range(len(parts))])

    def peak_bytes(self, world: World) -> int:
        pairs = _GENES * self.table.count
        return WORKING_BYTES + COPIES * pairs * (len(self.contexts) * FLOAT_BYTES + ROW_BYTES)

    @property
    def private(self) -> bool:
        return self.table.personal


def _places(genes: pd.DataFrame) -> bytes:
    # where genes begin is part of what is scored: another annotation may say otherwise
    columns = ["gene_name", "gene_id", "contig", "tss", "strand"]
    return genes[[name for name in columns if name in genes]].to_csv(index=False).encode()


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    return dataset.sel(context=list(contexts))

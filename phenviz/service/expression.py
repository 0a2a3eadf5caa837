"""The kinds of job that predict the expression of genes: of the reference, or of individuals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import xarray as xr

from phenviz.errors import DataError
from phenviz.progress import Progress
from phenviz.service.chosen_people import find_people, find_phasing, find_samples, people
from phenviz.service.job_params import (
    COPIES,
    FLOAT_BYTES,
    PERSON_SHARE,
    WORKING_BYTES,
    find_contexts,
    find_gene,
    gene_identity,
)
from phenviz.service.job_types import Backend, Chunk, Kind

if TYPE_CHECKING:
    from phenviz.variation import Unphased
    from phenviz.world import World

# what the sequence of one haplotype of a gene's window takes, and its edits
_HAPLOTYPE_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class ExpressionParams:
    """Parameters of ``expression``.

    Parameters
    ----------
    genes
        Names as in the annotation, each once.
    samples
        Whose haplotypes.
    individuals
        File of genotypes; None for the world's own.
    content
        Size and time of the files: another file under the same name is another request.
    contexts
        Short names, of the gene readout.
    unphased, seed
        What to do about unphased heterozygotes.
    kept
        Folder of haplotypes that were predicted before with these models; None for none.
    """

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    individuals: str | None
    content: tuple[tuple[str, int, int], ...]
    contexts: tuple[str, ...]
    unphased: str
    seed: int
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class GeneExpressionParams:
    """Parameters of ``gene_expression``: names of genes, each once, and of the gene readout's contexts."""

    genes: tuple[str, ...]
    contexts: tuple[str, ...]


def _find_genes(world: World, genes: str | Iterable[str]) -> tuple[str, ...]:
    asked = [genes] if isinstance(genes, str) else list(genes)
    names = tuple(dict.fromkeys(name for gene in asked if (name := find_gene(world, gene)) is not None))
    if not names:
        raise DataError("no gene to predict the expression of: name at least one")
    return names


def _reference_params(
    world: World, genes: str | Iterable[str], contexts: str | Iterable[str] | None = None
) -> GeneExpressionParams:
    names = _find_genes(world, genes)
    return GeneExpressionParams(names, find_contexts(world, contexts, names[0]))


def _reference_chunks(world: World, params: GeneExpressionParams) -> list[Chunk]:
    def compute(gene: str, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.models.expression import predict_expression

        assert backend.readout is not None
        found, readout = backend.world.annotation.gene(gene), backend.readout.covering(params.contexts)
        where = backend.world.reference, backend.backbone, readout
        return predict_expression(found, *where, progress=progress)

    assert world.readout is not None
    trim, units = partial(_trim, contexts=params.contexts), 2 * world.readout.covering(params.contexts).reach
    return [
        Chunk(gene_identity(world, gene, params.contexts), partial(compute, gene), units, trim)
        for gene in params.genes
    ]


def _join_genes(params: GeneExpressionParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    joined = xr.concat(
        parts, "gene", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    return joined.assign_attrs(parts[0].attrs)


def _params(
    world: World,
    genes: str | Iterable[str],
    samples: str | Iterable[str] | None = None,
    individuals: str | os.PathLike[str] | None = None,
    contexts: str | Iterable[str] | None = None,
    unphased: str = "refuse",
    seed: int = 0,
    kept: str | os.PathLike[str] | None = None,
) -> ExpressionParams:
    names = _find_genes(world, genes)
    path, content = find_people(world, individuals)
    chosen = find_samples(people(world, path), samples)
    choice, seed = find_phasing(unphased, seed)
    return ExpressionParams(
        names, chosen, path, content, find_contexts(world, contexts, names[0]), choice, seed,
        None if kept is None else os.fspath(kept),
    )  # fmt: skip


def _chunks(world: World, params: ExpressionParams) -> list[Chunk]:
    def compute(gene: str, backend: Backend, progress: Progress) -> xr.Dataset:
        # in all contexts of the readout, whatever was asked for: they are one matrix, and requests share
        from phenviz.effects import predict_expression
        from phenviz.effects.kept_haplotypes import KeptHaplotypes

        assert backend.readout is not None
        return predict_expression(
            people(backend.world, params.individuals),
            gene,
            backend.world.annotation,
            backend.world.reference,
            backend.backbone,
            backend.readout.covering(params.contexts),
            samples=params.samples,
            unphased=cast("Unphased", params.unphased),
            seed=params.seed,
            kept=None if params.kept is None else KeptHaplotypes(Path(params.kept)),
            progress=progress,
        )

    whose = {"samples": params.samples, "file": params.content, "unphased": [params.unphased, params.seed]}
    trim = partial(_trim, contexts=params.contexts)
    assert world.readout is not None
    # one window for the reference, and what few surroundings a haplotype shares with no other
    units = 2 * world.readout.covering(params.contexts).reach * (1 + PERSON_SHARE * len(params.samples))
    return [
        Chunk({**gene_identity(world, gene, params.contexts), **whose}, partial(compute, gene), units, trim)
        for gene in params.genes
    ]


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    return dataset.sel(context=list(contexts))


def _join(params: ExpressionParams, parts: Sequence[xr.Dataset]) -> xr.Dataset:
    from phenviz.effects.joined_expression import join_genes

    joined = join_genes(parts)
    if joined["expression"].sel(haplotype=["1", "2"]).isnull().all():
        raise DataError(
            f"nothing is known where these genes are read out from: {joined.attrs['not_covered']}"
        )
    return joined


def _memory(world: World, params: ExpressionParams) -> int:
    numbers = 3 * len(params.samples) * len(params.genes) * (len(params.contexts) + 1)
    return WORKING_BYTES + COPIES * numbers * FLOAT_BYTES + 2 * len(params.samples) * _HAPLOTYPE_BYTES


EXPRESSION = Kind(
    "expression",
    _params,
    _chunks,
    _join,
    seconds_per_unit=1 / 5.5e4,
    memory=_memory,
    private=lambda params: True,
    version=4,
)
GENE_EXPRESSION = Kind(
    "gene_expression",
    _reference_params,
    _reference_chunks,
    _join_genes,
    seconds_per_unit=1 / 3e5,
    memory=lambda world, params: WORKING_BYTES + len(params.genes) * len(params.contexts) * FLOAT_BYTES,
)

"""The kinds of job that predict the expression of genes: of the reference, or of individuals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

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
from phenviz.service.job_types import Backend, Chunk, Request

if TYPE_CHECKING:
    from phenviz.variation import Unphased
    from phenviz.world import World

# what the sequence of one haplotype of a gene's window takes, and its edits
_HAPLOTYPE_BYTES = 300_000


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionRequest(Request):
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

    kind = "expression"
    seconds_per_unit = 1 / 5.5e4
    of_people = True
    version = 4

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    individuals: str | None
    content: tuple[tuple[str, int, int], ...]
    contexts: tuple[str, ...]
    unphased: str
    seed: int
    kept: str | None = None

    @classmethod
    def of(
        cls,
        world: World,
        genes: str | Iterable[str],
        samples: str | Iterable[str] | None = None,
        individuals: str | os.PathLike[str] | None = None,
        contexts: str | Iterable[str] | None = None,
        unphased: str = "refuse",
        seed: int = 0,
        kept: str | os.PathLike[str] | None = None,
    ) -> Self:
        names = _find_genes(world, genes)
        path, content = find_people(world, individuals)
        chosen = find_samples(people(world, path), samples)
        choice, seed = find_phasing(unphased, seed)
        return cls(
            names, chosen, path, content, find_contexts(world, contexts, names[0]), choice, seed,
            None if kept is None else os.fspath(kept),
        )  # fmt: skip

    def chunks(self, world: World) -> list[Chunk]:
        def compute(gene: str, backend: Backend, progress: Progress) -> xr.Dataset:
            # in all contexts of the readout, whatever was asked for: they are one matrix, and requests share
            from phenviz.effects import predict_expression
            from phenviz.effects.kept_haplotypes import KeptHaplotypes

            assert backend.readout is not None
            return predict_expression(
                people(backend.world, self.individuals),
                gene,
                backend.world.annotation,
                backend.world.reference,
                backend.backbone,
                backend.readout.covering(self.contexts),
                samples=self.samples,
                unphased=cast("Unphased", self.unphased),
                seed=self.seed,
                kept=None if self.kept is None else KeptHaplotypes(Path(self.kept)),
                progress=progress,
            )

        whose = {"samples": self.samples, "file": self.content, "unphased": [self.unphased, self.seed]}
        trim = partial(_trim, contexts=self.contexts)
        assert world.readout is not None
        # one window for the reference, and what few surroundings a haplotype shares with no other
        units = 2 * world.readout.covering(self.contexts).reach * (1 + PERSON_SHARE * len(self.samples))
        return [
            Chunk({**gene_identity(world, gene, self.contexts), **whose}, partial(compute, gene), units, trim)
            for gene in self.genes
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        from phenviz.effects.joined_expression import join_genes

        joined = join_genes(parts)
        if joined["expression"].sel(haplotype=["1", "2"]).isnull().all():
            raise DataError(
                f"nothing is known where these genes are read out from: {joined.attrs['not_covered']}"
            )
        return joined

    def peak_bytes(self, world: World) -> int:
        numbers = 3 * len(self.samples) * len(self.genes) * (len(self.contexts) + 1)
        return WORKING_BYTES + COPIES * numbers * FLOAT_BYTES + 2 * len(self.samples) * _HAPLOTYPE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class GeneExpressionRequest(Request):
    """Parameters of ``gene_expression``: names of genes, each once, and of the gene readout's contexts."""

    kind = "gene_expression"
    seconds_per_unit = 1 / 3e5

    genes: tuple[str, ...]
    contexts: tuple[str, ...]

    @classmethod
    def of(
        cls, world: World, genes: str | Iterable[str], contexts: str | Iterable[str] | None = None
    ) -> Self:
        names = _find_genes(world, genes)
        return cls(names, find_contexts(world, contexts, names[0]))

    def chunks(self, world: World) -> list[Chunk]:
        def compute(gene: str, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.models.expression import predict_expression

            assert backend.readout is not None
            found, readout = backend.world.annotation.gene(gene), backend.readout.covering(self.contexts)
            where = backend.world.reference, backend.backbone, readout
            return predict_expression(found, *where, progress=progress)

        assert world.readout is not None
        trim, units = partial(_trim, contexts=self.contexts), 2 * world.readout.covering(self.contexts).reach
        return [
            Chunk(gene_identity(world, gene, self.contexts), partial(compute, gene), units, trim)
            for gene in self.genes
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        joined = xr.concat(
            parts, "gene", data_vars="minimal", coords="minimal", compat="override", join="override"
        )
        return joined.assign_attrs(parts[0].attrs)

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES + len(self.genes) * len(self.contexts) * FLOAT_BYTES


def _find_genes(world: World, genes: str | Iterable[str]) -> tuple[str, ...]:
    asked = [genes] if isinstance(genes, str) else list(genes)
    names = tuple(dict.fromkeys(name for gene in asked if (name := find_gene(world, gene)) is not None))
    if not names:
        raise DataError("no gene to predict the expression of: name at least one")
    return names


def _trim(dataset: xr.Dataset, contexts: tuple[str, ...]) -> xr.Dataset:
    return dataset.sel(context=list(contexts))

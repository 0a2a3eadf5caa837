"""The kinds of job that make a cohort's gene tokens: effects of variants on them, and those of haplotypes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, cast

import pandas as pd
import xarray as xr

from phenviz.errors import DataError
from phenviz.progress import Progress
from phenviz.service.chosen_people import find_people, find_phasing, find_samples, people
from phenviz.service.job_params import COPIES, FLOAT_BYTES, PERSON_SHARE, WORKING_BYTES
from phenviz.service.job_types import Backend, Chunk, Request
from phenviz.service.variant_tables import VariantTable

if TYPE_CHECKING:
    from phenviz.models.phenformer import GeneSite, Phenformer
    from phenviz.variation import Unphased
    from phenviz.world import World

# genes whose tokens are made together, so that windows that overlap share what is read
GENES_TOGETHER = 16
_EFFECTS_CHUNK = 16_384
# what reading one person's haplotypes of a block takes
_PERSON_BYTES = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class TokenEffectsRequest(Request):
    """Parameters of ``token_effects``.

    Parameters
    ----------
    table
        The variants.
    genes
        Sites, in the order of the tokens.
    window
        Bases of each gene's window.
    readout
        Name of the readout that gives the expression; None for all of the world's together.
    """

    kind = "token_effects"
    seconds_per_unit = 1 / 1e3
    # the variants of a cohort are those of its people
    of_people = True

    table: VariantTable
    genes: tuple[GeneSite, ...]
    window: int
    readout: str | None

    @classmethod
    def of(
        cls,
        world: World,
        variants: pd.DataFrame,
        genes: Iterable[str | GeneSite],
        window: int | None = None,
        readout: str | None = None,
    ) -> Self:
        table, sites = VariantTable.read(world, variants), find_sites(world, genes)
        return cls(table, sites, _window(window), _check_readout(world, readout))

    def chunks(self, world: World) -> list[Chunk]:
        def compute(rows: pd.DataFrame, first: int, backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.effects.token_effects import score_tokens

            own = backend.world
            layout = _layout(own, self.genes, self.window, self.readout)
            found = score_tokens(rows, layout, own.reference, own.backbone, own.readout, progress=progress)
            return found.assign_coords(row=found["row"] + first)

        shared = {"genes": [str(gene) for gene in self.genes], "window": self.window, "readout": self.readout}
        return [
            Chunk(
                {"variants": digest, "first": first, **shared},
                partial(compute, rows, first),
                max(len(rows), 1),
            )
            for first, rows, digest in self.table.chunks(_EFFECTS_CHUNK, sort=False)
        ]

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        if len(parts) == 1:
            return parts[0]
        pairs = xr.concat([part.drop_vars("reference_token") for part in parts], dim="pair",
                          data_vars="minimal", coords="minimal", compat="override", join="override",
                          combine_attrs="override")  # fmt: skip
        skipped = sum(int(part.attrs["skipped"]) for part in parts)
        return pairs.assign(reference_token=parts[0]["reference_token"]).assign_attrs(skipped=skipped)

    def peak_bytes(self, world: World) -> int:
        # of the genes that are asked for, few have a variant in their windows
        pairs = self.table.count * min(len(self.genes), 8)
        return WORKING_BYTES + COPIES * pairs * 256 * FLOAT_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class HaplotypeTokensRequest(Request):
    """Parameters of ``haplotype_tokens``.

    Parameters
    ----------
    genes, window, readout
        As for ``token_effects``.
    samples
        Whose.
    individuals
        File of genotypes; None for the world's own.
    content
        Size and time of the files.
    unphased, seed
        What to do about unphased heterozygotes.
    """

    kind = "haplotype_tokens"
    seconds_per_unit = 1 / 5.5e4
    of_people = True
    # another unit: times that were learnt in the old one don't count
    version = 2

    genes: tuple[GeneSite, ...]
    window: int
    readout: str | None
    samples: tuple[str, ...]
    individuals: str | None
    content: tuple[tuple[str, int, int], ...]
    unphased: str
    seed: int

    @classmethod
    def of(
        cls,
        world: World,
        genes: Iterable[str | GeneSite],
        samples: str | Iterable[str] | None = None,
        individuals: str | os.PathLike[str] | None = None,
        window: int | None = None,
        readout: str | None = None,
        unphased: str = "refuse",
        seed: int = 0,
    ) -> Self:
        path, content = find_people(world, individuals)
        chosen = find_samples(people(world, path), samples)
        choice, seed = find_phasing(unphased, seed)
        sites = find_sites(world, genes)
        known_readout = _check_readout(world, readout)
        return cls(sites, _window(window), known_readout, chosen, path, content, choice, seed)

    def chunks(self, world: World) -> list[Chunk]:
        def compute(genes: Sequence[GeneSite], backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.effects.haplotype_tokens import predict_haplotype_tokens

            own = backend.world
            return predict_haplotype_tokens(
                people(own, self.individuals),
                _layout(own, genes, self.window, self.readout),
                own.reference,
                own.backbone,
                own.readout,
                samples=self.samples,
                unphased=cast("Unphased", self.unphased),
                seed=self.seed,
                progress=progress,
            )

        whose = {"samples": self.samples, "file": self.content, "unphased": [self.unphased, self.seed]}
        chunks = []
        for genes in in_order(self.genes):
            identity = {"genes": [str(gene) for gene in genes], "window": self.window, **whose}
            identity["readout"] = self.readout
            units = len(genes) * self.window * (1 + PERSON_SHARE * len(self.samples))
            chunks.append(Chunk(identity, partial(compute, genes), units))
        return chunks

    def join(self, parts: Sequence[xr.Dataset]) -> xr.Dataset:
        joined = xr.concat(list(parts), dim="gene", data_vars="minimal", coords="minimal", compat="override",
                           join="override", combine_attrs="override")  # fmt: skip
        names = joined["gene"].values.tolist()
        asked = [gene.name for gene in self.genes if gene.name in names]
        return joined if asked == names else joined.isel(gene=[names.index(name) for name in asked])

    def peak_bytes(self, world: World) -> int:
        tokens = 2 * len(self.samples) * min(len(self.genes), GENES_TOGETHER) * 512 * 8
        return WORKING_BYTES + COPIES * tokens + len(self.samples) * _PERSON_BYTES


def find_sites(world: World, genes: Iterable[str | GeneSite]) -> tuple[GeneSite, ...]:
    """Return the sites of genes, by name or as they are, each once.

    Raises
    ------
    LocusError
        If the annotation doesn't have one.
    DataError
        If there is none.
    """
    from phenviz.models.phenformer import GeneSite

    found = [
        gene if isinstance(gene, GeneSite) else GeneSite.of(world.annotation.gene(gene)) for gene in genes
    ]
    if not found:
        raise DataError("no gene to make a token of: name at least one")
    return tuple(dict.fromkeys(found))


def _layout(world: World, genes: Sequence[GeneSite], window: int, readout: str | None) -> Phenformer:
    from phenviz.models.token_layout import readout_named, token_layout

    chosen = readout_named(world.readout, readout)
    return token_layout(genes, world.assembly, world.backbone, chosen, window=window)


def _check_readout(world: World, readout: str | None) -> str | None:
    from phenviz.models.token_layout import readout_named

    readout_named(world.readout, readout)
    return readout


def _window(window: int | None) -> int:
    from phenviz.models.token_layout import WINDOW

    return WINDOW if window is None else int(window)


def in_order(genes: Sequence[GeneSite]) -> list[tuple[GeneSite, ...]]:
    """Group genes by where they lie, so that those of a group share most of their windows."""
    ordered = sorted(genes, key=lambda gene: (gene.contig, gene.tss))
    return [
        tuple(ordered[start : start + GENES_TOGETHER]) for start in range(0, len(ordered), GENES_TOGETHER)
    ]

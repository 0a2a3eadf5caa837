"""The kinds of job about edits: elements taken out, motifs put in, and both alleles of a variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from phenviz.errors import SequenceError
from phenviz.genome.locus import Locus
from phenviz.progress import Progress
from phenviz.service.job_params import (
    WORKING_BYTES,
    find_contexts,
    find_gene,
    find_locus,
    gene_identity,
    gene_target,
)
from phenviz.service.job_types import Backend, Chunk, Request, WholeRequest

if TYPE_CHECKING:
    from phenviz.data.motifs import Motif
    from phenviz.world import World

# bases on both sides of a variant
FLANK = 30


@dataclass(frozen=True, slots=True, eq=False)
class AblateRequest(WholeRequest):
    """Parameters of ``ablate``, as of `phenviz.attribution.ablate`; ``gene`` is a name or None."""

    kind = "ablate"
    seconds_per_unit = 1 / 200

    loci: tuple[Locus, ...]
    contexts: tuple[str, ...]
    gene: str | None
    by: str
    n_shuffles: int
    seed: int

    @classmethod
    def of(
        cls,
        world: World,
        loci: str | Locus | Iterable[str | Locus],
        contexts: str | Iterable[str] | None = None,
        gene: str | None = None,
        by: str = "dinucleotide",
        n_shuffles: int = 20,
        seed: int = 0,
    ) -> Self:
        asked = [loci] if isinstance(loci, str | Locus) else loci
        name = find_gene(world, gene)
        found = tuple(find_locus(world, locus) for locus in asked)
        return cls(found, find_contexts(world, contexts, name), name, by, int(n_shuffles), int(seed))

    def compute(self, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.attribution import ablate

        return ablate(
            self.loci,
            backend.world.reference,
            backend.backbone,
            by=self.by,  # type: ignore[arg-type]
            n_shuffles=self.n_shuffles,
            contexts=self.contexts,
            gene_target=gene_target(backend, self.gene, self.contexts),
            rng=np.random.default_rng(self.seed),
            progress=progress,
        )

    def identity(self, world: World) -> Mapping[str, Any]:
        return {"params": self, **gene_identity(world, self.gene, self.contexts)}

    def units(self, world: World) -> float:
        return float(len(self.loci) * self.n_shuffles)

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class MarginalizeRequest(WholeRequest):
    """Parameters of ``marginalize``, as of `phenviz.attribution.marginalize`; motifs with their names."""

    kind = "marginalize"
    seconds_per_unit = 1 / 200

    motifs: tuple[tuple[str, str | Motif], ...]
    contexts: tuple[str, ...]
    backgrounds: int
    seed: int

    @classmethod
    def of(
        cls,
        world: World,
        motifs: str | Iterable[str],
        contexts: str | Iterable[str] | None = None,
        backgrounds: int = 100,
        seed: int = 0,
    ) -> Self:
        """Check a request; each motif is the name or accession of one of the world's, or bases."""
        asked = [motifs] if isinstance(motifs, str) else motifs
        chosen = tuple(_find_motifs(world, asked).items())
        return cls(chosen, find_contexts(world, contexts), int(backgrounds), int(seed))

    def compute(self, backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.attribution import marginalize

        return marginalize(
            dict(self.motifs),
            backend.world.reference,
            backend.backbone,
            backgrounds=self.backgrounds,
            contexts=self.contexts,
            rng=np.random.default_rng(self.seed),
            progress=progress,
        )

    def identity(self, world: World) -> Mapping[str, Any]:
        return {"params": self}

    def units(self, world: World) -> float:
        return float(2 * self.backgrounds * len(self.motifs))

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class BothAllelesRequest(Request):
    """Parameters of ``both_alleles``, as of `phenviz.effects.both_alleles.mutate_both_alleles`."""

    kind = "both_alleles"
    seconds_per_unit = 1 / 1e4

    contig: str
    position: int
    ref: str
    alt: str
    contexts: tuple[str, ...]
    flank: int

    @classmethod
    def of(
        cls,
        world: World,
        contig: str,
        position: int,
        ref: str,
        alt: str,
        contexts: str | Iterable[str] | None = None,
        flank: int = FLANK,
    ) -> Self:
        name = world.reference.resolve_contig(contig)
        return cls(name, int(position), ref, alt, find_contexts(world, contexts), int(flank))

    def chunks(self, world: World) -> list[Chunk]:
        # in all contexts, whatever was asked for: the last layer costs next to nothing, and so all share
        where = self.contig, self.position, self.ref, self.alt

        def compute(backend: Backend, progress: Progress) -> xr.Dataset:
            from phenviz.effects.both_alleles import mutate_both_alleles

            genome = backend.world.reference
            both = mutate_both_alleles(*where, genome, backend.backbone, flank=self.flank, progress=progress)
            return both.as_dataset()

        def trim(dataset: xr.Dataset) -> xr.Dataset:
            return dataset.sel(context=list(self.contexts))

        units = 6.0 * (2 * self.flank + len(self.ref) + len(self.alt))
        return [Chunk({"variant": where, "flank": self.flank}, compute, units, trim)]

    def peak_bytes(self, world: World) -> int:
        return WORKING_BYTES


def _find_motifs(world: World, words: Iterable[str]) -> dict[str, str | Motif]:
    """Read what was typed: names or accessions of the world's motifs, bases, or NAME=BASES."""
    from phenviz.data.motifs import find_motif, near_motifs, read_motifs

    known = read_motifs(world.project.motifs)
    shared = Counter(motif.name for motif in known)
    chosen: dict[str, str | Motif] = {}
    for word in words:
        name, _, bases = word.rpartition("=")
        motif = None if name else find_motif(known, word)
        value: str | Motif
        if motif is not None:
            key, value = motif.name if shared[motif.name] == 1 else motif.label, motif
        elif bases and set(bases.upper()) <= set("ACGT"):
            key, value = name or bases.upper(), bases.upper()
        else:
            near = near_motifs(known, word)
            hint = f"did you mean {', '.join(near)}? Or " if near else ""
            raise SequenceError(
                f"{word!r} is no motif of {world.project.motifs.name} and no sequence of A, C, G and T: "
                f"{hint}give a motif's name or accession such as GATA1, or NAME=SEQUENCE"
            )
        if chosen.setdefault(key, value) != value:
            raise SequenceError(f"{key!r} names two of the motifs: give your own sequence another name")
    return chosen

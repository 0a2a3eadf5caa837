"""The kinds of job about edits: elements taken out, motifs put in, and both alleles of a variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

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
from phenviz.service.job_types import Backend, Chunk, Kind, whole

if TYPE_CHECKING:
    from phenviz.data.motifs import Motif
    from phenviz.world import World

# bases on both sides of a variant
FLANK = 30


@dataclass(frozen=True, slots=True)
class AblateParams:
    """Parameters of ``ablate``, as of `phenviz.attribution.ablate`; ``gene`` is a name or None."""

    loci: tuple[Locus, ...]
    contexts: tuple[str, ...]
    gene: str | None
    by: str
    n_shuffles: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class MarginalizeParams:
    """Parameters of ``marginalize``, as of `phenviz.attribution.marginalize`; motifs with their names."""

    motifs: tuple[tuple[str, str | Motif], ...]
    contexts: tuple[str, ...]
    backgrounds: int
    seed: int


@dataclass(frozen=True, slots=True)
class BothAllelesParams:
    """Parameters of ``both_alleles``, as of `phenviz.effects.both_alleles.mutate_both_alleles`."""

    contig: str
    position: int
    ref: str
    alt: str
    contexts: tuple[str, ...]
    flank: int


def _ablate_params(
    world: World,
    loci: str | Locus | Iterable[str | Locus],
    contexts: str | Iterable[str] | None = None,
    gene: str | None = None,
    by: str = "dinucleotide",
    n_shuffles: int = 20,
    seed: int = 0,
) -> AblateParams:
    asked = [loci] if isinstance(loci, str | Locus) else loci
    name = find_gene(world, gene)
    found = tuple(find_locus(world, locus) for locus in asked)
    return AblateParams(found, find_contexts(world, contexts, name), name, by, int(n_shuffles), int(seed))


def _ablate(world: World, params: AblateParams, progress: Progress, backend: Backend) -> xr.Dataset:
    from phenviz.attribution import ablate

    return ablate(
        params.loci,
        backend.world.reference,
        backend.backbone,
        by=params.by,  # type: ignore[arg-type]
        n_shuffles=params.n_shuffles,
        contexts=params.contexts,
        gene_target=gene_target(backend, params.gene, params.contexts),
        rng=np.random.default_rng(params.seed),
        progress=progress,
    )


def _ablate_identity(world: World, params: AblateParams) -> Mapping[str, Any]:
    return {"params": params, **gene_identity(world, params.gene, params.contexts)}


def _marginalize_params(
    world: World,
    motifs: str | Iterable[str],
    contexts: str | Iterable[str] | None = None,
    backgrounds: int = 100,
    seed: int = 0,
) -> MarginalizeParams:
    """Check a request; each motif is the name or accession of one of the world's, or bases."""
    asked = [motifs] if isinstance(motifs, str) else motifs
    chosen = tuple(_find_motifs(world, asked).items())
    return MarginalizeParams(chosen, find_contexts(world, contexts), int(backgrounds), int(seed))


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


def _marginalize(world: World, params: MarginalizeParams, progress: Progress, backend: Backend) -> xr.Dataset:
    from phenviz.attribution import marginalize

    return marginalize(
        dict(params.motifs),
        backend.world.reference,
        backend.backbone,
        backgrounds=params.backgrounds,
        contexts=params.contexts,
        rng=np.random.default_rng(params.seed),
        progress=progress,
    )


def _both_params(
    world: World,
    contig: str,
    position: int,
    ref: str,
    alt: str,
    contexts: str | Iterable[str] | None = None,
    flank: int = FLANK,
) -> BothAllelesParams:
    name = world.reference.resolve_contig(contig)
    return BothAllelesParams(name, int(position), ref, alt, find_contexts(world, contexts), int(flank))


def _both_chunks(world: World, params: BothAllelesParams) -> list[Chunk]:
    # in all contexts, whatever was asked for: the last layer costs next to nothing, and so all requests share
    where = params.contig, params.position, params.ref, params.alt

    def compute(backend: Backend, progress: Progress) -> xr.Dataset:
        from phenviz.effects.both_alleles import mutate_both_alleles

        genome = backend.world.reference
        both = mutate_both_alleles(*where, genome, backend.backbone, flank=params.flank, progress=progress)
        return both.as_dataset()

    def trim(dataset: xr.Dataset) -> xr.Dataset:
        return dataset.sel(context=list(params.contexts))

    units = 6.0 * (2 * params.flank + len(params.ref) + len(params.alt))
    return [Chunk({"variant": where, "flank": params.flank}, compute, units, trim)]


def _working_bytes(world: World, params: Any) -> int:
    return WORKING_BYTES


_small: Callable[..., Kind] = partial(whole, memory=_working_bytes)
ABLATE = _small(
    "ablate",
    _ablate_params,
    _ablate,
    identity=_ablate_identity,
    units=lambda world, params: float(len(params.loci) * params.n_shuffles),
    seconds_per_unit=1 / 200,
)
MARGINALIZE = _small(
    "marginalize",
    _marginalize_params,
    _marginalize,
    identity=lambda world, params: {"params": params},
    units=lambda world, params: float(2 * params.backgrounds * len(params.motifs)),
    seconds_per_unit=1 / 200,
)
BOTH_ALLELES = Kind(
    "both_alleles",
    _both_params,
    _both_chunks,
    lambda params, parts: parts[0],
    seconds_per_unit=1 / 1e4,
    memory=_working_bytes,
)

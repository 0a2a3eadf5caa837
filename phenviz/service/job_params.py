"""What the kinds of job have in common: how a request is read, and what its memory is reckoned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from phenviz.attribution.targets import Target, check_reached, reach_of_gene
from phenviz.errors import LocusError, ModelError, TargetError
from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import refuse_several
from phenviz.genome.locus import Locus
from phenviz.genome.reference import ReferenceGenome
from phenviz.models.identity import model_identity
from phenviz.service import grid
from phenviz.service.job_types import Backend

if TYPE_CHECKING:
    from phenviz.models.readout import GeneReadout
    from phenviz.world import World

# What one person takes of what a gene's window takes (12.9 ms of 1.8 s, on two cores): most surroundings of
# variants are like others that were read.
PERSON_SHARE = 0.0072
# what PyTorch and a batch take, whatever the locus is
WORKING_BYTES = 300 * 2**20
# numbers are held twice while chunks are joined
COPIES = 2
FLOAT_BYTES = 4


def find_locus(world: World, locus: str | Locus) -> Locus:
    """Return a locus as the world has it, from a `Locus` or from what a user would type.

    Raises
    ------
    LocusError
        If it is neither, unknown, or leaves its contig.
    """
    if isinstance(locus, Locus):
        return world.reference.check(locus)
    if not isinstance(locus, str):
        raise LocusError(f"{locus!r} is no locus: give a region, a gene, an rsID or a Locus")
    return world.locus(locus)


def find_contexts(
    world: World, contexts: str | Iterable[str] | None, gene: str | None = None
) -> tuple[str, ...]:
    """Return short names of contexts, in the model's order, from names, labels, CURIEs or groups.

    With a gene, they are those of the gene readout, which may be others than the backbone's.

    Raises
    ------
    TargetError
        If the model doesn't predict one of them, or none is asked for.
    """
    asked = [contexts] if isinstance(contexts, str) else None if contexts is None else list(contexts)
    if gene is not None and world.readout is not None:
        return expression_contexts(world, asked)
    return tuple(context.name for context in world.select_contexts(asked))


def expression_contexts(world: World, contexts: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return short names of the gene readout's contexts, in its order, from what `find_contexts` takes.

    Raises
    ------
    TargetError
        If the readout doesn't predict one of them, or none is asked for.
    """
    assert world.readout is not None
    asked = [contexts] if isinstance(contexts, str) else None if contexts is None else list(contexts)
    return tuple(world.readout.contexts[row].name for row in sorted(world.readout.select(asked)))


def find_context(world: World, context: str, gene: str | None = None) -> str:
    """Return the short name of one context, as `find_contexts` finds it.

    Raises
    ------
    TargetError
        If several fit, or none does.
    """
    found = find_contexts(world, context, gene)
    refuse_several(found, context)
    return found[0]


def find_target(target: Target | str) -> Target:
    """Return a target; a text names a context.

    Raises
    ------
    TargetError
        If it is neither.
    """
    if isinstance(target, str):
        return Target(context=target)
    if not isinstance(target, Target):
        raise TargetError(f"{target!r} is no target: give a Target, or the name of a context")
    return target


def find_gene(world: World, gene: str | None) -> str | None:
    """Return what the annotation finds a gene by: its name, or its id where another gene has that name, too.

    Raises
    ------
    LocusError
        If the annotation doesn't have it.
    ModelError
        If the world can't predict expression.
    """
    if not gene:
        return None
    name = world.annotation.key_of(world.annotation.gene(gene))
    if world.readout is None:
        raise ModelError(
            f"the expression of {name} needs a gene readout, and world {world.name!r} has none: set "
            "'readout' in its project.yaml, or leave the gene out"
        )
    return name


def check_reaches_gene(world: World, locus: Locus, gene: str, contexts: Sequence[str]) -> None:
    """Check that some base of a locus reaches a gene's expression in contexts, as a local backbone sees it.

    Raises
    ------
    TargetError
        If none does.
    """
    assert world.readout is not None
    found, readout = world.annotation.gene(gene), world.readout.covering(contexts)
    check_reached([locus], found, reach_of_gene(found, readout, world.reference, world.backbone))


def gene_target(
    backend: Backend, gene: str | None, contexts: Sequence[str]
) -> tuple[Gene, GeneReadout] | None:
    """Return a gene and the readout of its expression, on the service's device; None for no gene.

    Of several readouts it is the one that has all these contexts, where there is one.
    """
    if gene is None:
        return None
    assert backend.readout is not None
    return backend.world.annotation.gene(gene), backend.readout.covering(contexts)


def gene_identity(world: World, gene: str | None, contexts: Sequence[str]) -> dict[str, Any]:
    """Return what a gene's expression in contexts depends on besides the backbone, for the key of a chunk."""
    if gene is None:
        return {"gene": None}
    assert world.readout is not None
    # where the gene begins is part of the target: another annotation may say otherwise
    found = world.annotation.gene(gene)
    place = [found.locus.contig, found.tss, found.locus.strand]
    return {"gene": [gene, *place], "readout": model_identity(world.readout.covering(contexts))}


def chunk_intervals(world: World, locus: Locus, size: int) -> list[Locus]:
    """Cut a locus into the grid's chunks of about ``size`` bases, whole bins each."""
    bin_size = world.backbone.bin_size
    whole_bins = max(size // bin_size, 1) * bin_size
    return list(grid.grid_intervals(locus, whole_bins, world.reference.contigs[locus.contig]))


def gapped(world: World) -> ReferenceGenome:
    """Return the world's reference, such that a chunk may hold only N."""
    return cast(ReferenceGenome, grid.GappedReference(world.reference))

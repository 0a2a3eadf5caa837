"""The world that a command works on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phenviz.data.cache import cache_dir
from phenviz.errors import SequenceError
from phenviz.genome import ReferenceGenome
from phenviz.genome.locus import bare_contig, shown_contig
from phenviz.world import World, open_world


def open_with_reference(world: str | None, reference: str | None) -> World:
    """Open a world, if asked with another FASTA of its assembly.

    Parameters
    ----------
    world
        A ``project.yaml``; None for the embedded world.
    reference
        FASTA to read the bases from instead of the world's own; None for its own.

    Raises
    ------
    SequenceError
        If the FASTA has no contig of the world, or one of another length.
    """
    opened = open_world(world)
    if reference is None:
        return opened
    own = _lengths(opened.reference)
    path = Path(reference).expanduser()
    other = _lengths(ReferenceGenome(path, assembly=opened.assembly, cache_dir=cache_dir()))
    shared = own.keys() & other.keys()
    if not shared:
        raise SequenceError(
            f"{path} shares no contig with {opened.assembly} of world {opened.name!r}: it has "
            f"{', '.join(list(other)[:5])}, the world {', '.join(list(own)[:5])}"
        )
    for contig in sorted(shared):
        if own[contig] != other[contig]:
            raise SequenceError(
                f"{shown_contig(contig)} has {other[contig]:,} bases in {path} and {own[contig]:,} in "
                f"{opened.assembly} of world {opened.name!r}: give a FASTA of the same assembly"
            )
    return World(replace(opened.project, reference=path))


def _lengths(reference: ReferenceGenome) -> dict[str, int]:
    return {bare_contig(contig): length for contig, length in reference.contigs.items()}

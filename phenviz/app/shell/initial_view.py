"""What a tab shows when it opens: the address's view, or a place worth looking at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from phenviz.app.shell.navigation import framed
from phenviz.app.shell.state import PageState, contexts_at_first
from phenviz.errors import PhenvizError
from phenviz.genome.locus import Locus, bare_contig, shown_contig
from phenviz.genome.variant import Variant

if TYPE_CHECKING:
    from phenviz.world import World

# SIRPB1, round chr20:1,600,925 G>A: fine-mapped for mean platelet volume (posterior 0.98), in a peak of
# progenitors and monocytes
_EMBEDDED_VIEW = Locus("20", 1_592_000, 1_610_000)
_EMBEDDED_SITE = Locus("20", 1_600_924, 1_600_925)
_EMBEDDED_FOCUS = "Mono"
_FALLBACK_LENGTH = 20_000
_VARIANT_VIEW = 1_000
_ROUND = 100_000


def open_state(
    state: PageState, world: World, arguments: Mapping[str, str], problems: list[str]
) -> list[str]:
    """Complete the state of a new tab: locus, contexts and focus.

    Parameters
    ----------
    state
        Has taken over what the address says, apart from the locus.
    world
        What is looked at.
    arguments
        Values of the address.
    problems
        What of the address couldn't be taken over so far.

    Returns
    -------
    list[str]
        All that couldn't be taken over, in words.
    """
    names = tuple(context.name for context in world.contexts)
    locus, site = _default_locus(world)
    try:
        if "locus" in arguments:
            locus, site = world.view(arguments["locus"]), None
        elif key := arguments.get("mark") or arguments.get("variant"):
            locus, site = around_variant(world, key), None
    except PhenvizError as error:
        problems = [*problems, str(error)]
    focus = _EMBEDDED_FOCUS if _EMBEDDED_FOCUS in names else names[0]
    state.param.update(
        locus=Locus(locus.contig, locus.start, locus.end),
        highlight=site,
        focus=state.focus or focus,
        contexts=state.contexts if "contexts" in arguments else contexts_at_first(tuple(world.contexts)),
    )
    state.settled = state.locus
    return problems


def around_variant(world: World, key: str) -> Locus:
    """Return a view of a variant, as its key (`phenviz.genome.variant.Variant.key`) names it.

    Raises
    ------
    PhenvizError
        If the key is none, or of a place that the world doesn't have.
    """
    place = world.reference.inside(Variant.of_key(key).locus)
    return framed(place, world.reference.length(place.contig), least=_VARIANT_VIEW)


def example_locus(world: World) -> str:
    """Write a locus of a world as a user may type it: there are bases in it."""
    locus, _ = _default_locus(world)
    start = locus.start // _ROUND * _ROUND
    if not start or start + _ROUND > world.reference.length(locus.contig):
        return str(locus)
    ends = (f"{end / 1_000_000:g}M" for end in (start, start + _ROUND))
    return f"{shown_contig(locus.contig)}:{'-'.join(ends)}"


def _default_locus(world: World) -> tuple[Locus, Locus | None]:
    contigs = world.reference.contigs
    embedded = {bare_contig(name): length for name, length in contigs.items()} == {"20": 63_025_520}
    if embedded and world.assembly == "GRCh37":
        contig = next(iter(contigs))
        return (
            Locus(contig, _EMBEDDED_VIEW.start, _EMBEDDED_VIEW.end),
            Locus(contig, _EMBEDDED_SITE.start, _EMBEDDED_SITE.end),
        )
    for gene in world.annotation.genes.itertuples(index=False):
        contig = world.reference.resolve_contig(gene.contig)
        return Locus(contig, int(gene.start), int(gene.end)), None
    contig, length = next(iter(contigs.items()))
    middle = length // 2
    half = min(_FALLBACK_LENGTH, length) // 2
    return Locus(contig, middle - half, middle + half), None

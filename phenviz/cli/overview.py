"""``phenviz overview``: whole contigs for the dashboard, ahead of time."""

from __future__ import annotations

import click

from phenviz.cli.common import PhenvizCommand, device_option, wait_for, world_option


@click.command(cls=PhenvizCommand)
@click.argument("contigs", nargs=-1, metavar="[CONTIG...]")
@world_option
@device_option
def overview(contigs: tuple[str, ...], world: str | None, device: str) -> None:
    """Predict whole contigs, all by default, so that the dashboard draws them at once.

    What is finished stays in the cache (some MB): the same command goes on where it was interrupted. The
    dashboard itself does this in the background where it takes minutes. Needed anew after a change of the
    model or the reference.
    """
    from phenviz import open_world
    from phenviz.genome import Locus
    from phenviz.service import ModelService

    opened = open_world(world)
    reference = opened.reference
    # a wrong name is said before anything is computed
    names = [reference.resolve_contig(name) for name in contigs] or list(reference.contigs)
    with ModelService(opened, device=device) as service:
        for name in names:
            found = wait_for(service.submit("overview", locus=Locus(name, 0, reference.contigs[name])))
            click.echo(f"{name}: {found.sizes['bin']:,} points in {found.sizes['context']} contexts")

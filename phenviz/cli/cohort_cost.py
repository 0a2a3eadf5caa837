"""``phenviz cohort cost``: what the tokens of a cohort will take, before anything is begun."""

from __future__ import annotations

import click

from phenviz.cli.common import PhenvizCommand, device_option, world_option


@click.command(cls=PhenvizCommand)
@click.option("--people", type=click.IntRange(1), required=True, metavar="N")
@click.option("--genes", type=click.IntRange(1), default=448, show_default=True, metavar="N")
@click.option("--exact", is_flag=True, help="Read every different haplotype, instead of adding effects up.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that compute at the same time.",
)
@click.option(
    "--speedup",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="How much faster a worker's model is than here: more cores, or a GPU.",
)
@click.option("--window", type=click.IntRange(1), default=196_608, show_default=True, metavar="BP",
              help="Bases of each gene's window.")  # fmt: skip
@world_option
@device_option
def cost(
    people: int,
    genes: int,
    exact: bool,
    workers: int,
    speedup: float,
    window: int,
    world: str | None,
    device: str,
) -> None:
    """Estimate time, disk and memory of `phenviz cohort embed`.

    From the speed that this machine has measured in earlier jobs of the world's model, or that was measured
    where PhenViz is made, if there was none. An estimate is meant to be right within a factor of two.
    """
    from phenviz.distributed.cost import cohort_cost, features_of, variants_per_kb
    from phenviz.service import ModelService
    from phenviz.service.job_params import PERSON_SHARE
    from phenviz.world import open_world

    opened = open_world(world)
    # what a run takes before its first variant doesn't count here
    many = 1_000_000
    with ModelService(opened, device=device) as service:
        per_variant = service.seconds("token_effects", many) / many
        per_gene = service.seconds("haplotype_tokens", many * window) / many
    found = cohort_cost(
        people,
        genes,
        workers,
        exact=exact,
        window=window,
        speedup=speedup,
        features=features_of(opened),
        seconds_per_variant=per_variant,
        seconds_per_gene=per_gene,
        seconds_per_person=per_gene * PERSON_SHARE,
    )
    how = "exact" if exact else "additive"
    machines = f"{workers:,} workers ({speedup:g} x this machine)"
    click.echo(f"{people:,} people x {genes:,} genes, {how}, {machines}")
    for name, seconds in found.core_seconds.items():
        click.echo(f"  {name}: {seconds / 3_600:,.2f} worker-hours")
    click.echo(f"  time: {found.hours:,.2f} h; {found.shards:,} shards of a minute")
    click.echo(
        f"  disk: {_bytes(found.store_bytes)}, and {_bytes(found.unfinished_bytes)} until shards are joined; "
        f"memory of a worker: {_bytes(found.worker_bytes)} beside the model"
    )
    assumed = (
        "one person adds as much as in the cohort that was measured"
        if exact
        else f"{variants_per_kb(people):.0f} different variants in a kb; genotypes as VCF Zarr"
    )
    click.echo(f"  assumes: {assumed}; a file system that all workers read at full speed")


def _bytes(number: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e6:.0f} MB"

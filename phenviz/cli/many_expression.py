"""``phenviz expression``: the expression of many genes in many people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    reference_option,
    scale_options,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.cli.people import phasing_options

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.variation import Unphased

_SUFFIXES = (".zarr", ".nc", ".parquet", ".tsv")


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, _SUFFIXES, context, parameter)


@click.command("expression", cls=PhenvizCommand)
@click.argument("vcf", required=False, metavar="[GENOTYPES]")
@click.option(
    "--genes",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Names of genes, one per line.",
)
@click.option("--samples", metavar="FILE", type=click.Path(path_type=Path),
              help="Names of people, one per line.  [default: all]")  # fmt: skip
@contexts_option
@phasing_options
@click.option("-o", "--output", required=True, metavar="OUT", callback=_check_output,
              help="Result: .zarr .nc .parquet (tidy) .tsv")  # fmt: skip
@scale_options
@world_option
@reference_option
@device_option
def many_expression(
    vcf: str | None,
    genes: Path,
    samples: Path | None,
    contexts: tuple[str, ...],
    unphased: Unphased,
    seed: int,
    output: Path,
    scheduler: str,
    shard: tuple[int, int] | None,
    shards_at: str | None,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Predict the expression of genes from both haplotypes of many people.

    GENOTYPES is a VCF, BCF, PGEN or VCF Zarr; the world's own individuals if left out. Haplotypes that were
    read before, of whomever, aren't read again: beside OUT, OUT.haplotypes keeps their expression.
    """
    from phenviz.cli.scale import Sharding, result_in_shards
    from phenviz.cli.worlds import open_with_reference
    from phenviz.distributed.people_expression import ExpressionTask, read_names
    from phenviz.distributed.world_address import WorldAddress
    from phenviz.effects.personal_expression import find_genes
    from phenviz.service.chosen_people import find_samples, people

    opened_world = open_with_reference(world, reference)
    chosen = find_genes(read_names(genes, "genes"), opened_world.annotation)
    path = None if vcf is None else str(Path(vcf).expanduser().absolute())
    asked = None if samples is None else read_names(samples, "people")
    scale = Sharding(scheduler, shard, shards_at)
    task = ExpressionTask(
        WorldAddress.of(opened_world),
        tuple(gene.name or gene.gene_id for gene in chosen),
        find_samples(people(opened_world, path), asked),
        None if path is None else Path(path),
        contexts or None,
        unphased,
        seed,
        output.absolute().with_name(f"{output.name}.haplotypes"),
        device,
    )
    done = result_in_shards(task, task.open(opened_world), output, scale, opened_world)
    if done is not None:
        tell(done[0])
        click.echo(output)


def tell(found: xr.Dataset) -> None:
    """Say on stderr how many there are, and what their haplotypes lack."""
    sizes = found.sizes
    click.echo(
        f"{sizes['individual']:,} people, {sizes['gene']:,} genes, {sizes['context']} contexts", err=True
    )
    if skipped := found.attrs["variants_skipped"]:
        click.echo(
            f"note: left out of the haplotypes: {skipped:,} that overlap a variant before them", err=True
        )
    for name in ("records_left_out", "not_covered"):
        if told := found.attrs[name]:
            click.echo(f"note: {told}", err=True)

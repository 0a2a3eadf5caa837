"""``phenviz risk``: the scores of people by the world's risk model, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    reference_option,
    wait_for,
    world_option,
)
from phenviz.formats import suffixes_of

if TYPE_CHECKING:
    import xarray as xr


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of("risk"), context, parameter)


@click.command(cls=PhenvizCommand)
@click.option(
    "--sample", "samples", multiple=True, metavar="S", help="Whose; may be repeated.  [default: all]"
)
@click.option(
    "--individuals",
    metavar="VCF",
    help="VCF, BCF, PLINK 2 .pgen or VCF Zarr.  [default: the individuals of the world]",
)
@click.option("--trait", "traits", multiple=True, metavar="T", help="Trait; may be repeated.  [default: all]")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="Tables of scores, genes and alleles: .tsv .parquet; the whole result: .nc .zarr",
)
@world_option
@reference_option
@device_option
def risk(
    samples: tuple[str, ...],
    individuals: str | None,
    traits: tuple[str, ...],
    output: Path,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Score people by the world's risk model, and say which genes and alleles the scores come from.

    The embedded model was trained on simulated people: its scores say nothing about anybody's health.
    """
    from phenviz.cli.worlds import open_with_reference
    from phenviz.saving import save
    from phenviz.service import ModelService

    opened = open_with_reference(world, reference)
    with ModelService(opened, device=device) as service:
        job = service.submit("risk", samples=samples or None, traits=traits or None, individuals=individuals)
        found = wait_for(job)
    for line in told(found):
        click.echo(line, err=True)
    for path in save(found, output):
        click.echo(path)


def told(found: xr.Dataset) -> list[str]:
    """Say whose scores they are, and what isn't known about the people."""
    attrs = found.attrs
    lines = [f"trained on {attrs['trained_on']}; not for clinical use"]
    for name, share, known in zip(
        found["trait"].values.tolist(), attrs["variants_found"], attrs["variants_known"], strict=True
    ):
        if share < 1:
            lines.append(
                f"note: {name}: {share:.1%} of the polygenic score's variants are in the genotypes; "
                f"{known - share:.1%} aren't listed where others are, and count as the reference's; "
                f"{1 - known:.1%} aren't covered, and count as average"
            )
    if attrs["coverage"]:
        lines.append(f"warning: {attrs['coverage']}; {attrs['genes_uncovered']:,} genes count as average")
    if attrs["genotypes_missing"]:
        lines.append(f"note: {attrs['genotypes_missing']:,} missing genotypes count as the reference allele")
    if attrs["skipped"]:
        lines.append(f"note: {attrs['skipped']:,} alleles can't be scored (symbolic, or on N)")
    return [*lines, *(f"note: of the file's records {line}" for line in attrs["left_out"])]

"""``phenviz ablate`` and ``phenviz marginalize``: what whole elements and motifs do."""

from __future__ import annotations

from pathlib import Path

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    reference_option,
    refuse_given,
    with_options,
    world_option,
)
from phenviz.cli.compute import compute, contexts_option
from phenviz.formats import suffixes_of


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of(""), context, parameter)


_output_option = click.option(
    "-o", "--output", required=True, metavar="OUT", callback=_check_output,
    help="Result file: .parquet (tidy table) .nc .zarr",
)  # fmt: skip
_seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the shuffles."
)
_where = with_options(_output_option, reference_option, world_option, device_option)


@click.command(cls=PhenvizCommand, epilog="LOCUS is a region (chr20:1,600,901-1,600,950), a gene or an rsID.")
@click.argument("loci", metavar="LOCUS...", nargs=-1, required=True)
@contexts_option
@click.option("--gene", metavar="G", help="Score the change of this gene's expression instead of activity.")
@click.option(
    "--by",
    type=click.Choice(["dinucleotide", "shuffle", "N"]),
    default="dinucleotide",
    show_default=True,
    help="Replace by shuffles that keep dinucleotides, by shuffles of the bases, or by unknown bases.",
)
@click.option("--shuffles", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@_seed_option
@_where
def ablate(
    loci: tuple[str, ...],
    contexts: tuple[str, ...],
    gene: str | None,
    by: str,
    shuffles: int,
    seed: int,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Take the meaning out of each LOCUS, one at a time, and score what changes."""
    if by == "N":
        refuse_given("shuffles", "seed", why="with --by N nothing is shuffled")
    how = {"contexts": list(contexts) or None, "gene": gene, "by": by, "n_shuffles": shuffles, "seed": seed}
    compute("ablate", output, reference, world, device, loci=loci, **how)


@click.command(
    cls=PhenvizCommand,
    epilog="MOTIF is the name (GATA1) or accession (MA0488.2) of a known one, bases (AGATAAGG), or bases "
    "under a name of yours (mine=AGATAAGG).",
)
@click.argument("motifs", metavar="MOTIF...", nargs=-1, required=True)
@contexts_option
@click.option(
    "--backgrounds", type=click.IntRange(2), default=100, show_default=True, metavar="N",
    help="Shuffled intervals of the genome that each motif is written into.",
)  # fmt: skip
@_seed_option
@_where
def marginalize(
    motifs: tuple[str, ...],
    contexts: tuple[str, ...],
    backgrounds: int,
    seed: int,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Write each MOTIF into many backgrounds, beside its own shuffles, and say what it adds by itself."""
    how = {"contexts": list(contexts) or None, "backgrounds": backgrounds, "seed": seed}
    compute("marginalize", output, reference, world, device, motifs=motifs, **how)

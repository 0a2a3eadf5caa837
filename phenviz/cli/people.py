"""Whose genome a command works on: the options about it, and the individual that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import with_options
from phenviz.errors import DataError, PhenvizError

if TYPE_CHECKING:
    from phenviz.genome import Locus
    from phenviz.variation import Haplotype, Individual, Individuals
    from phenviz.world import World


def check_unphased(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return one of the choices about unphased heterozygotes, however it is written."""
    from phenviz.variation import UNPHASED_CHOICES

    # a name with a blank needs quotes on a command line, so that a hyphen will do
    choice = value.lower().replace("-", " ")
    if choice not in UNPHASED_CHOICES:
        raise click.BadParameter("choose refuse, as-listed or random", context, parameter)
    return choice


sample_option = click.option(
    "--sample", metavar="S", help="Whose haplotypes; may be left out where there is one sample only."
)
phasing_options = with_options(
    click.option(
        "--unphased",
        metavar="[refuse|as-listed|random]",
        default="refuse",
        show_default=True,
        callback=check_unphased,
        help="What to do about heterozygotes whose phase the file doesn't know.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of --unphased random."
    ),
)


def individuals_of(vcf: str | None, world: World) -> Individuals:
    """Open the individuals of a file, or the world's own.

    Raises
    ------
    DataError
        If the file can't be read, or the world has none.
    """
    from phenviz.variation import open_individuals

    individuals = world.individuals if vcf is None else open_individuals(vcf, world.reference)
    if individuals is None:
        raise DataError(
            f"world {world.name!r} has no individuals: name a VCF, as in phenviz personal calls.vcf.gz ... "
            "or phenviz predict ... --vcf calls.vcf.gz"
        )
    return individuals


def individual_of(individuals: Individuals, sample: str | None) -> Individual:
    """Return the individual of a name; without one, the only individual.

    Raises
    ------
    PhenvizError
        If nobody has this name, or there are several and none is named.
    """
    if sample is not None:
        return individuals.individual(sample)
    names = individuals.samples["sample"].tolist()
    if len(names) > 1:
        raise PhenvizError(
            f"there are {len(names):,} samples ({', '.join(names[:3])} ...): choose one with --sample"
        )
    return individuals.individual(names[0])


def tell_about(pair: Sequence[Haplotype], bins_of: Locus | None = None) -> None:
    """Say on stderr what went into two haplotypes, and what didn't.

    Parameters
    ----------
    pair
        The haplotypes.
    bins_of
        Locus whose bins see them; None where they are sequences of their own.
    """
    where = f"that the bins of {bins_of} see" if bins_of is not None else f"in {pair[0].locus}"
    for haplotype in pair:
        click.echo(haplotype.describe(where if bins_of is not None else ""), err=True)
    if uncovered := pair[0].uncovered(bins_of):
        click.echo(f"warning: {uncovered}; both haplotypes are the reference's there", err=True)
    elif not any(haplotype.applied or haplotype.edits or haplotype.reasons for haplotype in pair):
        click.echo(
            f"note: {pair[0].sample} has no variant {where}: both haplotypes are the reference's", err=True
        )
    for line in pair[0].report.left_out():
        click.echo(f"note: of the file's records there {line}", err=True)

"""``phenviz personal``: the two haplotypes of one individual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import PhenvizCommand, device_option, reference_option, world_option
from phenviz.cli.compute import contexts_option
from phenviz.cli.tracks import TRACK_SUFFIXES, write_tracks
from phenviz.errors import DataError, PhenvizError

if TYPE_CHECKING:
    from phenviz.genome import Locus, ReferenceGenome
    from phenviz.variation import Individual, Individuals, Unphased
    from phenviz.world import World

_EPILOG = (
    "VCF is a VCF or BCF file, a PLINK 2 .pgen or a VCF Zarr store; left out, the individuals of the world "
    "(300 of the 1000 Genomes Project on chr20:1-4 Mb in the embedded one)."
)


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    from phenviz.results import check_suffix
    from phenviz.variation.fasta import FASTA_SUFFIXES

    try:
        check_suffix(value, (*FASTA_SUFFIXES, *TRACK_SUFFIXES))
    except PhenvizError as error:
        raise click.BadParameter(str(error), context, parameter) from error
    return Path(value)


def _check_unphased(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from phenviz.variation import UNPHASED_CHOICES

    # a name with a blank needs quotes on a command line, so that a hyphen will do
    choice = value.lower().replace("-", " ")
    if choice not in UNPHASED_CHOICES:
        raise click.BadParameter("choose refuse, as-listed or random", context, parameter)
    return choice


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.argument("vcf", required=False)
@click.option(
    "--sample", metavar="S", help="Whose haplotypes; may be left out where there is one sample only."
)
@click.option(
    "--locus", required=True, metavar="L", help="A gene, an rsID or a region: chr20:1,600,001-1,700,000."
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="Sequences: .fa .fasta .fna; tracks of both and the reference: .bw .bed .nc .zarr .parquet; "
    "a figure of them: .svg .pdf .png",
)
@contexts_option
@click.option(
    "--unphased",
    metavar="[refuse|as-listed|random]",
    default="refuse",
    show_default=True,
    callback=_check_unphased,
    help="What to do about heterozygotes whose phase the file doesn't know.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of --unphased random.")
@reference_option
@world_option
@device_option
def personal(
    vcf: str | None,
    sample: str | None,
    locus: str,
    output: Path,
    contexts: tuple[str, ...],
    unphased: Unphased,
    seed: int,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Write both haplotypes of an individual over a locus: their sequences, or their predicted activity."""
    if output.suffix.lower() in TRACK_SUFFIXES:
        _write_activity(vcf, sample, locus, output, contexts, unphased, seed, reference, world, device)
        return
    place, genome, individuals = _open(vcf, locus, reference, world)
    individual = _individual(individuals, sample)
    _write_sequences(individual, place, genome, output, unphased, seed)
    click.echo(output)


def _write_activity(
    vcf: str | None,
    sample: str | None,
    locus: str,
    output: Path,
    contexts: tuple[str, ...],
    unphased: Unphased,
    seed: int,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    from phenviz.cli.worlds import open_with_reference

    opened = open_with_reference(world, reference)
    individual = _individual(_individuals(vcf, opened), sample)
    written = write_tracks(
        opened, locus, individual, output,
        vcf=vcf, contexts=contexts, unphased=unphased, seed=seed, device=device,
    )  # fmt: skip
    for path in written:
        click.echo(path)


def _write_sequences(
    individual: Individual,
    locus: Locus,
    reference: ReferenceGenome,
    output: Path,
    unphased: Unphased,
    seed: int,
) -> None:
    from phenviz.variation.fasta import write_fasta

    pair = individual.haplotypes(locus, unphased=unphased, seed=seed)
    write_fasta(pair, output, assembly=reference.assembly)
    for note in individual.individuals.notes:
        click.echo(f"note: {note}", err=True)
    for haplotype in pair:
        click.echo(haplotype.describe(), err=True)


def _open(
    vcf: str | None, locus: str, reference: str | None, world: str | None
) -> tuple[Locus, ReferenceGenome, Individuals]:
    from phenviz.variation import open_individuals

    if vcf is not None and reference is not None and ":" in locus:
        # bases and a region need no world: any FASTA will do
        place, genome = _region(locus, reference)
        return place, genome, open_individuals(vcf, genome)
    from phenviz.cli.worlds import open_with_reference

    opened = open_with_reference(world, reference)
    return opened.locus(locus), opened.reference, _individuals(vcf, opened)


def _individuals(vcf: str | None, world: World) -> Individuals:
    from phenviz.variation import open_individuals

    individuals = world.individuals if vcf is None else open_individuals(vcf, world.reference)
    if individuals is None:
        raise DataError(
            f"world {world.name!r} has no individuals: name a VCF, phenviz personal calls.vcf.gz ..."
        )
    return individuals


def _region(locus: str, reference: str) -> tuple[Locus, ReferenceGenome]:
    from phenviz.data.cache import cache_dir
    from phenviz.genome import Locus, ReferenceGenome

    path = Path(reference).expanduser()
    genome = ReferenceGenome(path, assembly=path.name, cache_dir=cache_dir())
    return genome.check(Locus.parse(locus)), genome


def _individual(individuals: Individuals, sample: str | None) -> Individual:
    if sample is not None:
        return individuals.individual(sample)
    names = individuals.samples["sample"].tolist()
    if len(names) > 1:
        raise PhenvizError(
            f"there are {len(names):,} samples ({', '.join(names[:3])} ...): choose one with --sample"
        )
    return individuals.individual(names[0])

"""``phenviz personal``: the two haplotypes of one individual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import (
    FIGURE_SUFFIXES,
    PhenvizCommand,
    checked_output,
    device_option,
    reference_option,
    refuse_given,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.cli.expression import write_expression
from phenviz.cli.people import individual_of, individuals_of, phasing_options, sample_option, tell_about
from phenviz.cli.tracks import TRACK_SUFFIXES, write_tracks

if TYPE_CHECKING:
    from phenviz.genome import Locus, ReferenceGenome
    from phenviz.variation import Individual, Individuals, Unphased

_EPILOG = (
    "VCF is a VCF or BCF file, a PLINK 2 .pgen or a VCF Zarr store; left out, the individuals of the world "
    "(300 of the 1000 Genomes Project on chr20:1-4 Mb in the embedded one)."
)


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    from phenviz.variation.fasta import FASTA_SUFFIXES

    return checked_output(value, (*FASTA_SUFFIXES, *TRACK_SUFFIXES, ".tsv"), context, parameter)


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.argument("vcf", required=False)
@sample_option
@click.option("--locus", metavar="L", help="A gene, an rsID or a region: chr20:1,600,001-1,700,000.")
@click.option(
    "--gene",
    "genes",
    multiple=True,
    metavar="G",
    help="Write the expression of this gene instead of the tracks of a locus; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="Sequences: .fa .fasta .fna; tracks of both and the reference: .bw .bed .nc .zarr .parquet; "
    "a figure of them: .svg .pdf .png; with --gene expression, and its figure: .parquet .tsv .nc .zarr",
)
@contexts_option
@phasing_options
@reference_option
@world_option
@device_option
def personal(
    vcf: str | None,
    sample: str | None,
    locus: str | None,
    genes: tuple[str, ...],
    output: Path,
    contexts: tuple[str, ...],
    unphased: Unphased,
    seed: int,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Write both haplotypes of an individual: sequences, predicted activity, or expression of genes."""
    from phenviz.cli.worlds import open_with_reference
    from phenviz.variation.fasta import FASTA_SUFFIXES

    _check_what(output, locus, genes)
    if output.suffix.lower() in FASTA_SUFFIXES:
        refuse_given("contexts", why="sequences are the same in every cell type")
        place, genome, people = _open(vcf, locus, genes, reference, world)
        _write_sequences(individual_of(people, sample), place, genome, output, unphased, seed)
        click.echo(output)
        return
    opened = open_with_reference(world, reference)
    individual = individual_of(individuals_of(vcf, opened), sample)
    if locus is None:
        written = write_expression(
            opened, genes, individual.sample, output,
            vcf=vcf, contexts=contexts, unphased=unphased, seed=seed, device=device,
        )  # fmt: skip
    else:
        written = write_tracks(
            opened, locus, individual, output,
            contexts=contexts, unphased=unphased, seed=seed, device=device,
        )  # fmt: skip
    for path in written:
        click.echo(path)


def _check_what(output: Path, locus: str | None, genes: tuple[str, ...]) -> None:
    from phenviz.results.expression import EXPRESSION_SUFFIXES
    from phenviz.variation.fasta import FASTA_SUFFIXES

    suffix = output.suffix.lower()
    if locus is not None and genes:
        raise click.UsageError("--locus writes tracks and --gene expression: give one of them")
    if locus is None and not genes:
        raise click.UsageError("say what is written: --locus L, or --gene G for the expression of genes")
    if suffix in FASTA_SUFFIXES:
        if len(genes) > 1:
            raise click.UsageError(f"{output.name} holds the sequences of one locus: give one --gene")
    elif genes and suffix not in (*EXPRESSION_SUFFIXES, *FIGURE_SUFFIXES):
        raise click.UsageError(
            f"expression is one number per gene, which {output.name} can't hold: end its name with "
            f"{' '.join((*EXPRESSION_SUFFIXES, *FIGURE_SUFFIXES))}, or give --locus {genes[0]} for tracks"
        )
    elif locus is not None and suffix == ".tsv":
        raise click.UsageError(".tsv is for the expression of genes: give --gene, or write .parquet")


def _write_sequences(
    individual: Individual,
    locus: Locus,
    reference: ReferenceGenome,
    output: Path,
    unphased: Unphased,
    seed: int,
) -> None:
    from phenviz.variation.fasta import write_fasta

    individual.check_covered(locus)
    pair = individual.haplotypes(locus, unphased=unphased, seed=seed)
    write_fasta(pair, output, assembly=reference.assembly)
    for note in individual.individuals.notes:
        click.echo(f"note: {note}", err=True)
    tell_about(pair)


def _open(
    vcf: str | None, locus: str | None, genes: tuple[str, ...], reference: str | None, world: str | None
) -> tuple[Locus, ReferenceGenome, Individuals]:
    from phenviz.variation import open_individuals

    if vcf is not None and reference is not None and locus is not None and ":" in locus:
        # bases and a region need no world: any FASTA will do
        place, genome = _region(locus, reference)
        return place, genome, open_individuals(vcf, genome)
    from phenviz.cli.worlds import open_with_reference

    opened = open_with_reference(world, reference)
    name = opened.annotation.gene(genes[0]).name if locus is None else locus
    return opened.locus(name), opened.reference, individuals_of(vcf, opened)


def _region(locus: str, reference: str) -> tuple[Locus, ReferenceGenome]:
    from phenviz.data.cache import cache_dir
    from phenviz.genome import Locus, ReferenceGenome

    path = Path(reference).expanduser()
    genome = ReferenceGenome(path, assembly=path.name, cache_dir=cache_dir())
    return genome.check(Locus.parse(locus)), genome

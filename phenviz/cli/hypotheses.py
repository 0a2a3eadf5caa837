"""``phenviz hypotheses``: the cell types that traits act through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import (
    FIGURE_SUFFIXES,
    PhenvizCommandGroup,
    checked_output,
    device_option,
    progress_bar,
    reference_option,
    wait_for,
    with_options,
    world_option,
)
from phenviz.formats import suffixes_of

if TYPE_CHECKING:
    from phenviz.disease import TraitVariants
    from phenviz.progress import Progress
    from phenviz.world import World

DRAWINGS = ("heatmap", "bars", "forest", "slide")


def _check_output(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    return None if value is None else checked_output(value, suffixes_of("hypotheses"), context, parameter)


_input_options = with_options(
    click.option("--pack", "packs", multiple=True, metavar="NAME", help="Data pack: ukbb-blood-finemap..."),
    click.option(
        "--table", "tables", multiple=True, metavar="FILE", help="Fine-mapped variants of your own."
    ),
    click.option("--trait", "traits", multiple=True, metavar="T", help="Test this trait; may be repeated."),
)
_test_options = with_options(
    click.option(
        "--method",
        "methods",
        multiple=True,
        metavar="M",
        help="variant (default), sequence (all evidence of the sequence in one test), variant-specific, "
        "variant-relative, variant-signed, variant-activity, accessibility, gchromvar, overlap, "
        "overlap-remo, accessibility-rank, gene-expression, magma, scdrs and s-ldsc (these three read a "
        "whole study's summary statistics), control-shuffled, control-track-variance, "
        "control-random-weights, or all; may be repeated.",
    ),
    click.option("--context", "contexts", multiple=True, metavar="C", help="Keep this cell type or group."),
    click.option("--permutations", type=click.IntRange(100), default=10_000, show_default=True),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    click.option(
        "--prior",
        type=click.Choice(("flat", "effect")),
        default="flat",
        show_default=True,
        help="effect: within each locus, posteriors grow with the predicted effect over contexts.",
    ),
)


@click.group(cls=PhenvizCommandGroup, invoke_without_command=True)
@click.pass_context
@_input_options
@_test_options
@click.option(
    "--figure",
    type=click.Choice(DRAWINGS),
    default="heatmap",
    show_default=True,
    help="For .svg .pdf .png; slide is 16:9, the strongest pair.",
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    callback=_check_output,
    help="Result file: .parquet .nc .zarr .tsv (tested pairs only) .txt .svg .pdf .png",
)
@click.option(
    "--check",
    is_flag=True,
    help="Only say how the tables are read: what each is recognised as, each column, the first rows, counts.",
)
@reference_option
@world_option
@device_option
def hypotheses(
    context: click.Context,
    packs: tuple[str, ...],
    tables: tuple[str, ...],
    traits: tuple[str, ...],
    methods: tuple[str, ...],
    contexts: tuple[str, ...],
    permutations: int,
    seed: int,
    prior: str,
    figure: str,
    output: Path | None,
    check: bool,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Test through which cell types traits act, from their fine-mapped variants.

    The variants come from a data pack or a table: TSV, CSV, Parquet, Excel, or the output of PLINK, REGENIE,
    SAIGE, BOLT-LMM, METAL, SuSiE, FINEMAP, CAVIAR, PolyFun, PICS, GWAS-SSF, FinnGen... What was left out of
    it is said on stderr. `compare` tells how well the result agrees with what is known.
    """
    if context.invoked_subcommand is not None:
        return
    if not packs and not tables:
        raise click.UsageError("nothing to test: give --pack NAME or --table FILE")
    if output is None and not check:
        raise click.UsageError("Missing option '-o' / '--output'.")
    from phenviz.cli.worlds import open_with_reference
    from phenviz.disease import method_names, methods_paragraph, reservations
    from phenviz.saving import save
    from phenviz.service import ModelService

    opened = open_with_reference(world, reference)
    if check:
        _say_how_read(packs, tables, opened)
        return
    chosen = method_names() if "all" in methods else methods or ("variant",)
    with progress_bar() as progress:
        found = read_sources(packs, tables, traits, opened, progress, chosen)
    click.echo(found.report.describe(), err=True)
    with ModelService(opened, device=device) as service:
        job = service.submit(
            "hypotheses",
            source=found,
            method=chosen,
            contexts=contexts or None,
            permutations=permutations,
            seed=seed,
            prior=prior,
        )
        dataset = wait_for(job)
    assert output is not None
    save(dataset, output, **({"figure": figure} if output.suffix.lower() in FIGURE_SUFFIXES else {}))
    click.echo(methods_paragraph(dataset), err=True)
    for note in reservations(dataset):
        click.echo(f"note: {note}", err=True)
    click.echo(output)


def _say_how_read(packs: tuple[str, ...], tables: tuple[str, ...], world: World) -> None:
    """Print how each source is read; what a table was recognised as also where it is refused."""
    from phenviz.disease import read_trait_pack, read_trait_variants, recognise_table
    from phenviz.errors import DataError

    for name in packs:
        report = read_trait_pack(name, world.reference).report
        click.echo(f"{report.describe_reading()}\n{report.describe()}")
    for path in tables:
        try:
            report = read_trait_variants(path, world.reference).report
            click.echo(f"{report.describe_reading()}\n{report.describe()}")
        except DataError:
            click.echo(recognise_table(path).describe(Path(path).name))
            raise


def read_sources(
    packs: tuple[str, ...],
    tables: tuple[str, ...],
    traits: tuple[str, ...],
    world: World,
    progress: Progress,
    chosen: Sequence[str] = (),
) -> TraitVariants:
    """Read fine-mapped variants of packs and tables, of some traits or all, for the methods chosen."""
    from phenviz.disease import join_trait_variants, read_trait_pack, read_trait_variants
    from phenviz.disease.methods import methods

    known = methods()
    least = 0 if any(name in known and known[name].whole_study for name in chosen) else 1
    parts = [read_trait_pack(name, world.reference, progress=progress) for name in packs]
    parts += [
        read_trait_variants(path, world.reference, least_loci=least, progress=progress) for path in tables
    ]
    found = join_trait_variants(parts)
    return found.select(traits) if traits else found

"""``phenviz report``: one question, with figures, numbers, methods and limits, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    progress_bar,
    reference_option,
    refuse_given,
    wait_for,
    with_options,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.cli.people import phasing_options
from phenviz.errors import Cancelled

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.app.reports.make import Choices
    from phenviz.service import ModelService
    from phenviz.variation import Unphased

_EPILOG = (
    'WHAT is a gene or region (SIRPB1, chr20:1,600,001-1,601,000), a variant ("chr20:1,600,925 G>A", '
    "rs6116042), a person at a locus (HG00096@CDC25B), or a result of `phenviz hypotheses` (.nc .zarr "
    ".parquet); left out, the traits of --pack or --table are tested first. The file needs no other: it "
    "opens and prints anywhere. One on a person can be read by its owner alone."
)
# which options are about which kind of report
_OF_ONE = {
    "mutagenesis": ("locus", "of a locus alone are all bases changed"),
    "quantiles": (
        "variant",
        "effects are ranked among common variants in the report on a variant",
    ),
    "vcf": ("person", "a file of genotypes is looked at for a person: give WHAT as SAMPLE@LOCUS"),
    "unphased": ("person", "phase is a matter of a person: give WHAT as SAMPLE@LOCUS"),
    "packs": ("hypotheses", "fine-mapped variants are those of hypotheses"),
    "tables": ("hypotheses", "fine-mapped variants are those of hypotheses"),
    "trait": ("hypotheses", "traits are those of hypotheses"),
    "method": ("hypotheses", "methods are those of hypotheses"),
    "permutations": ("hypotheses", "draws are those of hypotheses"),
}


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, (".html",), context, parameter)


def _check_app(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from phenviz.app.reports.addresses import check_app
    from phenviz.errors import PhenvizError

    try:
        return check_app(value)
    except PhenvizError as error:
        raise click.BadParameter(str(error), context, parameter) from error


_hypotheses_options = with_options(
    click.option(
        "--pack", "packs", multiple=True, metavar="NAME", help="Fine-mapped variants of a data pack."
    ),
    click.option(
        "--table", "tables", multiple=True, metavar="FILE", help="Fine-mapped variants of your own."
    ),
    click.option(
        "--trait", default="", metavar="T", help="Trait to look at; by default the strongest pair's."
    ),
    click.option(
        "--method",
        default="",
        metavar="M",
        help="Method to look at, and to test by.  [default: sequence, or what was tested]",
    ),
    click.option("--permutations", type=click.IntRange(100), default=10_000, show_default=True),
)


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.argument("what", required=False)
@click.option("-o", "--output", required=True, metavar="OUT", callback=_check_output, help="Report: .html")
@contexts_option
@click.option(
    "--mutagenesis/--no-mutagenesis",
    default=None,
    help="Change every base of a locus to every other.  [default: where it has at most 1,000 bases]",
)
@click.option(
    "--quantiles/--no-quantiles",
    default=None,
    help="Rank a variant's effects among common variants.  [default: yes, but no with a global model]",
)
@click.option("--vcf", metavar="V", help="The person is a sample of this file, not one of the world's.")
@phasing_options
@_hypotheses_options
@click.option(
    "--app",
    default="http://localhost:5006/",
    show_default=True,
    metavar="URL",
    callback=_check_app,
    help="Dashboard that the report's links lead to.",
)
@reference_option
@world_option
@device_option
def report(
    what: str | None,
    output: Path,
    contexts: tuple[str, ...],
    mutagenesis: bool | None,
    quantiles: bool | None,
    vcf: str | None,
    unphased: Unphased,
    seed: int,
    packs: tuple[str, ...],
    tables: tuple[str, ...],
    trait: str,
    method: str,
    permutations: int,
    app: str,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Write all about a locus, a variant, a person or hypotheses as one HTML file."""
    from phenviz.app.reports.make import Choices, kind_of_report, make_report, write_report
    from phenviz.cli.worlds import open_with_reference
    from phenviz.service import ModelService

    if what is None and not packs and not tables:
        raise click.UsageError("say what the report is about: WHAT, or --pack NAME or --table FILE")
    kind = "hypotheses" if what is None else kind_of_report(what)
    for name, (of, why) in _OF_ONE.items():
        if kind != of:
            refuse_given(name, why=why)
    if kind not in ("person", "hypotheses"):
        refuse_given("seed", why="nothing is drawn at random")
    opened = open_with_reference(world, reference)
    choices = Choices(
        list(contexts) or None, app, mutagenesis, quantiles, vcf, unphased, seed, trait=trait, method=method
    )
    try:
        with ModelService(opened, device=device) as service:
            about: Any = what
            if kind == "hypotheses":
                about, choices = _hypotheses(service, what, choices, packs, tables, permutations)
            made = make_report(
                opened, lambda name, /, **how: wait_for(service.submit(name, **how)), about, choices
            )
            write_report(made, output)
    except KeyboardInterrupt:
        raise Cancelled("cancelled; no report was written") from None
    click.echo(output)
    if made.private:
        click.echo(f"note: {output} holds a person's genotypes: only you can read it", err=True)


def _hypotheses(
    service: ModelService,
    what: str | None,
    choices: Choices,
    packs: tuple[str, ...],
    tables: tuple[str, ...],
    permutations: int,
) -> tuple[str | xr.Dataset, Choices]:
    """Read the fine-mapped variants that are given, and test them unless there is a result already."""
    from dataclasses import replace

    from phenviz.cli.hypotheses import read_sources

    if what is not None:
        refuse_given("permutations", "seed", why="the result says how it was tested")
    if not packs and not tables:
        assert what is not None
        return what, choices
    with progress_bar() as progress:
        asked = (choices.method or "sequence",)
        found = read_sources(packs, tables, (), service.world, progress, asked)
    click.echo(found.report.describe(), err=True)
    chosen = replace(choices, source=packs[0] if packs and len(packs) + len(tables) == 1 else found)
    if what is not None:
        return what, chosen
    how: dict[str, Any] = {
        "permutations": permutations,
        "seed": choices.seed,
        "method": choices.method or "sequence",
    }
    return wait_for(service.submit("hypotheses", source=chosen.source, **how)), chosen

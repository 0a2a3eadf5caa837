"""``phenviz cohort hypotheses``: the cell types that a cohort's traits act through, by its people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.cohort import folder_argument, notes, tell
from phenviz.cli.cohort_risk import model_option, tokens_and_where
from phenviz.cli.common import FIGURE_SUFFIXES, PhenvizCommand, checked_output, progress_bar
from phenviz.cli.hypotheses import DRAWINGS
from phenviz.formats import suffixes_of

if TYPE_CHECKING:
    import xarray as xr


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of("hypotheses"), context, parameter)


@click.command(cls=PhenvizCommand)
@folder_argument
@model_option
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="Result file: .nc .zarr, .tsv and .parquet (with a second table of genes), .txt .svg .pdf .png",
)
@click.option(
    "--trait",
    "traits",
    multiple=True,
    metavar="T",
    help="Test this trait, or any column of numbers of the people's table; may be repeated.  [default: all "
    "that the model predicts]",
)
@click.option(
    "--variants",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Combine with what `phenviz hypotheses` wrote of the same traits (.nc .zarr .parquet).",
)
@click.option("--permutations", type=click.IntRange(100), default=10_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--figure", type=click.Choice(DRAWINGS), default="heatmap", show_default=True, help="For .svg .pdf .png"
)
@tokens_and_where
def hypotheses(
    folder: Path,
    model: Path,
    output: Path,
    traits: tuple[str, ...],
    variants: Path | None,
    permutations: int,
    seed: int,
    figure: str,
    tokens: Path | None,
    world: str | None,
    reference: str | None,
    device: str,
) -> None:
    """Test through which cell types a cohort's traits act, by its people.

    Each context is tested by predicted expression, in everybody, and by what it adds to the Phenformer's
    logit, in people who taught it nothing; given covariates, against labels permuted within each ancestry.
    """
    from phenviz.cli.worlds import open_with_reference
    from phenviz.disease import methods_paragraph, reservations
    from phenviz.disease.cohort.folder import TOKENS, open_cohort
    from phenviz.disease.cohort.saved import load_risk_model
    from phenviz.results import load
    from phenviz.saving import save
    from phenviz.service import ModelService
    from phenviz.service.cohort_hypotheses import cohort_hypotheses

    trained, others = load_risk_model(model), None if variants is None else load(variants)
    opened = open_with_reference(world, reference)
    found = open_cohort(folder, opened.reference)
    tell(found)
    with ModelService(opened, device=device) as service, progress_bar() as progress:
        dataset = cohort_hypotheses(
            service, found, trained, tokens or folder / TOKENS, traits=traits or None,
            permutations=permutations, seed=seed, variants=others, progress=progress,
        )  # fmt: skip
    written = save(
        dataset, output, **({"figure": figure} if output.suffix.lower() in FIGURE_SUFFIXES else {})
    )
    click.echo(methods_paragraph(dataset), err=True)
    notes(reservations(dataset))
    for line in _strongest(dataset):
        click.echo(line, err=True)
    for path in written:
        click.echo(path)


def _strongest(dataset: xr.Dataset) -> list[str]:
    """Say of each trait which context comes first, and which gene in it."""
    from phenviz.disease.cohort_methods import COHORT
    from phenviz.disease.files import gene_table
    from phenviz.disease.hypotheses import table_of

    table, genes = table_of(dataset), gene_table(dataset)
    assert genes is not None
    lines = []
    for name in dataset["trait"].values.astype(str)[:20]:
        own = table[(table["trait"] == name) & (table["method"] == COHORT)]
        if own.empty:
            continue
        first = own.iloc[0]
        gene = genes[(genes["trait"] == name) & (genes["context"] == first["context"])].iloc[0]
        lines.append(
            f"{name}: first {first['context']}, p {first['p_value']:.2g}, q {first['q_value']:.2g}; its "
            f"strongest gene {gene['gene']}, z {gene['z']:.1f}"
        )
    return lines

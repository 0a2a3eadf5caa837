"""``phenviz measured``: predicted expression beside the measured one, over people; and who has genotypes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    reference_option,
    scale_options,
    wait_for,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.cli.people import check_unphased
from phenviz.formats import suffixes_of

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.variation import Unphased

_EPILOG = (
    "Without --individuals, people are those of the world, in the embedded one with the 203 of data "
    "pack 1000g-eur203-chr20. Correlations are over people who were held out; what each column means stands "
    "in the result's attribute 'definition'. Nothing about a person is written or kept."
)

# genes with the strongest evidence that are said on stderr
_SHOWN = 5


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, suffixes_of("measured"), context, parameter)


_individuals_option = click.option(
    "--individuals",
    "individuals",
    multiple=True,
    metavar="VCF",
    help="Genotypes: VCF, BCF, PLINK 2 .pgen or VCF Zarr; several files with other people are one cohort.",
)
_panel_option = click.option(
    "--panel", metavar="TSV", help="Table of samples and their populations, of --individuals."
)


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.option(
    "--pack",
    metavar="NAME",
    help="Data pack of measured expression: geuvadis-junctions or lcl-rnaseq-counts.",
)
@click.option(
    "--table",
    metavar="TSV",
    help="Measured expression of your own, people x genes or genes x people, in any unit.",
)
@_individuals_option
@_panel_option
@click.option(
    "--names", metavar="TSV", help="Two columns: a person's name in the table, and among the genotypes."
)
@click.option("--gene", "genes", multiple=True, metavar="G", help="Judge this gene only; may be repeated.")
@contexts_option
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    callback=_check_output,
    help="One row per gene, context, method and split: .tsv .parquet .nc .zarr; .svg .pdf .png draw them.",
)
@click.option(
    "--unphased",
    metavar="[refuse|as-listed|random]",
    default="as-listed",
    show_default=True,
    callback=check_unphased,
    help="What to do about heterozygotes whose phase the file doesn't know.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@scale_options
@reference_option
@world_option
@device_option
def measured(
    pack: str | None,
    table: str | None,
    individuals: tuple[str, ...],
    panel: str | None,
    names: str | None,
    genes: tuple[str, ...],
    contexts: tuple[str, ...],
    output: Path,
    unphased: Unphased,
    seed: int,
    scheduler: str,
    shard: tuple[int, int] | None,
    shards_at: str | None,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Judge predicted expression by what was measured in people, beside elastic net and the top variant."""
    from phenviz.cli.scale import Sharding, result_in_shards
    from phenviz.cli.worlds import open_with_reference
    from phenviz.data.expression_table import read_names
    from phenviz.data.packs import find_pack
    from phenviz.results.measured import without_people
    from phenviz.saving import save
    from phenviz.service import ModelService

    if (pack is None) == (table is None):
        raise click.UsageError("give what was measured: either --pack NAME, or --table TSV of your own")
    if panel is not None and not individuals:
        raise click.UsageError("leave --panel out: it is the table of populations of --individuals")
    if pack is not None:
        find_pack(pack)
    opened = open_with_reference(world, reference)
    source = pack if pack is not None else _absolute(str(table))
    how: dict[str, Any] = {
        "genes": genes or None, "individuals": tuple(map(_absolute, individuals)),
        "panel": panel and _absolute(panel), "contexts": contexts or None, "unphased": unphased, "seed": seed,
    }  # fmt: skip
    aliases = {} if names is None else read_names(names)
    scale = Sharding(scheduler, shard, shards_at)
    if scale.wanted:
        from phenviz.distributed.measured_people import MeasuredTask
        from phenviz.distributed.world_address import WorldAddress

        task = MeasuredTask(
            WorldAddress.of(opened), source, names=tuple(sorted(aliases.items())), **how, device=device
        )
        done = result_in_shards(task, task.open(opened), output, scale, opened)
        if done is None:
            return
        dataset, files = done
    else:
        with ModelService(opened, device=device) as service:
            dataset = wait_for(service.submit("measured", source=source, names=aliases, **how))
        files = save(without_people(dataset), output)
    _tell(dataset)
    for path in files:
        click.echo(path)


def _absolute(path: str) -> str:
    # workers may run elsewhere
    return str(Path(path).expanduser().absolute())


def _tell(dataset: xr.Dataset) -> None:
    """Say on stderr what was measured, and the strongest rows."""
    from phenviz.results.measured import by_evidence

    attrs = dataset.attrs
    click.echo(f"{attrs['measured']}: {attrs['about']}", err=True)
    for note in filter(None, str(attrs["notes"]).split("; ")):
        click.echo(f"note: {note}", err=True)
    context = str(dataset["context"].values[0])
    methods = [str(name) for name in dataset["method"].values]
    for _, row in by_evidence(dataset, context).head(_SHOWN).iterrows():
        found = ", ".join(f"{name} {row[name]:+.2f}" for name in methods if row[name] == row[name])
        click.echo(
            f"{row['gene']} ({row['feature']}), {context}, {row['people']:,} people: {found}", err=True
        )


@click.command(cls=PhenvizCommand)
@_individuals_option
@_panel_option
@click.option(
    "-o", "--output", metavar="OUT", help="Write the list of people as .tsv instead of counting them."
)
@world_option
def individuals(
    individuals: tuple[str, ...], panel: str | None, output: str | None, world: str | None
) -> None:
    """Count or list the people whose genotypes are known, and in which data packs they were measured."""
    from phenviz.data.measured_expression import MEASURED_PACKS, read_measured_pack
    from phenviz.data.packs import has_pack
    from phenviz.results.writing import write_table
    from phenviz.service.measured import open_cohort
    from phenviz.world import open_world

    cohort = open_cohort(open_world(world), individuals, panel)
    table = cohort.samples.copy()
    file_of = {sample: source.path.name for source in cohort.sources for sample in source.samples}
    table["file"] = table["sample"].map(file_of)
    for name in MEASURED_PACKS:
        if not has_pack(name):
            click.echo(f"note: data pack {name} isn't here: `phenviz data fetch {name}` brings it", err=True)
            continue
        found = read_measured_pack(name)
        of_pack = dict(zip(found.people, found.populations, strict=True))
        table[name] = table["sample"].isin(of_pack).map({True: "measured", False: ""})
        known = table["sample"].map(of_pack)
        table["population"] = table["population"].where(table["population"].ne("") | known.isna(), known)
    if output is not None:
        click.echo(write_table(Path(output), table))
        return
    for name, rows in table.groupby("file", sort=False):
        counts = ", ".join(
            f"{len(part):,} {origin or 'of unknown population'}"
            for origin, part in rows.groupby("population")
        )
        click.echo(f"{name}: {len(rows):,} people ({counts})")
    for name in MEASURED_PACKS:
        if name in table:
            click.echo(f"measured in {name}: {int(table[name].eq('measured').sum()):,}")

"""``phenviz variants``: effects of the variants of a file, in every cell type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import (
    FIGURE_SUFFIXES,
    PhenvizCommand,
    checked_output,
    device_option,
    progress_bar,
    reference_option,
    refuse_given,
    scale_options,
    with_options,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.errors import DataError, PhenvizError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from phenviz.cli.scale import Sharding
    from phenviz.progress import Progress
    from phenviz.service import ModelService
    from phenviz.variation import VariantReport
    from phenviz.world import World

_SECONDS_BETWEEN_LOOKS = 0.1
_EPILOG = (
    "VARIANTS is a VCF or BCF file, a PLINK 2 .pgen, a VCF Zarr store, a table (.tsv, .csv or .parquet with "
    "the columns contig, position, ref and alt), or one variant as text: chr20:1,600,925 G>A, or an rsID of "
    "the world's individuals. What was finished is kept: after an interruption the same command goes on from "
    "there; but of a file with genotypes, which is about people, nothing is kept beside OUT."
)


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    from phenviz.effects.annotate import VCF_SUFFIXES
    from phenviz.results.variants import TABLE_SUFFIXES, table_suffix

    path = Path(value)
    known = (*VCF_SUFFIXES, *TABLE_SUFFIXES, *FIGURE_SUFFIXES)
    if table_suffix(path) is None and not path.name.lower().endswith((*VCF_SUFFIXES, *FIGURE_SUFFIXES)):
        raise click.BadParameter(f"end the name {path.name} with {' '.join(known)}")
    return checked_output(value, (path.suffix.lower(),), context, parameter)


@click.command(cls=PhenvizCommand, epilog=_EPILOG)
@click.argument("variants", metavar="VARIANTS")
@contexts_option
@click.option("--gene", metavar="G", help="Score the change of this gene's expression instead of activity.")
@click.option(
    "--expression",
    is_flag=True,
    help="Score the change of expression of every gene in reach, in each tissue: one line for each variant "
    "and gene. OUT is .tsv .parquet .nc .zarr or a figure.",
)
@click.option(
    "--quantiles/--no-quantiles",
    default=None,
    help="Rank each effect among common variants of the world's individuals, which are scored once for it.  "
    "[default: yes, but no with a model that sees its whole window at once]",
)
@with_options(
    click.option(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        callback=_check_output,
        help="Annotated VCF: .vcf .vcf.gz; tables: .parquet .tsv .tsv.gz; whole result: .nc .zarr .h5ad; "
        "figure of the strongest: .svg .pdf .png",
    ),
    scale_options,
    reference_option,
    world_option,
    device_option,
)
def variants(
    variants: str,
    contexts: tuple[str, ...],
    gene: str | None,
    expression: bool,
    quantiles: bool | None,
    output: Path,
    scheduler: str,
    shard: tuple[int, int] | None,
    shards_at: str | None,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Score what each variant changes in each cell type or tissue."""
    from phenviz.cli.scale import Sharding
    from phenviz.cli.worlds import open_with_reference
    from phenviz.effects import join_scores
    from phenviz.results.variants import table_suffix, variants_file
    from phenviz.service import ModelService

    if expression:
        _check_table(output)
        refuse_given("quantiles", why="changes of expression aren't ranked among common variants")
    opened = open_with_reference(world, reference)
    if (scale := Sharding(scheduler, shard, shards_at)).wanted:
        if quantiles:
            refuse_given("quantiles", why="in shards, effects aren't ranked among common variants")
        _in_shards(variants, output, scale, opened, contexts, gene, device, expression=expression)
        return
    with ModelService(opened, device=device) as service, progress_bar() as progress:
        how = {"contexts": list(contexts) or None, "gene": gene, "private": _about_people(variants)}
        how |= {"quantiles": quantiles}
        scorer = _Scorer(service, progress, how)
        if expression:
            _write_expression(variants, output, scorer)
        elif output.suffix.lower() in FIGURE_SUFFIXES:
            _draw(variants, output, scorer)
        elif table_suffix(output) is None:
            _annotate(variants, output, scorer)
        else:
            with variants_file(output, join_scores) as append:
                for table in _tables(variants, scorer):
                    append(scorer(table))
    for line in scorer.notes():
        click.echo(line, err=True)
    click.echo(output)


class _Counts:
    """What became of the records of a file that were read so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.report: VariantReport | None = None

    def notes(self) -> list[str]:
        """Say it in lines."""
        return [] if self.report is None else self.report.describe().splitlines()


class _Scorer(_Counts):
    """Scores one table after another as jobs of a service, behind one progress bar."""

    def __init__(self, service: ModelService, progress: Progress, how: dict[str, Any]) -> None:
        super().__init__(service.world)
        self._service, self._progress, self._how = service, progress, how
        self._done = 0
        self._counts: dict[str, int] = {}

    def __call__(self, table: pd.DataFrame) -> xr.Dataset:
        result = self._computed("variant_effects", table, self._how)
        for status in result["status"].values:
            self._counts[str(status)] = self._counts.get(str(status), 0) + 1
        return result

    def expression(self, table: pd.DataFrame) -> xr.Dataset:
        """Score what variants change in the expression of the genes in reach."""
        how = {name: value for name, value in self._how.items() if name not in ("gene", "quantiles")}
        genes = [self._how["gene"]] if self._how["gene"] else None
        result = self._computed("expression_effects", table, how | {"genes": genes})
        for told in filter(None, str(result.attrs.get("skipped", "")).split(", ")):
            count, reason = told.split(" ", 1)
            self._counts[reason] = self._counts.get(reason, 0) + int(count.replace(",", ""))
        return result

    def _computed(self, kind: str, table: pd.DataFrame, how: dict[str, Any]) -> xr.Dataset:
        job = self._service.submit(kind, variants=table, **how)
        self._progress.stage(f"{self._done:,} variants scored, {len(table):,} more")
        before = 0.0
        while not job.wait(_SECONDS_BETWEEN_LOOKS):
            self._progress.advance(job.progress - before)
            before = job.progress
        result = job.result()
        self._done += len(table)
        return result

    @property
    def scored(self) -> int:
        """Variants that have an effect, so far."""
        return self._counts.get("scored", 0)

    def notes(self) -> list[str]:
        """Say what became of the records, and what couldn't be scored."""
        return [*super().notes(), *_not_scored(self._counts)]


def _in_shards(
    source: str,
    output: Path,
    scale: Sharding,
    opened: World,
    contexts: tuple[str, ...],
    gene: str | None,
    device: str,
    *,
    expression: bool,
) -> None:
    from phenviz.cli.scale import variants_in_shards
    from phenviz.results.variants import table_suffix

    if expression or table_suffix(output) is None or not Path(source).expanduser().exists():
        raise click.UsageError(
            "with --scheduler, --shard or --shards-at, VARIANTS is a file, OUT is a table (.parquet .tsv "
            ".tsv.gz .nc .zarr .h5ad), and --expression is left out"
        )
    counts = _Counts(opened)
    told = variants_in_shards(
        opened, Path(source).expanduser().absolute(), output, scale, device, contexts or None, gene,
        lambda: _tables(source, counts), counts.notes,
    )  # fmt: skip
    if told is None:
        return
    lines, statuses = told
    for line in (*lines, *_not_scored(statuses)):
        click.echo(line, err=True)
    click.echo(output)


def _not_scored(counts: dict[str, int]) -> list[str]:
    return [
        f"{count:,} variants not scored: {status}" for status, count in counts.items() if status != "scored"
    ]


def _about_people(source: str) -> bool:
    """Tell whether a source is a file that holds genotypes, and not only sites."""
    from phenviz.variation.sources import open_source
    from phenviz.variation.table_file import is_table

    path = Path(source).expanduser()
    return path.exists() and not is_table(path) and bool(open_source(path).samples)


def _annotate(source: str, output: Path, scorer: _Scorer) -> None:
    from phenviz.effects.annotate import annotate_vcf
    from phenviz.variation.sources import open_source
    from phenviz.variation.vcf import VcfSource

    if not Path(source).exists() or not isinstance(open_source(source), VcfSource):
        raise DataError(
            f"{source} is no VCF or BCF file, so {output.name} can't hold its records with their effects: "
            "write .parquet or .tsv"
        )
    scorer.report = annotate_vcf(source, output, scorer.world.reference, scorer)


def _check_table(output: Path) -> None:
    from phenviz.results.expression_effects import EXPRESSION_EFFECTS_SUFFIXES

    known = (*EXPRESSION_EFFECTS_SUFFIXES, *FIGURE_SUFFIXES)
    if output.suffix.lower() not in known:
        raise click.UsageError(
            f"with --expression, {output.name} takes one line for each variant and gene: end its name with "
            f"{' '.join(known)}"
        )


def _write_expression(source: str, output: Path, scorer: _Scorer) -> None:
    import numpy as np

    from phenviz.effects import join_expression
    from phenviz.saving import save

    parts, rows, read = [], [], 0
    for table in _tables(source, scorer):
        parts.append(scorer.expression(table))
        rows.append(np.arange(read, read + len(table)))
        read += len(table)
    found = join_expression(parts, rows)
    if not found.sizes["pair"]:
        click.echo("note: no gene is within reach of a variant", err=True)
    save(found, output)


def _draw(source: str, output: Path, scorer: _Scorer) -> None:
    """Draw the strongest variants; no more of them than are drawn are kept."""
    from phenviz.effects import join_scores
    from phenviz.figures import variants_figure
    from phenviz.figures.variants import strongest_variants

    best: list[xr.Dataset] = []
    for table in _tables(source, scorer):
        scores = scorer(table)
        if "scored" in scores["status"].values:
            best = [strongest_variants(join_scores([*best, scores]))]
    if not best:
        told = "; ".join(scorer.notes()) or "there is none"
        raise DataError(f"no variant of {source} could be scored ({told}): there is nothing to draw")
    variants_figure(best[0], total=scorer.scored).save(output)


def _tables(source: str, scorer: _Counts) -> Iterator[pd.DataFrame]:
    """Yield tables of variants, at least one."""
    from phenviz.effects.annotate import CHUNK
    from phenviz.variation import VariantReport, iter_variants
    from phenviz.variation.read import empty_table
    from phenviz.variation.rsids import read_pasted
    from phenviz.variation.table_file import is_table, iter_table

    reference, path = scorer.world.reference, Path(source).expanduser()
    if not path.exists():
        if ":" not in source and path.suffix:
            raise DataError(f"{source} is missing: check the path of the file")
        try:
            found = read_pasted(source, scorer.world.project.individuals, reference)
        except PhenvizError as error:
            raise DataError(f"{source} is no file, and as text: {error}") from error
        # of what was typed, only what is missing needs telling
        scorer.report = found.report if found.report.skipped else None
        yield found.table
        return
    if is_table(path):
        yield from iter_table(path, CHUNK)
        return
    for found in iter_variants(path, reference, chunk=CHUNK):
        scorer.report = found.report
        yield found.table
    if scorer.report is None:
        scorer.report = VariantReport(source=source)
        yield empty_table()

"""``phenviz train personal``: fine-tune a gene readout on people whose expression was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import PhenvizCommand, device_option, progress_bar, world_option
from phenviz.cli.people import check_unphased
from phenviz.cli.train import weights_option
from phenviz.errors import DataError, ModelError

if TYPE_CHECKING:
    from phenviz.effects.measured.personal import GeneOfPeople
    from phenviz.variation import Unphased


@click.command(cls=PhenvizCommand)
@weights_option
@click.option("--pack", metavar="NAME", help="Data pack of measured expression, as for `phenviz measured`.")
@click.option("--table", metavar="TSV", help="Measured expression of your own, as for `phenviz measured`.")
@click.option(
    "--individuals", "individuals", multiple=True, metavar="VCF", help="Genotypes, as for `phenviz measured`."
)
@click.option("--panel", metavar="TSV", help="Table of samples and their populations, of --individuals.")
@click.option("--gene", "genes", multiple=True, metavar="G", help="Learn from this gene; may be repeated.")
@click.option(
    "--context", metavar="C", help="Which output is fine-tuned; that of the measured cells by default."
)
@click.option(
    "--difference",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="WEIGHT",
    help="Weight of the loss of differences between people, beside that of each gene's mean.",
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
@device_option
@world_option
def personal(
    output: Path,
    pack: str | None,
    table: str | None,
    individuals: tuple[str, ...],
    panel: str | None,
    genes: tuple[str, ...],
    context: str | None,
    difference: float,
    unphased: Unphased,
    seed: int,
    device: str,
    world: str | None,
) -> None:
    """Fine-tune the last layer of the gene readout on people, judged on unseen people and on unseen genes.

    The weights hold what was learned from everybody; the figures in NAME.json are of people and genes that
    were left out.
    """
    from phenviz.data.model_terms import require_training
    from phenviz.effects.measured.people import measured_genes
    from phenviz.effects.measured.personal_genes import genes_of_people
    from phenviz.service.device import PlacedWorld, pick_device
    from phenviz.service.measured import context_of_cells, pair_measured
    from phenviz.world import open_world

    if (pack is None) == (table is None):
        raise click.UsageError("give what was measured: either --pack NAME, or --table TSV of your own")
    opened = open_world(world)
    require_training(opened.project)
    if opened.readout is None:
        raise ModelError(
            f"world {opened.name!r} has no gene readout to fine-tune: set 'readout' in its project.yaml"
        )
    people = pair_measured(opened, str(pack or table), individuals, panel)
    name = context if context is not None else context_of_cells(opened, people)
    if name is None:
        raise click.UsageError("--context is needed: which output of the readout are these cells?")
    name = opened.readout.contexts[opened.readout.select([name])[0]].name
    measured = measured_genes(people, opened.annotation)
    chosen = [opened.annotation.key_of(opened.annotation.gene(gene)) for gene in genes] or measured
    if missing := [gene for gene in chosen if gene not in measured]:
        click.echo(f"note: not measured in enough people, and left out: {', '.join(missing)}", err=True)
    chosen = [gene for gene in chosen if gene in measured]
    placed: Any = PlacedWorld(opened, pick_device(device))
    with progress_bar() as progress:
        readout = placed.readout.covering([name])
        found = genes_of_people(
            people, chosen, opened.annotation, opened.reference, placed.backbone, readout,
            unphased=unphased, seed=seed, progress=progress,
        )  # fmt: skip
    if not found:
        raise DataError("no gene's expression was measured, only inclusion of exons: give other data")
    _fit_and_write(output, readout, name, found, people, difference, seed)


def _fit_and_write(
    output: Path,
    readout: Any,
    context: str,
    genes: list[GeneOfPeople],
    people: Any,
    difference: float,
    seed: int,
) -> None:
    import numpy as np

    from phenviz.effects.measured.personal import (
        choose_penalty,
        fit_last_layer,
        judge_last_layer,
        mean_with_interval,
    )
    from phenviz.effects.measured.personal_genes import last_layer_of, with_last_layer
    from phenviz.models.readout import save_readout

    start = last_layer_of(readout, context)
    judged = judge_last_layer(genes, people.populations, start, weight_of_difference=difference, seed=seed)
    figures = {name: dict(mean_with_interval(one["correlation"])) for name, one in judged.items()}
    for name, figure in figures.items():
        click.echo(
            f"{name}: mean correlation over people {figure['mean']:+.3f} "
            f"[{figure['low']:+.3f}, {figure['high']:+.3f}], {figure['genes']} genes"
        )
    everybody = np.arange(len(people.populations))
    penalty = choose_penalty(genes, everybody, start, difference, np.random.default_rng(seed))
    layer = fit_last_layer(genes, everybody, start, penalty=penalty, weight_of_difference=difference)
    tuned = with_last_layer(readout, context, layer)
    card = {
        "fine_tuned": {
            "from": readout.weights_hash,
            "context": context,
            "measured": people.measured.title,
            "about": people.measured.about,
            "people": len(people.names),
            "genes": [gene.name for gene in genes],
            "penalty": penalty,
            "weight_of_difference": difference,
            "correlation_over_people": figures,
        }
    }
    save_readout(tuned, output, card)
    click.echo(output)

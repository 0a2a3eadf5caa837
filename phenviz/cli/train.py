"""``phenviz train``: train the models of a world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import PhenvizGroup, progress_bar, with_options, world_option
from phenviz.errors import DataError, LocusError, ModelError

if TYPE_CHECKING:
    from phenviz.genome import Locus

_EMBEDDED_COUNTS = ("blood16-rna", "16populations_RNAcounts.txt")


class _Region(click.ParamType):
    """A part of a contig, in coordinates."""

    name = "region"

    def convert(self, value: str | Locus, param: click.Parameter | None, ctx: click.Context | None) -> Locus:
        """Read ``chr20:8,000,001-12,000,000``."""
        from phenviz.genome.locus import Locus

        try:
            return Locus.parse(value) if isinstance(value, str) else value
        except LocusError as error:
            self.fail(str(error), param, ctx)


def _check_weights_name(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    path = Path(value)
    if path.suffix != ".safetensors":
        raise click.BadParameter(f"{value} doesn't end in .safetensors", context, parameter)
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"folder {path.parent} doesn't exist: make it first", context, parameter)
    if path.is_dir():
        raise click.BadParameter(f"{value} is a folder: choose another name", context, parameter)
    return path


_weights_option = click.option(
    "-o",
    "--output",
    required=True,
    metavar="NAME.safetensors",
    callback=_check_weights_name,
    help="Weights file; its card goes to NAME.json.",
)
_held_out_options = with_options(
    click.option(
        "--validation",
        type=_Region(),
        default="chr20:8,000,001-12,000,000",
        show_default=True,
        metavar="REGION",
        help="Never learnt from.",
    ),
    click.option(
        "--test",
        "test_region",
        type=_Region(),
        default="chr20:36,000,001-48,000,000",
        show_default=True,
        metavar="REGION",
        help="Never learnt from, nor looked at for a choice.",
    ),
)


@click.group(cls=PhenvizGroup)
def train() -> None:
    """Train the models of a world."""


@train.command()
@_weights_option
@_held_out_options
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the data of each run.")
@click.option(
    "--teachers", type=click.IntRange(0), metavar="N", help="Networks whose mean is learnt; 0: none."
)
@click.option("--seed", type=int, metavar="N", help="Of everything random.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on from the last epoch.")
@world_option
def backbone(
    output: Path,
    validation: Locus,
    test_region: Locus,
    epochs: int | None,
    teachers: int | None,
    seed: int | None,
    restart: bool,
    world: str | None,
) -> None:
    """Train a sequence model on the world's observed peaks, on one contig.

    Goes on where it was interrupted; the log of losses and metrics lies in NAME.training.
    """
    from phenviz.models.training import default_config, train_backbone
    from phenviz.world import open_world

    if validation.contig != test_region.contig:
        raise click.UsageError("--validation and --test lie on different contigs: training takes one")
    opened = open_world(world)
    contig = opened.reference.resolve_contig(validation.contig)
    elements = opened.annotation.elements
    changes = {
        "contig": contig,
        "validation": (validation.start, validation.end),
        "test": (test_region.start, test_region.end),
        "epochs": epochs,
        "student_epochs": epochs,
        "teachers": teachers,
        "seed": seed,
    }
    with progress_bar() as progress:
        written = train_backbone(
            output,
            peaks=opened.project.peak_files(),
            contexts=opened.contexts,
            reference=opened.reference,
            motifs=opened.project.motifs,
            elements=None if elements is None else elements[elements["contig"] == contig],
            config=default_config(**{key: value for key, value in changes.items() if value is not None}),
            resume=not restart,
            progress=progress,
        )
    click.echo(written)


@train.command()
@_weights_option
@_held_out_options
@click.option(
    "--counts", metavar="TSV", help="Read counts, genes x contexts; data pack blood16-rna by default."
)
@world_option
def readout(
    output: Path, validation: Locus, test_region: Locus, counts: str | None, world: str | None
) -> None:
    """Train the gene readout (bins round a gene's start to its expression) for the world's backbone."""
    from phenviz.data.blood16 import BLOOD16_RNA
    from phenviz.data.packs import require_pack
    from phenviz.models.local import LocalBackbone
    from phenviz.models.readout_training import train_readout
    from phenviz.world import open_world

    opened = open_world(world)
    if not isinstance(backbone := opened.backbone, LocalBackbone):
        raise ModelError(
            f"{backbone.name} is a published model: a readout is trained for a backbone of one's own, so "
            "name a 'checkpoint' in the project.yaml"
        )
    if counts is None and world is not None:
        raise DataError(f"world {opened.name!r} needs read counts of its own: give them with --counts TSV")
    with progress_bar() as progress:
        train_readout(
            output,
            counts=counts if counts is not None else require_pack(*_EMBEDDED_COUNTS),
            annotation=opened.annotation,
            reference=opened.reference,
            backbone=backbone,
            contexts=BLOOD16_RNA if world is None else opened.contexts,
            held_out={
                "validation": (validation.start, validation.end),
                "test": (test_region.start, test_region.end),
            },
            progress=progress,
        )
    click.echo(output)

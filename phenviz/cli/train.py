"""``phenviz train``: train the models of a world."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phenviz.cli.common import PhenvizGroup, device_option, progress_bar, with_options, world_option
from phenviz.errors import DataError, LocusError
from phenviz.progress import Progress

if TYPE_CHECKING:
    from phenviz.genome import ReferenceGenome

_EMBEDDED_COUNTS = ("blood16-rna", "16populations_RNAcounts.txt")
_EMBEDDED_HELD_OUT = {"validation": "chr20:8,000,001-12,000,000", "test": "chr20:36,000,001-48,000,000"}
# a line of progress where there is no terminal to draw a bar on
_SECONDS_BETWEEN_LINES = 30.0

# as written: a contig alone, or with its first and last base, 0-based half-open
Written = tuple[str, int | None, int | None]


class _Regions(click.ParamType):
    """Parts of contigs, in coordinates, or whole contigs, separated by commas."""

    name = "regions"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Written, ...]:
        """Read ``chr20:8,000,001-12,000,000,chr21``."""
        from phenviz.genome.locus import Locus

        if not isinstance(value, str):
            return value
        found: list[Written] = []
        for text in split_regions(value):
            if not re.search(r"[:\s]", text):
                found.append((text, None, None))
                continue
            try:
                locus = Locus.parse(text)
            except LocusError as error:
                self.fail(str(error), param, ctx)
            found.append((re.split(r"[:\s]", text, maxsplit=1)[0], locus.start, locus.end))
        return tuple(found)


def split_regions(text: str) -> list[str]:
    """Split a list of regions at its commas, but not at those within numbers (``chr1:1,000-2,000``)."""
    parts: list[str] = []
    for part in text.split(","):
        within = parts and ":" in parts[-1] and re.fullmatch(r"\s*\d{3}(\D.*)?", part)
        if within:
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return [part.strip() for part in parts if part.strip()]


def _check_weights_name(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    path = Path(value)
    if path.suffix != ".safetensors":
        raise click.BadParameter(f"{value} doesn't end in .safetensors", context, parameter)
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"folder {path.parent} doesn't exist: make it first", context, parameter)
    if path.is_dir():
        raise click.BadParameter(f"{value} is a folder: choose another name", context, parameter)
    return path


weights_option = click.option(
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
        type=_Regions(),
        metavar="REGIONS",
        help="Never learnt from: regions and whole contigs, separated by commas (chr8,chr9:1-20M).  "
        f"[default: {_EMBEDDED_HELD_OUT['validation']} of the embedded world]",
    ),
    click.option(
        "--test",
        type=_Regions(),
        metavar="REGIONS",
        help="Never learnt from, nor looked at for a choice.  "
        f"[default: {_EMBEDDED_HELD_OUT['test']} of the embedded world]",
    ),
)


@click.group(cls=PhenvizGroup)
def train() -> None:
    """Train the models of a world."""


@train.command()
@weights_option
@_held_out_options
@click.option(
    "--contigs",
    metavar="NAMES",
    help="Contigs to learn from, separated by commas; those with peaks by default.",
)
@click.option("--name", metavar="NAME", help="Name of the model; that of the weights file by default.")
@click.option(
    "--from",
    "start",
    metavar="CHECKPOINT",
    help="Begin from this backbone: its layers, and its outputs of the contexts that stay.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the data of each run.")
@click.option(
    "--teachers", type=click.IntRange(0), metavar="N", help="Networks whose mean is learnt; 0: none."
)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), metavar="RATE", help="Largest step."
)
@click.option("--seed", type=int, metavar="N", help="Of everything random.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on from the last epoch.")
@device_option
@world_option
def backbone(
    output: Path,
    validation: tuple[Written, ...] | None,
    test: tuple[Written, ...] | None,
    contigs: str | None,
    name: str | None,
    start: str | None,
    epochs: int | None,
    teachers: int | None,
    learning_rate: float | None,
    seed: int | None,
    restart: bool,
    device: str,
    world: str | None,
) -> None:
    """Train a sequence model on the world's peaks, coverage and measured sequences.

    Goes on where it was interrupted; the log of losses and figures for each context lies in NAME.training,
    with a picture of it.
    """
    from phenviz.data.model_terms import refuse_training, terms_of_file
    from phenviz.models.checkpoint import load_backbone
    from phenviz.models.training import default_config, train_backbone
    from phenviz.service.device import pick_device
    from phenviz.world import open_world

    opened = open_world(world)
    project = opened.project
    if start is not None:
        refuse_training(Path(start), terms_of_file(Path(start)))
    held_out = _held_out(validation, test, opened.reference, world)
    peaks = project.peak_files() if project.peaks or not (project.coverage or project.sequences) else {}
    changes = {
        "name": name or output.stem,
        "contigs": _names(contigs),
        "validation": held_out["validation"],
        "test": held_out["test"],
        "epochs": epochs,
        "student_epochs": epochs,
        "teachers": teachers,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    log = output.with_suffix(".training")
    with _told() as (progress, say):
        written = train_backbone(
            output,
            peaks=peaks,
            contexts=_contexts(opened, peaks),
            reference=opened.reference,
            motifs=project.motifs,
            coverage=project.coverage,
            sequences=project.sequences,
            adaptors=project.adaptors,
            elements=opened.annotation.elements,
            start=None if start is None else load_backbone(start),
            config=default_config(**{key: value for key, value in changes.items() if value is not None}),
            resume=not restart,
            device=pick_device(device),
            on_epoch=lambda record: say(_draw_log(log, record)),
            progress=progress,
        )
    click.echo(written)


@train.command()
@weights_option
@_held_out_options
@click.option(
    "--counts",
    metavar="TSV|hpa-expression",
    help="Read counts or values per million, genes (names or Ensembl ids) x contexts, or the data pack of "
    "tissues; data pack blood16-rna by default.",
)
@click.option(
    "--name", metavar="NAME", help="Name to read; by default 'gene readout', or 'tissue readout' of tissues."
)
@world_option
def readout(
    output: Path,
    validation: tuple[Written, ...] | None,
    test: tuple[Written, ...] | None,
    counts: str | None,
    name: str | None,
    world: str | None,
) -> None:
    """Train the gene readout (bins around a gene's start to its expression) for the world's backbone.

    Its contexts are the columns of the counts, which need not be those of the backbone.
    """
    from phenviz.data.hpa_tissues import HPA_SOURCE, PACK
    from phenviz.data.model_terms import require_training
    from phenviz.models.readout_training import train_readout
    from phenviz.world import open_world

    opened = open_world(world)
    require_training(opened.project)
    backbone = opened.backbone
    if counts is None and world is not None:
        raise DataError(f"world {opened.name!r} needs read counts of its own: give them with --counts TSV")
    held_out = _held_out(validation, test, opened.reference, world)
    table, contexts = _expression(counts, opened.contexts)
    with _told() as (progress, _):
        train_readout(
            output,
            counts=table,
            annotation=opened.annotation,
            reference=opened.reference,
            backbone=backbone,
            contexts=contexts,
            held_out=held_out,
            name=name or ("tissue readout" if counts == PACK else "gene readout"),
            source=HPA_SOURCE if counts == PACK else None,
            progress=progress,
        )
    click.echo(output)


def _expression(counts: str | None, known: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Read a table of expression, and say what its columns are."""
    from phenviz.data.blood16 import BLOOD16_RNA
    from phenviz.data.hpa_tissues import HPA_CONTEXTS, PACK, read_hpa
    from phenviz.data.packs import require_pack
    from phenviz.data.project_contexts import contexts_of_names
    from phenviz.models.readout_data import read_counts

    if counts is None:
        return read_counts(require_pack(*_EMBEDDED_COUNTS)), BLOOD16_RNA
    if counts == PACK:
        return read_hpa(), HPA_CONTEXTS
    table = read_counts(counts)
    by_name = {context.name: context for context in known}
    own = {context.name: context for context in contexts_of_names(map(str, table.columns))}
    if alone := [name for name in own if name not in by_name]:
        click.echo(f"contexts of expression alone, which the backbone hasn't: {', '.join(alone)}", err=True)
    return table, tuple(by_name.get(name, context) for name, context in own.items())


def _held_out(
    validation: tuple[Written, ...] | None,
    test: tuple[Written, ...] | None,
    reference: ReferenceGenome,
    world: str | None,
) -> dict[str, tuple[tuple[str, int, int], ...]]:
    """Give whole contigs their ends; the embedded world has regions of its own."""
    from phenviz.models.training_regions import check_regions

    parts = {}
    for part, regions in (("validation", validation), ("test", test)):
        if regions is None and world is not None:
            raise click.UsageError(f"--{part} is needed: name regions or contigs of this world's reference")
        if regions is None:
            regions = _Regions().convert(_EMBEDDED_HELD_OUT[part], None, None)
        try:
            parts[part] = [
                (contig, first or 0, reference.length(contig) if last is None else last)
                for contig, first, last in regions
            ]
        except LocusError as error:
            raise click.UsageError(f"--{part}: {error}") from error
    return {part: tuple(regions) for part, regions in check_regions(reference, parts).items()}


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _contexts(opened: Any, peaks: dict[str, Path]) -> tuple[Any, ...]:
    """Return the contexts of the project, or those that its peaks and coverage name.

    Of the embedded world's, those that nothing here can be learnt for are left out, and told.
    """
    from phenviz.data.project_contexts import contexts_of_names

    project = opened.project
    if project.path is not None:
        return project.contexts or contexts_of_names([*peaks, *project.coverage])
    left_out = [context.name for context in project.contexts if context.name not in peaks]
    if left_out:
        click.echo(
            f"left out, as the embedded world has no peaks of theirs: {', '.join(left_out)}; "
            "scripts/build_training_project.py makes a project that has all of it",
            err=True,
        )
    return tuple(context for context in project.contexts if context.name in peaks)


def _draw_log(folder: Path, record: dict[str, Any]) -> str:
    """Draw the log that an epoch's line was added to, and say that line in words."""
    from phenviz.figures.training import draw_training

    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    draw_training([json.loads(line) for line in lines], folder / "training.svg")
    losses = [f"{name} {value:.3f}" for name, value in record.items() if isinstance(value, float)]
    shown = [part for part in losses if not part.startswith("seconds")]
    said = [f"{record['run']}, epoch {record['epoch'] + 1} of {record['epochs']}: {', '.join(shown)}"]
    for context, figures in record.get("validation", {}).get("contexts", {}).items():
        known = [f"{name.replace('_', ' ')} {value}" for name, value in figures.items()]
        said.append(f"  {context}: {', '.join(known)}")
    return "\n".join(said)


@contextmanager
def _told() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """Give a progress that is a bar on a terminal and lines elsewhere, and a way to say a line beside it."""
    import sys

    if sys.stderr.isatty():
        from tqdm import tqdm

        with progress_bar("cancelled; finished epochs are kept, and the same command goes on") as progress:
            yield progress, lambda text: tqdm.write(text, file=sys.stderr)
        return
    with progress_bar("cancelled; finished epochs are kept, and the same command goes on"):
        yield Progress(on_change=_Lines()), lambda text: click.echo(text, err=True)


class _Lines:
    """Writes where a computation is, at each new stage and every half minute, on a line of stderr."""

    def __init__(self) -> None:
        self._stage, self._last, self._began, self._first = "", 0.0, 0.0, 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first, self._last = stage, now, fraction, now
            click.echo(f"{stage}: begins", err=True)
        elif now - self._last >= _SECONDS_BETWEEN_LINES and fraction > self._first:
            self._last = now
            left = (now - self._began) * (1 - fraction) / (fraction - self._first)
            click.echo(f"{stage}: {fraction:.0%}, {left / 60:.0f} min left", err=True)

"""``phenviz ablate`` and ``phenviz marginalize``: what whole elements and motifs do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phenviz.cli.common import (
    PhenvizCommand,
    checked_output,
    device_option,
    progress_bar,
    reference_option,
    refuse_given,
    with_options,
    world_option,
)
from phenviz.cli.compute import contexts_option
from phenviz.errors import SequenceError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from phenviz.data.motifs import Motif
    from phenviz.world import World

_SUFFIXES = (".nc", ".zarr", ".parquet")
_CANCELLED = "cancelled; nothing was written"


def _check_output(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    return checked_output(value, _SUFFIXES, context, parameter)


_output_option = click.option(
    "-o", "--output", required=True, metavar="OUT", callback=_check_output,
    help="Result file: .parquet (tidy table) .nc .zarr",
)  # fmt: skip
_seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of the shuffles.")
_where = with_options(_output_option, reference_option, world_option, device_option)


@click.command(cls=PhenvizCommand, epilog="LOCUS is a region (chr20:1,600,901-1,600,950), a gene or an rsID.")
@click.argument("loci", metavar="LOCUS...", nargs=-1, required=True)
@contexts_option
@click.option("--gene", metavar="G", help="Score the change of this gene's expression instead of activity.")
@click.option(
    "--by",
    type=click.Choice(["dinucleotide", "shuffle", "N"]),
    default="dinucleotide",
    show_default=True,
    help="Replace by shuffles that keep dinucleotides, by shuffles of the bases, or by unknown bases.",
)
@click.option("--shuffles", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@_seed_option
@_where
def ablate(
    loci: tuple[str, ...],
    contexts: tuple[str, ...],
    gene: str | None,
    by: str,
    shuffles: int,
    seed: int,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Take the meaning out of each LOCUS, one at a time, and score what changes."""
    import numpy as np

    if by == "N":
        refuse_given("shuffles", "seed", why="with --by N nothing is shuffled")
    from phenviz.attribution import ablate as ablate_spans
    from phenviz.cli.worlds import open_with_reference
    from phenviz.service.device import pick_device, place
    from phenviz.service.requests import find_contexts, find_gene

    opened = open_with_reference(world, reference)
    where = pick_device(device)
    name = find_gene(opened, gene)
    target = None if name is None else (opened.annotation.gene(name), place(opened.readout, where))
    with progress_bar(_CANCELLED) as progress:
        found = ablate_spans(
            [opened.locus(text) for text in loci],
            opened.reference,
            place(opened.backbone, where),
            by=by,  # type: ignore[arg-type]
            n_shuffles=shuffles,
            contexts=find_contexts(opened, list(contexts) or None, name),
            gene_target=target,  # type: ignore[arg-type]
            rng=np.random.default_rng(seed),
            progress=progress,
        )
    _write(found, output)


@click.command(
    cls=PhenvizCommand,
    epilog="MOTIF is the name (GATA1) or accession (MA0488.2) of a known one, bases (AGATAAGG), or bases "
    "under a name of yours (mine=AGATAAGG).",
)
@click.argument("motifs", metavar="MOTIF...", nargs=-1, required=True)
@contexts_option
@click.option(
    "--backgrounds", type=click.IntRange(2), default=100, show_default=True, metavar="N",
    help="Shuffled stretches of the genome that each motif is written into.",
)  # fmt: skip
@_seed_option
@_where
def marginalize(
    motifs: tuple[str, ...],
    contexts: tuple[str, ...],
    backgrounds: int,
    seed: int,
    output: Path,
    reference: str | None,
    world: str | None,
    device: str,
) -> None:
    """Write each MOTIF into many backgrounds, beside its own shuffles, and say what it adds by itself."""
    import numpy as np

    from phenviz.attribution import marginalize as marginalize_motifs
    from phenviz.cli.worlds import open_with_reference
    from phenviz.service.device import pick_device, place
    from phenviz.service.requests import find_contexts

    opened = open_with_reference(world, reference)
    with progress_bar(_CANCELLED) as progress:
        found = marginalize_motifs(
            _motifs(motifs, opened),
            opened.reference,
            place(opened.backbone, pick_device(device)),
            backgrounds=backgrounds,
            contexts=find_contexts(opened, list(contexts) or None),
            rng=np.random.default_rng(seed),
            progress=progress,
        )
    _write(found, output)


def _motifs(words: tuple[str, ...], world: World) -> dict[str, str | NDArray[np.floating] | Motif]:
    """Read what was typed: names or accessions of the world's motifs, bases, or NAME=BASES."""
    from phenviz.data.motifs import find_motif, near_motifs, read_motifs

    known = read_motifs(world.project.motifs)
    shared = Counter(motif.name for motif in known)
    chosen: dict[str, str | NDArray[np.floating] | Motif] = {}
    for word in words:
        name, _, bases = word.rpartition("=")
        motif = None if name else find_motif(known, word)
        value: str | Motif
        if motif is not None:
            key, value = motif.name if shared[motif.name] == 1 else motif.label, motif
        elif bases and set(bases.upper()) <= set("ACGT"):
            key, value = name or bases.upper(), bases.upper()
        else:
            near = near_motifs(known, word)
            hint = f"did you mean {', '.join(near)}? Or " if near else ""
            raise SequenceError(
                f"{word!r} is no motif of {world.project.motifs.name} and no sequence of A, C, G and T: "
                f"{hint}give a motif's name or accession such as GATA1, or NAME=SEQUENCE"
            )
        if chosen.setdefault(key, value) != value:
            raise SequenceError(f"{key!r} names two of the motifs: give your own sequence another name")
    return chosen


def _write(dataset: xr.Dataset, output: Path) -> None:
    from phenviz.results import save

    for path in save(dataset, output):
        click.echo(path)

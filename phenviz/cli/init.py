"""``phenviz init``: write a commented ``project.yaml``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from phenviz.cli.common import PhenvizCommand
from phenviz.errors import PhenvizError, ProjectError

_QUESTIONS = {
    "assembly": "Genome assembly (GRCh38, GRCh37, ...)",
    "reference": "Reference sequence, a FASTA (plain or bgzip)",
    "annotation": "Genes (GTF, GFF3, BED12 or a table)",
    "backbone": "Sequence model: a .safetensors of PhenViz', enformer, borzoi, flashzoi, alphagenome, "
    "module:Class (empty: none)",
    "weights": "Its weights, a .safetensors file (empty if the class brings its own)",
}
_COMMENTS = {
    "assembly": "shown on every result; must be that of all files below",
    "reference": "FASTA, plain or bgzip; its index is made if missing",
    "annotation": "genes: GTF, GFF3, BED12 or a table",
    "checkpoint": "the sequence model, with its card (.json) beside it",
    "backbone": "the sequence model; of a published one 'tracks' chooses what it predicts for",
    "contexts": "cell types that the model predicts for, in the order of its outputs",
    "individuals": "phased genotypes: VCF, BCF, PGEN or VCF Zarr",
}
# what may be added, as comments
_MORE = """\
# More that a project may name (docs/project.md says all):
# readout: models/readout.safetensors      # gene expression
# peaks: {Liver: peaks/liver.narrowPeak.gz}
# bands: cytoBand.txt.gz                    # ideogram
# tracks: {H3K27ac: tracks/h3k27ac.bw}      # drawn on Explore
"""


@click.command(cls=PhenvizCommand)
@click.argument("project", default="project.yaml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the world; that of the folder by default.")
@click.option("--assembly", metavar="NAME", help="Genome assembly, as GRCh38.")
@click.option("--reference", metavar="FASTA", help="Its sequence.")
@click.option("--annotation", metavar="FILE", help="Its genes: GTF, GFF3, BED12 or a table.")
@click.option(
    "--backbone",
    metavar="MODEL",
    help="Sequence model: weights that PhenViz trained (.safetensors), enformer, borzoi, flashzoi, "
    "alphagenome, or a torch class (mypackage.model:Net).",
)
@click.option("--weights", metavar="FILE", help="Weights of the published model or the class (.safetensors).")
@click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the class doesn't say: window, bin_size, receptive_field, name, units; may be repeated.",
)
@click.option("--average-strands", is_flag=True, help="Predict the mean of both strands.")
@click.option(
    "--shift",
    "shifts",
    type=int,
    multiple=True,
    metavar="BP",
    help="Predict the mean over shifts of the sequence, this one among them; may be repeated (--shift -1 "
    "--shift 0 --shift 1).",
)
@click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="C",
    help="Cell type that the model predicts for, one per output in their order; of a published model an "
    "assay or words of its tracks. May be repeated.",
)
@click.option(
    "--individuals", multiple=True, metavar="FILE", help="Phased genotypes; may be repeated (one per contig)."
)
def init(
    project: Path,
    name: str | None,
    assembly: str | None,
    reference: str | None,
    annotation: str | None,
    backbone: str | None,
    weights: str | None,
    facts: tuple[str, ...],
    average_strands: bool,
    shifts: tuple[int, ...],
    contexts: tuple[str, ...],
    individuals: tuple[str, ...],
) -> None:
    """Write a commented PROJECT (project.yaml); asks for what isn't given, and never overwrites."""
    if project.exists():
        raise ProjectError(f"{project} is there already, and isn't overwritten: give another name")
    if not project.absolute().parent.is_dir():
        raise ProjectError(f"folder {project.parent} doesn't exist: make it first")
    given = {"assembly": assembly, "reference": reference, "annotation": annotation}
    entries: dict[str, object] = {"name": name} if name else {}
    for key, value in given.items():
        text = _asked(key, value)
        entries[key] = text if key == "assembly" else _relative(text, project)
    chosen = _asked("backbone", backbone, optional=True)
    average = _average(average_strands, shifts)
    if not chosen and (weights or facts or average):
        raise click.UsageError(
            "--weights, --fact, --average-strands and --shift are about a --backbone: give it, too"
        )
    if chosen.endswith(".safetensors") and average:
        raise click.UsageError(
            f"{chosen} is PhenViz' own model, which is the same on both strands and isn't averaged: leave "
            "--average-strands and --shift out"
        )
    entries |= _model(chosen, weights, {**_facts(facts), **average}, contexts, project)
    if individuals:
        entries["individuals"] = [_relative(path, project) for path in individuals]
    _write(project, entries)
    click.echo(project)
    click.echo(f"next: phenviz doctor {project}", err=True)


def _asked(key: str, value: str | None, *, optional: bool = False) -> str:
    """Return what was given, or what is typed where there is a terminal."""
    if value is not None:
        return value.strip()
    if _terminal():
        return str(
            click.prompt(_QUESTIONS[key], default="" if optional else None, show_default=False)
        ).strip()
    if optional:
        return ""
    raise click.UsageError(f"--{key} is needed where there is no terminal to ask on: {_QUESTIONS[key]}")


def _terminal() -> bool:
    return sys.stdin.isatty()


def _model(
    chosen: str,
    weights: str | None,
    facts: Mapping[str, object],
    contexts: tuple[str, ...],
    project: Path,
) -> dict[str, object]:
    """Return the entries of the model and of what it predicts for."""
    listed: dict[str, object] = {"contexts": list(contexts)} if contexts else {}
    if not chosen:
        return listed
    if chosen.endswith(".safetensors"):
        if weights or facts:
            raise click.UsageError(f"{chosen} is the weights: leave --weights and --fact out")
        return {"checkpoint": _relative(chosen, project), **listed}
    own = ":" in chosen
    entry: dict[str, object] = {"class" if own else "kind": chosen}
    path = _asked("weights", weights, optional=own)
    if path:
        entry["weights"] = _relative(path, project)
    entry |= facts
    if not own and contexts:
        entry["tracks"] = list(contexts)
        return {"backbone": entry}
    return {"backbone": entry, **listed}


def _facts(facts: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for fact in facts:
        key, equals, value = fact.partition("=")
        if not equals or not value:
            raise click.UsageError(f"--fact {fact}: write it as KEY=VALUE, as window=196608")
        found[key.strip()] = int(value) if value.strip().isdigit() else value.strip()
    return found


def _average(strands: bool, shifts: tuple[int, ...]) -> dict[str, object]:
    """Return the entry 'average' of the model, or nothing where nothing is averaged."""
    found: dict[str, object] = {"strands": True} if strands else {}
    if shifts:
        found["shifts"] = list(shifts)
    return {"average": found} if found else {}


def _relative(path: str, project: Path) -> str:
    """Return a path as the project's folder has it, where it lies in it; else whole."""
    whole, folder = Path(path).expanduser().absolute(), project.absolute().parent
    if whole.is_relative_to(folder):
        return whole.relative_to(folder).as_posix()
    return os.path.normpath(whole)


def _write(project: Path, entries: dict[str, object]) -> None:
    import yaml

    lines = ["# A world of PhenViz: paths are relative to the folder of this file.", ""]
    for key, value in entries.items():
        if key in _COMMENTS:
            lines.append(f"# {_COMMENTS[key]}")
        # in one line, and as an item of a list, where text is quoted if it has to be
        text = yaml.safe_dump(
            [value], default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False
        )
        lines += [f"{key}: {text.strip()[1:-1]}", ""]
    try:
        # exclusively: another process may have written it meanwhile
        with project.open("x", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n" + _MORE)
    except FileExistsError as error:
        raise ProjectError(f"{project} is there already, and isn't overwritten: give another name") from error
    except OSError as error:
        raise PhenvizError(f"{project} can't be written ({error.strerror}): choose another folder") from error

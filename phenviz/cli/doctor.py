"""``phenviz doctor``: what works here, on one screen."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from itertools import chain
from typing import TYPE_CHECKING

import click

from phenviz import __version__
from phenviz.cli.common import PhenvizCommand, device_option, world_option
from phenviz.errors import DataError, ModelError, PhenvizError

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.world import World

_SHOWN_LIBRARIES = ("torch", "captum", "numpy", "pandas", "xarray", "panel", "holoviews", "bokeh")


@click.command(cls=PhenvizCommand)
@click.argument("project", required=False)
@world_option
@device_option
def doctor(project: str | None, world: str | None, device: str) -> None:
    """Show device, versions, world, model, cache and free memory; read all files of the world.

    PROJECT is a project.yaml, as of --world. What is wrong in it is said all at once, with how to get what is
    missing.
    """
    from phenviz.world import open_world

    if project is not None and world is not None:
        raise click.UsageError("PROJECT and --world both name a project.yaml: give one of them")
    path = project or world
    if path is not None and (wrong := _wrong_entries(path)):
        for problem in wrong:
            click.echo(f"PROBLEM: {problem}")
        raise PhenvizError(f"{path} can't be opened, {len(wrong)} of its entries need mending: see above")
    opened = open_world(path)
    parts: dict[str, Callable[[], str]] = {
        "phenviz": _versions,
        "libraries": _libraries,
        "device": lambda: _device(device),
        "world": lambda: _world(opened),
        "reference": lambda: _reference(opened),
        "annotation": lambda: _annotation(opened),
        "model": lambda: _model(opened, device),
        "readout": lambda: _readout(opened),
        "phenformer": lambda: _phenformer(opened),
        "motifs": lambda: _motifs(opened),
        "individuals": lambda: _individuals(opened),
        "peaks": lambda: _peaks(opened),
        "tracks": lambda: f"{len(opened.own_tracks)} of your own" if opened.project.tracks else "none",
        "hypotheses": lambda: _hypotheses(opened),
        "memory": _memory,
        "cache": _cache,
        "packs": _packs,
        "embedded": _embedded,
    }
    problems: dict[str, str] = {}
    for name, describe in parts.items():
        try:
            text = describe()
        except (PhenvizError, OSError) as error:
            problems[name] = cause = " ".join(str(error).split())
            # a part that needs a damaged one fails like it
            first = next(part for part, said in problems.items() if said == cause)
            text = f"PROBLEM: {cause if first == name else f'see {first}'}"
        click.echo(f"{name:<11} {text}")
    if problems:
        raise PhenvizError(f"{len(problems)} of {len(parts)} checks failed: see above")


# where what a project needs comes from, for entries whose file isn't there
_SOURCES = {
    "reference": "UCSC, Ensembl, NCBI and GENCODE have genomes as FASTA; take the assembly that the project "
    "names, plain or packed by bgzip",
    "annotation": "GENCODE, Ensembl and RefSeq have a genome's genes as GTF or GFF3",
    "checkpoint": "`phenviz train backbone` makes one",
    "backbone": "docs/published_models.md says how weights of Enformer and Borzoi become .safetensors",
    "readout": "`phenviz train readout` makes one",
    "phenformer": "`phenviz cohort train` makes one",
    "hypotheses": "`phenviz hypotheses -o` and `phenviz cohort hypotheses -o` make them",
    "bands": "UCSC has it as cytoBand.txt.gz",
}


def _wrong_entries(path: str) -> list[str]:
    """Say everything that keeps a project from being opened, not only the first, and how to mend it."""
    from phenviz.data.project import entry_errors

    return [
        " ".join(f"{error}{f' ({_SOURCES[key]})' if key in _SOURCES else ''}".split())
        for key, error in entry_errors(path)
    ]


def _versions() -> str:
    return f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"


def _libraries() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN_LIBRARIES)


def _device(name: str) -> str:
    from phenviz.service import available_devices, pick_device

    chosen = pick_device(name)
    cores = f", {os.cpu_count()} cores" if chosen.type == "cpu" else ""
    return f"{chosen}{cores} (available: {', '.join(available_devices())})"


def _world(world: World) -> str:
    return f"{world.name}: {world.assembly} ({world.project.path or 'comes with PhenViz'})"


def _reference(world: World) -> str:
    with world.project.naming("reference"):
        contigs = world.reference.contigs
        world.reference.verify()
    return f"{len(contigs)} contig{'' if len(contigs) == 1 else 's'}, {sum(contigs.values()):,} bp"


def _annotation(world: World) -> str:
    found = world.annotation
    _check_contigs(world, "annotation", found.genes)
    _check_contigs(world, "elements", found.elements)
    counts = f"{len(found.genes):,} genes, {len(found.elements):,} regulatory elements"
    return "; ".join([counts, *found.notes, *_misplaced(world, found.genes)])


def _misplaced(world: World, genes: pd.DataFrame) -> list[str]:
    """Count the genes that lie where the reference has no sequence."""
    from phenviz.genome.locus import contig_key

    lengths: dict[str, int] = {}
    for name, length in world.reference.contigs.items():
        key = contig_key(name)
        lengths[key] = max(length, lengths.get(key, 0))
    length = genes["contig"].map(lambda name: lengths.get(contig_key(name), 0))
    elsewhere, beyond = genes.loc[length == 0, "contig"], (length > 0) & (genes["end"] > length)
    notes = []
    if len(elsewhere):
        names = _some(list(elsewhere.unique()))
        notes.append(f"{len(elsewhere):,} of the genes lie on contigs that the reference lacks ({names})")
    if beyond.any():
        notes.append(f"{beyond.sum():,} of the genes reach beyond the end of their contig")
    return notes


def _model(world: World, device: str) -> str:
    # what opening it would refuse is told in full
    contract = _contract(world, device)
    backbone = world.backbone
    reach = f"{backbone.receptive_field:,} bp" if backbone.receptive_field else "the whole window"
    return (
        f"{backbone.name} ({backbone.weights_hash[:12]}), {len(backbone.contexts)} contexts, "
        f"{backbone.bin_size} bp bins, sees {reach}{contract}"
    )


def _contract(world: World, device: str) -> str:
    """Try a torch class of the user's on all that PhenViz asks of a backbone."""
    from phenviz.data.project_backbone import ADAPTED
    from phenviz.models.contract import check_backbone
    from phenviz.service.device import pick_device, place

    named = world.project.backbone
    if named is None or named.kind in ADAPTED:
        return ""
    with world.project.naming("backbone"):
        backbone = world.load_backbone()
        if world.load_backbone().weights_hash != backbone.weights_hash:
            raise ModelError("its weights are others each time it is made: give 'weights'")
        findings = check_backbone(place(backbone, pick_device(device)))
        broken = [f"{finding.clause}: {finding.problem}" for finding in findings if finding.problem]
        if broken:
            raise ModelError(f"{len(broken)} of {len(findings)} clauses are broken: " + "; ".join(broken))
    return f", keeps all {len(findings)} clauses of the contract"


def _readout(world: World) -> str:
    readout = world.readout
    if readout is None:
        return "none (no gene expression)"
    return f"{readout.title}: expression in {len(readout.contexts)} contexts"


def _phenformer(world: World) -> str:
    from phenviz.disease.cohort.saved import open_risk_model

    phenformer = world.phenformer
    if phenformer is None:
        return "none (no traits)"
    named = f"{phenformer.name} ({phenformer.weights_hash[:12]})"
    if world.project.risk is None:
        return named
    model = open_risk_model(world)
    people = "no" if model.reference is None else f"{model.reference.people['all']:,}"
    return f"{named}, trained on {model.trained_on}; {people} reference people"


def _motifs(world: World) -> str:
    from phenviz.data.motifs import read_motifs

    with world.project.naming("motifs"):
        return f"{len(read_motifs(world.project.motifs)):,}"


def _individuals(world: World) -> str:
    people = world.individuals
    if people is None:
        return "none"
    files = len(world.project.individuals)
    return f"{len(people):,} in {files} file{'' if files == 1 else 's'}"


def _peaks(world: World) -> str:
    project, peaks = world.project, world.peaks
    more = _training_sources(world) + _named_ld_scores(world)
    if peaks is None:
        packs = project.peak_packs
        return (f"not here: `phenviz data fetch {' '.join(packs)}`" if packs else "none") + more
    _check_contigs(world, "peaks", peaks)
    # a pack may hold more than a model predicts, and without a model the peaks are there to train one
    has_contexts = project.contexts or project.checkpoint or project.backbone
    named = [] if project.peak_packs or not has_contexts else list(project.peaks)
    known = [context.name for context in world.contexts] if named else []
    if unknown := [name for name in named if name not in known]:
        with project.naming("peaks"):
            raise DataError(f"no context of the model is {unknown[0]!r}: it has {', '.join(known)}")
    return f"{len(peaks):,} in {peaks['context'].nunique()} contexts{more}"


def _training_sources(world: World) -> str:
    """Read what only training reads: coverage and sequences."""
    from phenviz.data.coverage import read_coverage
    from phenviz.data.reporter_sequences import read_sequences

    project, said = world.project, ""
    with project.naming("coverage"):
        for path in project.coverage.values():
            contig, length = next(iter(world.reference.contigs.items()))
            read_coverage(path, contig, length, 128)
            said = f", coverage of {', '.join(project.coverage)}"
    with project.naming("sequences"):
        tables = [read_sequences(path, project.adaptors) for path in project.sequences]
    return said + (f", {sum(map(len, tables)):,} values of sequences" if tables else "")


def _named_ld_scores(world: World) -> str:
    """Read the LD scores of one chromosome that the project names."""
    from phenviz.disease.ld_scores import read_ld_scores, read_ldcts
    from phenviz.genome.locus import bare_contig

    named = world.project.ld_scores
    if not named:
        return ""
    contigs = [bare_contig(contig) for contig in world.reference.contigs]
    with world.project.naming("ld_scores"):
        lists = read_ldcts(named["contexts"])
        for prefix in dict.fromkeys([named["baseline"], named["weights"], *chain(*lists.values())]):
            # the others are of one format with it, and large
            read_ld_scores(prefix, contigs, most=1)
    return f", LD scores of {len(lists):,} context{'s' * (len(lists) != 1)}"


def _hypotheses(world: World) -> str:
    """Read the hypotheses that were tested elsewhere, as the page *Disease* does."""
    from phenviz.disease.files import read_hypotheses
    from phenviz.disease.prose import is_of_people

    said = []
    with world.project.naming("hypotheses"):
        for path in world.project.hypotheses:
            found = read_hypotheses(path, world)
            whose = "people" if is_of_people(found) else "variants"
            counts = f"{found.sizes['trait']:,} trait{'s' * (found.sizes['trait'] != 1)}"
            said.append(f"{path.name} ({whose}, {counts} by {', '.join(found['method'].values)})")
    return "; ".join(said) or "none tested elsewhere"


def _check_contigs(world: World, key: str, table: pd.DataFrame) -> None:
    from phenviz.genome.locus import contig_key

    with world.project.naming("reference"):
        contigs = list(world.reference.contigs)
    found = list(table["contig"].unique())
    known = set(map(contig_key, contigs))
    if found and not known & set(map(contig_key, found)):
        with world.project.naming(key):
            raise DataError(
                f"its contigs ({_some(found)}) are none of the reference ({_some(contigs)}): give a file of "
                f"{world.assembly} that names contigs like it"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB"


def _cache() -> str:
    from phenviz.data.cache import cache_dir, cache_size

    folder = cache_dir()
    free = shutil.disk_usage(folder).free
    return f"{folder}: {cache_size() / 1e6:,.1f} MB used, {free / 1e9:.1f} GB free on its disk"


def _packs() -> str:
    from phenviz.data import packs

    every = packs.list_packs()
    here = [pack.name for pack in every if packs.has_pack(pack.name)]
    return f"{len(here)} of {len(every)} here{': ' if here else ''}{', '.join(here)}"


def _embedded() -> str:
    from phenviz.data.packs import verify_embedded

    bad = [f"{check.path.name} ({check.problem})" for check in verify_embedded() if check.problem]
    if bad:
        raise PhenvizError(f"{', '.join(bad)}: reinstall PhenViz")
    return "all files are whole"

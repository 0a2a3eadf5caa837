"""``project.yaml``: the file by which users describe a world of their own (see ``docs/project.md``)."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from phenviz.data.embedded import MOTIFS
from phenviz.errors import DataError, PhenvizError, ProjectError
from phenviz.genome.contexts import Context

if TYPE_CHECKING:
    import pandas as pd

REQUIRED_KEYS = ("assembly", "reference", "annotation")
_SUFFIXES = {
    "reference": (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz"),
    "annotation": tuple(
        f".{kind}{zipped}" for kind in ("gtf", "gff3", "gff", "bed", "tsv") for zipped in ("", ".gz")
    ),
    "bands": (".tsv", ".txt", ".tsv.gz", ".txt.gz"),
    "elements": (".tsv", ".tsv.gz"),
    "checkpoint": (".safetensors",),
    "backbone": (".safetensors",),
    "readout": (".safetensors",),
    "phenformer": (".safetensors",),
    "motifs": (".meme",),
    "individuals": (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf", ".pgen", ".zarr", ".vcz"),
    "panel": (".panel", ".tsv", ".txt", ".psam"),
    "peaks": tuple(
        f".{kind}{zipped}" for kind in ("narrowPeak", "broadPeak", "bed") for zipped in ("", ".gz")
    ),
    "contexts": (".tsv",),
}
# backbones whose architecture is published, and what is said about one
_PUBLISHED = ("enformer", "borzoi")
_PUBLISHED_FIELDS = ("kind", "weights", "tracks")
# stores that are folders
_FOLDERS = (".zarr", ".vcz")
_CONTEXT_FIELDS = ("name", "label", "curie", "group", "colour")
# for contexts that come without a colour: Okabe and Ito's, without black and yellow
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


@dataclass(frozen=True, slots=True)
class PublishedBackbone:
    """A backbone of somebody else's: Enformer or Borzoi.

    Parameters
    ----------
    kind
        ``enformer`` or ``borzoi``.
    weights
        State dict as ``.safetensors``.
    tracks
        Tracks that become contexts: assays, identifiers, or words of descriptions; None for DNASE and ATAC.
    """

    kind: str
    weights: Path
    tracks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Project:
    """Where each part of a world lies.

    Parameters
    ----------
    name, assembly
        Shown everywhere.
    reference
        FASTA, plain or bgzip.
    annotation
        Genes: GTF, GFF3, BED12 or table.
    bands, elements
        Cytobands and regulatory elements; None where there are none.
    checkpoint, readout
        Weights of the backbone and of the gene readout; None where there are none.
    backbone
        A published backbone instead of a checkpoint; None where there is none.
    phenformer
        Weights of the disease model; None where there is none.
    motifs
        MEME file.
    contexts
        What the backbone predicts for; empty to take the checkpoint's own.
    individuals
        VCF, BCF or PGEN files or VCF Zarr stores.
    panel
        Table of samples, populations and superpopulations; None where they are unknown.
    superpopulation
        Of individuals that no panel names; "" where unknown.
    peaks
        Observed peaks: the name of a data pack, or context name -> narrowPeak or BED file; empty for none.
    peak_contig
        Read the peaks of this contig only; None for all.
    path
        The ``project.yaml``; None for the embedded world.
    lines
        Line of each key in that file.
    """

    name: str
    assembly: str
    reference: Path
    annotation: Path
    bands: Path | None = None
    elements: Path | None = None
    checkpoint: Path | None = None
    readout: Path | None = None
    backbone: PublishedBackbone | None = None
    phenformer: Path | None = None
    motifs: Path = MOTIFS
    contexts: tuple[Context, ...] = ()
    individuals: tuple[Path, ...] = ()
    panel: Path | None = None
    superpopulation: str = ""
    peaks: str | Mapping[str, Path] = field(default_factory=dict)
    peak_contig: str | None = None
    path: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    @contextmanager
    def naming(self, key: str) -> Iterator[None]:
        """Begin whatever error is raised in here with the key, and its line, whose file is at fault."""
        try:
            yield
        except PhenvizError as error:
            if key in self.lines:
                error.args = (f"{self.path}, line {self.lines[key]}: '{key}': {error}",)
            raise

    def peak_files(self) -> dict[str, Path]:
        """Name the file of peaks of each context.

        Raises
        ------
        PackMissing
            If they are a data pack that isn't here.
        DataError
            If the world has no observed peaks.
        """
        from phenviz.data.peaks import pack_peak_files

        if not self.peaks:
            raise DataError(f"world {self.name!r} has no observed peaks: set 'peaks' in its project.yaml")
        return pack_peak_files(self.peaks) if isinstance(self.peaks, str) else dict(self.peaks)

    def read_peaks(self) -> pd.DataFrame | None:
        """Read the observed peaks; None where the world has none, or their data pack isn't here."""
        from phenviz.data.packs import has_pack
        from phenviz.data.peaks import read_narrowpeak_files, read_narrowpeaks

        with self.naming("peaks"):
            if isinstance(self.peaks, str):
                return read_narrowpeaks(self.peaks, self.peak_contig) if has_pack(self.peaks) else None
            return read_narrowpeak_files(self.peaks, self.peak_contig) if self.peaks else None


def read_project(path: str | os.PathLike[str]) -> Project:
    """Read and check a ``project.yaml``.

    Parameters
    ----------
    path
        The file; paths inside it are relative to its folder.

    Raises
    ------
    ProjectError
        If an entry is missing, unknown or wrong: names the file, the line, the key and the fix.
    """
    path = Path(path).expanduser()
    entries = _Entries(path)
    entries.refuse_unknown(_READERS)
    entries.require(REQUIRED_KEYS)
    values = {key: read(entries, key) for key, read in _READERS.items() if key in entries.values}
    project = Project(**{"name": path.absolute().parent.name, **values}, path=path, lines=entries.lines)
    _check_peak_contexts(project, entries)
    if project.backbone is not None and project.checkpoint is not None:
        raise entries.error("backbone", "and 'checkpoint' both name the sequence model: keep one")
    return project


class _Entries:
    """Top-level keys of a YAML file with their values and lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProjectError(
                f"project {path} can't be read ({error}): give the path of a project.yaml"
            ) from error
        try:
            tree = yaml.compose(text, Loader=yaml.SafeLoader)
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ProjectError(f"project {path} is no YAML: {_one_line(error)}") from error
        if not isinstance(content, dict) or not isinstance(tree, yaml.MappingNode):
            raise ProjectError(
                f"project {path} holds no 'key: value' lines: see docs/project.md for an example"
            )
        self.values: dict[str, Any] = {str(key): value for key, value in content.items()}
        self.lines: dict[str, int] = {}
        for key_node, _ in tree.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in self.lines:
                raise ProjectError(
                    f"{path}, line {line}: '{key}' was given in line {self.lines[key]}: keep one"
                )
            self.lines[key] = line

    def error(self, key: str, problem: str) -> ProjectError:
        """Make the error that says what is wrong with a key."""
        return ProjectError(f"{self.path}, line {self.lines[key]}: '{key}' {problem}")

    def refuse_unknown(self, known: Mapping[str, object]) -> None:
        """Raise if a key is none of the known ones."""
        for key in self.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
                fix = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(known)}"
                raise self.error(key, f"is no key of a project: {fix}")

    def require(self, keys: tuple[str, ...]) -> None:
        """Raise if one of these keys is missing."""
        for key in keys:
            if key not in self.values:
                raise ProjectError(f"{self.path} lacks the key '{key}': {_WANTED[key]}")

    def file(self, key: str, value: Any) -> Path:
        """Turn the text of a path into a path that exists and has a fitting suffix."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"is {value!r}, no path: {_WANTED[key]}")
        path = self.path.absolute().parent / Path(value).expanduser()
        if not path.is_file() and not (path.is_dir() and path.suffix in _FOLDERS):
            raise self.error(
                key, f"names {path}, which isn't there: paths are relative to the folder of {self.path.name}"
            )
        if not path.name.lower().endswith(tuple(suffix.lower() for suffix in _SUFFIXES[key])):
            raise self.error(
                key, f"names {path.name}: a file ending in {', '.join(_SUFFIXES[key])} is needed"
            )
        return path


def _text(entries: _Entries, key: str) -> str:
    value = entries.values[key]
    # YAML reads an unquoted number as one
    if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
        raise entries.error(key, f"is {value!r}, no name: {_WANTED[key]}")
    return str(value).strip()


def _file(entries: _Entries, key: str) -> Path:
    return entries.file(key, entries.values[key])


def _files(entries: _Entries, key: str) -> tuple[Path, ...]:
    value = entries.values[key]
    listed = value if isinstance(value, list) else [value]
    return tuple(entries.file(key, item) for item in listed)


def _peaks(entries: _Entries, key: str) -> str | dict[str, Path]:
    from phenviz.data.manifests import find_pack

    value = entries.values[key]
    if isinstance(value, dict):
        return {str(context): entries.file(key, item) for context, item in value.items()}
    name = _text(entries, key)
    try:
        return find_pack(name).name
    except DataError as error:
        raise entries.error(key, f"is neither a data pack nor 'context: file' lines: {error}") from error


def _published(entries: _Entries, key: str) -> PublishedBackbone:
    value = entries.values[key]
    if not isinstance(value, dict) or not {"kind", "weights"} <= set(value):
        raise entries.error(key, f"is no backbone: {_WANTED[key]}")
    if unknown := sorted(set(map(str, value)) - set(_PUBLISHED_FIELDS)):
        raise entries.error(
            key, f"has an unknown field {unknown[0]!r}: known are {', '.join(_PUBLISHED_FIELDS)}"
        )
    if value["kind"] not in _PUBLISHED:
        raise entries.error(key, f"is of the kind {value['kind']!r}: use {' or '.join(_PUBLISHED)}")
    tracks = value.get("tracks")
    listed = [tracks] if isinstance(tracks, str) else tracks
    if listed is not None and not (listed and all(isinstance(track, str) for track in listed)):
        raise entries.error(key, f"has the tracks {tracks!r}: {_WANTED[key]}")
    weights = entries.file(key, value["weights"])
    return PublishedBackbone(value["kind"], weights, None if listed is None else tuple(listed))


def _contexts(entries: _Entries, key: str) -> tuple[Context, ...]:
    value = entries.values[key]
    rows = _context_table(entries.file(key, value), entries) if isinstance(value, str) else value
    if not isinstance(rows, list) or not rows:
        raise entries.error(key, f"holds no contexts: {_WANTED[key]}")
    contexts = tuple(_context(entries, row, number) for number, row in enumerate(rows))
    names = [context.name for context in contexts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise entries.error(key, f"lists {', '.join(twice)} twice: names of contexts are unique")
    return contexts


def _context_table(path: Path, entries: _Entries) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) < 2:
        raise entries.error("contexts", f"names {path.name}, which needs a header line and a line a context")
    header, *rows = lines
    return [{column: cell for column, cell in zip(header, row, strict=False) if cell.strip()} for row in rows]


def _context(entries: _Entries, row: Any, number: int) -> Context:
    row = {"name": row} if isinstance(row, str) else row
    if not isinstance(row, dict) or not row.get("name"):
        raise entries.error("contexts", f"has an entry {number + 1} without a name: {_WANTED['contexts']}")
    unknown = sorted(set(row) - set(_CONTEXT_FIELDS))
    if unknown:
        raise entries.error(
            "contexts", f"has an unknown field {unknown[0]!r}: known are {', '.join(_CONTEXT_FIELDS)}"
        )
    name = str(row["name"]).strip()
    colour = str(row.get("colour", _COLOURS[number % len(_COLOURS)])).strip()
    if len(colour) != 7 or not colour.startswith("#") or set(colour[1:].lower()) - set("0123456789abcdef"):
        raise entries.error(
            "contexts", f"gives {name} the colour {colour!r}: write it as '#rrggbb', in quotes"
        )
    label, curie, group = (
        str(row.get(part, default)).strip()
        for part, default in (("label", name), ("curie", ""), ("group", "contexts"))
    )
    return Context(name, label, curie, group, colour)


def _check_peak_contexts(project: Project, entries: _Entries) -> None:
    known = {context.name for context in project.contexts}
    if isinstance(project.peaks, str) or not known:
        return
    for name in project.peaks:
        if name not in known:
            raise entries.error("peaks", f"names the context {name!r}, which isn't among 'contexts'")


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())


_READERS: dict[str, Callable[[_Entries, str], Any]] = {
    "name": _text,
    "assembly": _text,
    "reference": _file,
    "annotation": _file,
    "bands": _file,
    "elements": _file,
    "checkpoint": _file,
    "backbone": _published,
    "readout": _file,
    "phenformer": _file,
    "contexts": _contexts,
    "individuals": _files,
    "panel": _file,
    "motifs": _file,
    "peaks": _peaks,
}
_WANTED = {
    "name": "give the world a name",
    "assembly": "name the genome assembly, for example 'assembly: GRCh38'",
    "reference": "give the path of a FASTA file, plain or bgzip",
    "annotation": "give the path of the genes as .gtf, .gff3, .bed (12 columns) or .tsv",
    "bands": "give the path of a cytoband table, or leave the key out",
    "elements": "give the path of a table of regulatory elements, or leave the key out",
    "checkpoint": "give the path of the backbone's .safetensors file, or leave the key out",
    "backbone": "write '{kind: enformer, weights: FILE, tracks: [DNASE, CAGE]}', or leave the key out",
    "readout": "give the path of the gene readout's .safetensors file, or leave the key out",
    "phenformer": "give the path of the disease model's .safetensors file, or leave the key out",
    "contexts": "list them as '- {name: Ery, label: erythroid, curie: CL:0000764}' or give a .tsv file",
    "individuals": "give the path of a VCF, BCF or .pgen file or a VCF Zarr store, or a list of them",
    "panel": "give the path of a tab-separated table with sample, population and superpopulation",
    "motifs": "give the path of a .meme file, or leave the key out for JASPAR 2026",
    "peaks": "give the name of a data pack, or 'context: file' lines with narrowPeak or BED files",
}

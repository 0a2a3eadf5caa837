"""``project.yaml``: the file by which users describe a world of their own (see ``docs/project.md``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phenviz.data.embedded import MOTIFS
from phenviz.data.project_backbone import NamedBackbone, read_backbone
from phenviz.data.project_contexts import read_contexts
from phenviz.data.project_entries import WANTED, Entries
from phenviz.data.project_ld_scores import read_ld_scores_entry
from phenviz.data.project_tracks import NamedTrack, read_tracks
from phenviz.errors import DataError, PhenvizError
from phenviz.genome.contexts import Context

if TYPE_CHECKING:
    import pandas as pd

REQUIRED_KEYS = ("assembly", "reference", "annotation")
# in the folder of a risk model
PHENFORMER = "phenformer.safetensors"


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
    transcripts
        All transcripts: GTF, GFF3, BED12 or table, one row per transcript, its id as ``gene_id``; None for
        those of the annotation.
    bands, elements
        Cytobands and regulatory elements; None where there are none.
    checkpoint
        Weights of the backbone; None where there are none.
    readouts
        Weights of its gene readouts, such as one of blood populations and one of tissues.
    backbone
        A backbone that isn't PhenViz' own, instead of a checkpoint; None where there is none.
    phenformer
        Weights of the disease model; None where there is none.
    risk
        Folder of a risk model, which a disease model is part of; None where there is none.
    motifs
        MEME file.
    contexts
        What the backbone predicts for; empty to take the checkpoint's own.
    individuals
        VCF, BCF or PGEN files or VCF Zarr stores.
    more_individuals
        Data pack with other people at the same variants, who join where more people say more; "" for none.
    panel
        Table of samples, populations and superpopulations; None where they are unknown.
    superpopulation
        Of individuals that no panel names; "" where unknown.
    peaks
        Observed peaks: names of data packs, or context name -> narrowPeak or BED file; empty for none.
    coverage
        Context name -> bigWig file of coverage, which a backbone can be trained on; empty for none.
    sequences, adaptors
        Tables of sequences with measured reporter activity, to train a backbone on, and the bases at both
        ends of each that are cut off.
    ld_scores
        ``baseline``, ``weights`` (prefixes of LDSC's files) and ``contexts`` (``.ldcts``); empty for none.
    tracks
        Files of the user's own that the genome browser draws.
    hypotheses
        Results of hypotheses that were tested elsewhere, for the page *Disease*; no two of one name.
    peak_contig
        Read the peaks of this contig only; None for all.
    jobqueue
        The section ``dask-jobqueue``: how batch jobs are asked for.
    path
        The ``project.yaml``; None for the embedded world.
    lines
        Line of each key in that file.
    """

    name: str
    assembly: str
    reference: Path
    annotation: Path
    transcripts: Path | None = None
    bands: Path | None = None
    elements: Path | None = None
    checkpoint: Path | None = None
    readouts: tuple[Path, ...] = ()
    backbone: NamedBackbone | None = None
    phenformer: Path | None = None
    risk: Path | None = None
    motifs: Path = MOTIFS
    contexts: tuple[Context, ...] = ()
    individuals: tuple[Path, ...] = ()
    more_individuals: str = ""
    panel: Path | None = None
    superpopulation: str = ""
    peaks: tuple[str, ...] | Mapping[str, Path] = ()
    coverage: Mapping[str, Path] = field(default_factory=dict)
    ld_scores: Mapping[str, Path] = field(default_factory=dict)
    sequences: tuple[Path, ...] = ()
    adaptors: tuple[str, str] = ("", "")
    tracks: tuple[NamedTrack, ...] = ()
    hypotheses: tuple[Path, ...] = ()
    peak_contig: str | None = None
    jobqueue: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def disease_model(self) -> tuple[str, Path] | None:
        """Key that names the disease model, and the file of its weights; None where there is none."""
        if self.risk is not None:
            return "risk", self.risk / PHENFORMER
        return None if self.phenformer is None else ("phenformer", self.phenformer)

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
            If they are in a data pack that isn't here.
        DataError
            If the world has no observed peaks.
        """
        from phenviz.data.peaks import pack_peak_files

        if not self.peaks:
            raise DataError(f"world {self.name!r} has no observed peaks: set 'peaks' in its project.yaml")
        return dict(self.peaks) if isinstance(self.peaks, Mapping) else pack_peak_files(self.peaks)

    @property
    def peak_packs(self) -> tuple[str, ...]:
        """Names of the data packs that hold its observed peaks; none where they are files of its own."""
        return () if isinstance(self.peaks, Mapping) else self.peaks

    def every_individual(self) -> tuple[Path, ...]:
        """Return the files of the individuals, and of those that a data pack adds, if it is here."""
        from phenviz.data.packs import find_pack, pack_path

        if not self.more_individuals:
            return self.individuals
        # an index lies beside its file
        path = pack_path(self.more_individuals, find_pack(self.more_individuals).files[0].name)
        return self.individuals if path is None else (*self.individuals, path)

    def read_peaks(self) -> pd.DataFrame | None:
        """Read the observed peaks of all contexts on one scale (`phenviz.genome.peak_signal`).

        Returns
        -------
        pd.DataFrame or None
            None where the world has none. Of data packs, what is here.
        """
        from phenviz.data.packs import has_pack
        from phenviz.data.peaks import read_narrowpeak_files, read_narrowpeaks
        from phenviz.genome.peak_signal import on_one_scale

        with self.naming("peaks"):
            if isinstance(self.peaks, Mapping):
                table = read_narrowpeak_files(self.peaks, self.peak_contig) if self.peaks else None
            else:
                here = [name for name in self.peaks if has_pack(name)]
                table = read_narrowpeaks(here, self.peak_contig) if here else None
            return None if table is None else on_one_scale(table)


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
    entries = Entries(path)
    entries.refuse_unknown(_READERS)
    entries.require(REQUIRED_KEYS)
    values = {key: read(entries, key) for key, read in _READERS.items() if key in entries.values}
    if "readout" in values:
        values["readouts"] = values.pop("readout")
    if "dask-jobqueue" in values:
        values["jobqueue"] = values.pop("dask-jobqueue")
    if "sequences" in values:
        values["sequences"], values["adaptors"] = values["sequences"]
    project = Project(**{"name": path.absolute().parent.name, **values}, path=path, lines=entries.lines)
    _check_peak_contexts(project, entries)
    if project.backbone is not None and project.checkpoint is not None:
        raise entries.error("backbone", "and 'checkpoint' both name the sequence model: keep one")
    if project.phenformer is not None and project.risk is not None:
        raise entries.error("phenformer", "and 'risk' both name the disease model: keep 'risk'")
    return project


def entry_errors(path: str | os.PathLike[str]) -> list[tuple[str, PhenvizError]]:
    """Return all that keeps a ``project.yaml`` from being read, each with its key; "" where it has none.

    `read_project` raises the first of them.
    """
    found: list[tuple[str, PhenvizError]] = []
    try:
        entries = Entries(Path(path).expanduser())
        entries.refuse_unknown(_READERS)
    except PhenvizError as error:
        return [("", error)]
    for key in REQUIRED_KEYS:
        try:
            entries.require((key,))
        except PhenvizError as error:
            found.append((key, error))
    for key, read in _READERS.items():
        if key in entries.values:
            try:
                read(entries, key)
            except PhenvizError as error:
                found.append((key, error))
    if not found:
        try:
            read_project(path)
        except PhenvizError as error:
            found.append(("", error))
    return found


def _text(entries: Entries, key: str) -> str:
    value = entries.values[key]
    # YAML reads an unquoted number as one
    if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
        raise entries.error(key, f"is {value!r}, no name: {WANTED[key]}")
    return str(value).strip()


def _file(entries: Entries, key: str) -> Path:
    return entries.file(key, entries.values[key])


def _folder(entries: Entries, key: str) -> Path:
    return entries.folder(key, entries.values[key])


def _files(entries: Entries, key: str) -> tuple[Path, ...]:
    value = entries.values[key]
    listed = value if isinstance(value, list) else [value]
    return tuple(entries.file(key, item) for item in listed)


def _results(entries: Entries, key: str) -> tuple[Path, ...]:
    paths = _files(entries, key)
    names = [path.name for path in paths]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise entries.error(key, f"names two files called {twice}: rename one, as pages tell them by name")
    return paths


def _peaks(entries: Entries, key: str) -> tuple[str, ...] | dict[str, Path]:
    from phenviz.data.manifests import find_pack

    value = entries.values[key]
    if isinstance(value, dict):
        return {str(context): entries.file(key, item) for context, item in value.items()}
    names = value if isinstance(value, list) and value else [_text(entries, key)]
    try:
        return tuple(find_pack(str(name)).name for name in names)
    except DataError as error:
        raise entries.error(key, f"is neither a data pack nor 'context: file' lines: {error}") from error


def _coverage(entries: Entries, key: str) -> dict[str, Path]:
    value = entries.values[key]
    if not isinstance(value, dict) or not value:
        raise entries.error(key, f"is {value!r}: {WANTED[key]}")
    return {str(context): entries.file(key, item) for context, item in value.items()}


def _jobqueue(entries: Entries, key: str) -> dict[str, Any]:
    value = entries.values[key]
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise entries.error(key, f"is {value!r}: {WANTED[key]}")
    jobs = value.get("jobs", 1)
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise entries.error(key, f"asks for {jobs!r} jobs: give a number from 1 on")
    return value


def _sequences(entries: Entries, key: str) -> tuple[tuple[Path, ...], tuple[str, str]]:
    value = entries.values[key]
    if not isinstance(value, dict):
        return _files(entries, key), ("", "")
    adaptors = value.get("adaptors")
    if set(value) != {"table", "adaptors"} or not (
        isinstance(adaptors, list)
        and len(adaptors) == 2
        and all(isinstance(bases, str) and not set(bases.upper()) - set("ACGT") for bases in adaptors)
    ):
        raise entries.error(key, f"is {value!r}: {WANTED[key]}")
    listed = value["table"] if isinstance(value["table"], list) else [value["table"]]
    return tuple(entries.file(key, item) for item in listed), (adaptors[0].upper(), adaptors[1].upper())


def _check_peak_contexts(project: Project, entries: Entries) -> None:
    known = {context.name for context in project.contexts}
    given = {
        "peaks": project.peaks if isinstance(project.peaks, Mapping) else (),
        "coverage": project.coverage,
    }
    for key, names in given.items():
        for name in names if known else ():
            if name not in known:
                raise entries.error(key, f"names the context {name!r}, which isn't among 'contexts'")


_READERS: dict[str, Callable[[Entries, str], Any]] = {
    "name": _text,
    "assembly": _text,
    "reference": _file,
    "annotation": _file,
    "transcripts": _file,
    "bands": _file,
    "elements": _file,
    "checkpoint": _file,
    "backbone": read_backbone,
    "readout": _files,
    "phenformer": _file,
    "risk": _folder,
    "contexts": read_contexts,
    "individuals": _files,
    "panel": _file,
    "motifs": _file,
    "peaks": _peaks,
    "coverage": _coverage,
    "sequences": _sequences,
    "ld_scores": read_ld_scores_entry,
    "tracks": read_tracks,
    "hypotheses": _results,
    "dask-jobqueue": _jobqueue,
}

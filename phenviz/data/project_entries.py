"""The entries of a ``project.yaml``: read with their lines, so that every error names one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from phenviz.errors import ProjectError

SUFFIXES = {
    "reference": tuple(
        f".{kind}{packed}" for packed in ("", ".gz", ".bgz") for kind in ("fa", "fasta", "fna")
    ),
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
    "coverage": (".bw", ".bigWig"),
    "ld_scores": (".ldcts",),
    "sequences": (".tsv", ".tsv.gz"),
    "hypotheses": (".nc", ".zarr", ".parquet"),
    "tracks": tuple(".bw .bigWig .bed .bed.gz .narrowPeak .narrowPeak.gz .broadPeak .broadPeak.gz".split()),
}
# stores that are folders
_FOLDERS = (".zarr", ".vcz")
WANTED = {
    "name": "give the world a name",
    "assembly": "name the genome assembly, for example 'assembly: GRCh38'",
    "reference": "give the path of a FASTA file, plain or bgzip",
    "annotation": "give the path of the genes as .gtf, .gff3, .bed (12 columns) or .tsv",
    "bands": "give the path of a cytoband table, or leave the key out",
    "elements": "give the path of a table of regulatory elements, or leave the key out",
    "checkpoint": "give the path of the backbone's .safetensors file, or leave the key out",
    "backbone": "write '{kind: enformer, weights: FILE, tracks: [DNASE, CAGE]}' or "
    "'{class: mymodel:MyNet, weights: FILE}', or leave the key out",
    "readout": "give the path of a gene readout's .safetensors file, a list of them, or leave the key out",
    "phenformer": "give the path of the disease model's .safetensors file, or leave the key out",
    "risk": "give the folder that `phenviz cohort train` wrote, or leave the key out",
    "contexts": "list them as '- {name: Ery, label: erythroid, curie: CL:0000764}' or give a .tsv file",
    "individuals": "give the path of a VCF, BCF or .pgen file or a VCF Zarr store, or a list of them",
    "panel": "give the path of a tab-separated table with sample, population and superpopulation",
    "motifs": "give the path of a .meme file, or leave the key out for JASPAR 2026",
    "dask-jobqueue": "write '{jobs: 8, queue: long, cores: 4, memory: 16GB, walltime: \"04:00:00\"}', or "
    "leave the key out",
    "ld_scores": "write '{baseline: FOLDER/baseline., weights: FOLDER/weights., contexts: FILE.ldcts}', "
    "each prefix followed by the chromosome and .l2.ldscore.gz, or leave the key out",
    "coverage": "write 'context: file.bw' lines, or leave the key out",
    "sequences": "give the path of a table, a list of them, or '{table: FILE, adaptors: [ACGT, TTGA]}'",
    "tracks": "write 'name: file' lines with bigWig, BED, narrowPeak or broadPeak files, or a list of "
    "'- {name: GATA1, file: gata1.bw, colour: \"#d55e00\"}'",
    "hypotheses": "give the path of what `phenviz hypotheses` or `phenviz cohort hypotheses` wrote, or a "
    "list of them",
    "peaks": "give the name of a data pack or a list of names, or 'context: file' lines with narrowPeak or "
    "BED files",
}


class Entries:
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
                raise ProjectError(f"{self.path} lacks the key '{key}': {WANTED[key]}")

    def colour(self, key: str, value: Any, name: str) -> str:
        """Check the colour that a key gives to something of this name."""
        colour = str(value).strip()
        if (
            len(colour) != 7
            or not colour.startswith("#")
            or set(colour[1:].lower()) - set("0123456789abcdef")
        ):
            raise self.error(key, f"gives {name} the colour {colour!r}: write it as '#rrggbb', in quotes")
        return colour

    def file(self, key: str, value: Any) -> Path:
        """Turn the text of a path into a path that exists and has a fitting suffix."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"is {value!r}, no path: {WANTED[key]}")
        path = self.path.absolute().parent / Path(value).expanduser()
        if not path.is_file() and not (path.is_dir() and path.suffix in _FOLDERS):
            raise self.error(
                key, f"names {path}, which isn't there: paths are relative to the folder of {self.path.name}"
            )
        if not path.name.lower().endswith(tuple(suffix.lower() for suffix in SUFFIXES[key])):
            raise self.error(key, f"names {path.name}: a file ending in {', '.join(SUFFIXES[key])} is needed")
        return path

    def folder(self, key: str, value: Any) -> Path:
        """Turn the text of a path into that of a folder that exists."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"is {value!r}, no path: {WANTED[key]}")
        path = self.path.absolute().parent / Path(value).expanduser()
        if not path.is_dir():
            raise self.error(
                key, f"names {path}, which is no folder: paths are relative to the folder of {self.path.name}"
            )
        return path


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())

"""Which files a result can be saved as: one table for the command line, the menus and `phenviz.save`.

How each is written is registered by who can (`writes`): tables in `phenviz.results`, figures in
`phenviz.figures`, those of hypotheses in `phenviz.disease`. This module imports nothing heavy, so that
``phenviz --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Writer = Callable[..., Sequence[Path]]
W = TypeVar("W", bound=Writer)

FIGURE = {".svg": "SVG figure, text stays text", ".pdf": "PDF figure", ".png": "PNG figure, 300 dpi"}
_WHOLE = {".nc": "NetCDF, whole result", ".zarr": "Zarr, whole result", ".parquet": "Parquet, tidy table"}
_INTERVALS = {".bed": "BED intervals", ".bw": "bigWig, one per context"}
_LOCUS = FIGURE | _WHOLE | _INTERVALS
# kind of result -> suffix -> what the file is
FORMATS: dict[str, dict[str, str]] = {
    "prediction": _LOCUS,
    "mutagenesis": _LOCUS,
    "attribution": _LOCUS,
    "haplotypes": _LOCUS
    | {".bed": "BED intervals, one per haplotype", ".bw": "bigWig, one per haplotype and context"},
    "variant effects": FIGURE
    | {".tsv": "TSV, one row per variant", ".tsv.gz": "TSV, compressed"}
    | _WHOLE
    | {".h5ad": "AnnData, for the single-cell toolbox"},
    "gene expression": FIGURE | {".tsv": "TSV, one row per individual, haplotype and gene"} | _WHOLE,
    "effects on expression": FIGURE | {".tsv": "TSV, one row per variant and gene"} | _WHOLE,
    "risk": {
        ".tsv": "TSV tables: scores, genes, alleles",
        ".nc": "NetCDF, whole result",
        ".zarr": "Zarr, whole result",
        ".parquet": "Parquet tables: scores, genes, alleles",
    },
    "measured": FIGURE | {".tsv": "TSV, one row per gene, context, method and split"} | _WHOLE,
    "hypotheses": FIGURE | {".tsv": "TSV, one row per test"} | _WHOLE | {".txt": "Methods paragraph, text"},
    "sequences": {".tsv": "TSV, one row per bin"}
    | _WHOLE
    | {".h5ad": "AnnData, for the single-cell toolbox"},
    # any other table of numbers, such as ablations
    "": _WHOLE,
}
# folders, and what only a command line asks for, are nothing for a browser to download
_NOT_IN_MENUS = (".zarr", ".tsv.gz", ".h5ad")
_WRITERS: dict[tuple[str, str], Writer] = {}


def suffixes_of(*kinds: str) -> tuple[str, ...]:
    """Return the suffixes that results of these kinds can be saved with, figures last, each once."""
    listed = [suffix for kind in kinds for suffix in FORMATS[kind]]
    return tuple(dict.fromkeys([*(suffix for suffix in listed if suffix not in FIGURE), *listed]))


def data_suffixes_of(kind: str) -> tuple[str, ...]:
    """Return the suffixes of a kind's files that hold data."""
    return tuple(suffix for suffix in FORMATS[kind] if suffix not in FIGURE)


def menu_of(kind: str) -> dict[str, str]:
    """Return what each file of a kind is, in words, and its suffix, for a menu of downloads."""
    return {words: suffix for suffix, words in FORMATS[kind].items() if suffix not in _NOT_IN_MENUS}


def suffix_of(path: Path, known: Sequence[str]) -> str | None:
    """Return which of the known suffixes a file's name ends in, the longest one; None if in none."""
    name = path.name.lower()
    fitting = [suffix for suffix in known if name.endswith(suffix) and len(name) > len(suffix)]
    return max(fitting, key=len, default=None)


def writes(kind: str, *suffixes: str) -> Callable[[W], W]:
    """Register ``writer(dataset, path, **how)`` for files of a kind; it returns the paths that it wrote."""

    def register(writer: W) -> W:
        _WRITERS.update(dict.fromkeys(((kind, suffix) for suffix in suffixes), writer))
        return writer

    return register


def writer_of(kind: str, suffix: str) -> Writer | None:
    """Return what writes such a file, if anything that is imported does."""
    return _WRITERS.get((kind, suffix))

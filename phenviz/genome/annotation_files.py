"""Read an annotation from the files people have: GTF, GFF3, BED12 and our own tables."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome.annotation import BAND_COLUMNS, ELEMENT_COLUMNS, GENE_COLUMNS
from phenviz.genome.features import read_gff3, read_gtf

# counts up whenever the same file gives other genes than before
_CACHE_VERSION = 1
# smaller files are read faster than anybody notices
_CACHED_BYTES = 2**20


def read_genes(
    path: str | os.PathLike[str], *, cache_dir: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Read one row a gene (its canonical, else its longest transcript) by the file's suffix.

    Parameters
    ----------
    path
        ``.gtf``, ``.gff3``/``.gff``, ``.bed`` (12 columns) or ``.tsv`` with the columns gene_name,
        gene_id, strand, tx_start, tx_end, exon_starts, exon_ends and, if the file has several contigs,
        contig; each also with ``.gz``. Coordinates as the format has them (GTF and GFF3 1-based).
    cache_dir
        Folder where the genes of a large file are kept, as a whole genome's GTF takes a while to read; None
        for not keeping them.

    Returns
    -------
    pd.DataFrame
        Columns `phenviz.genome.annotation.GENE_COLUMNS`, 0-based half-open.

    Raises
    ------
    DataError
        If the file is missing, of another kind, or holds no gene.
    """
    path = Path(path)
    kind = path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    readers = {
        "gtf": read_gtf,
        "gff3": read_gff3,
        "gff": read_gff3,
        "bed": _read_bed12,
        "tsv": _read_table,
    }
    if kind not in readers:
        raise DataError(f"annotation {path}: give a .gtf, .gff3, .bed (12 columns) or .tsv, plain or .gz")
    kept = _kept_in(cache_dir, path)
    if kept is not None and kept.is_file():
        try:
            return pd.read_parquet(kept)
        except (OSError, ValueError):
            # damaged: what is read below takes its place
            kept.unlink(missing_ok=True)
    genes = _guarded(readers[kind], path, "annotation")
    if genes.empty:
        raise DataError(f"annotation {path} holds no gene with exons: give a complete {kind.upper()} file")
    genes = genes[GENE_COLUMNS].reset_index(drop=True)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        genes.to_parquet(part, index=False)
        part.replace(kept)
    return genes


def _kept_in(cache_dir: str | os.PathLike[str] | None, path: Path) -> Path | None:
    """Name the file that keeps the genes of an annotation: another one for each state of that file."""
    if cache_dir is None or not path.is_file() or (found := path.stat()).st_size < _CACHED_BYTES:
        return None
    state = f"{_CACHE_VERSION}|{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"
    return Path(cache_dir, "annotations", f"{hashlib.sha256(state.encode()).hexdigest()[:16]}.parquet")


def read_bands(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read cytobands: UCSC's cytoBand columns contig, start, end, name, stain, with or without a header."""
    return _guarded(lambda p: _read_headed(p, BAND_COLUMNS), Path(path), "cytobands")


def read_elements(path: str | os.PathLike[str], contig: str | None = None) -> pd.DataFrame:
    """Read regulatory elements: a table with start, end, name (or remo), cell_types joined by ``|``.

    Parameters
    ----------
    path
        Tab-separated, with a header, plain or ``.gz``.
    contig
        Contig of all rows, where the table has no such column.
    """

    def read(path: Path) -> pd.DataFrame:
        table = pd.read_csv(path, sep="\t", dtype={"contig": str}).rename(columns={"remo": "name"})
        if "contig" not in table.columns:
            table["contig"] = contig
        table["cell_types"] = table["cell_types"].fillna("")
        return table[ELEMENT_COLUMNS]

    return _guarded(read, Path(path), "regulatory elements")


def _guarded(reader: Callable[[Path], pd.DataFrame], path: Path, what: str) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{what} {path} is missing: check the path")
    try:
        return reader(path)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, OSError, EOFError) as error:
        raise DataError(f"{what} {path} can't be read: {type(error).__name__}: {error}") from error


def _read_bed12(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", header=None, comment="#")
    if table.shape[1] < 12:
        raise ValueError(f"{table.shape[1]} columns, where BED12 has 12 (with blockSizes and blockStarts)")
    starts = table[1].astype("int64")
    offsets = [_integers(text) for text in table[11]]
    sizes = [_integers(text) for text in table[10]]
    exon_starts = [start + offset for start, offset in zip(starts, offsets, strict=True)]
    genes = pd.DataFrame(
        {
            "contig": table[0].astype(str),
            "start": starts,
            "end": table[2].astype("int64"),
            "strand": table[5].astype(str),
            "gene_name": table[3].astype(str),
            "gene_id": table[3].astype(str),
            "exon_starts": exon_starts,
            "exon_ends": [start + size for start, size in zip(exon_starts, sizes, strict=True)],
        }
    )
    longest = genes.assign(length=[int(size.sum()) for size in sizes]).sort_values("length", ascending=False)
    return longest.drop_duplicates(["contig", "gene_name"])


def _read_table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", dtype={"contig": str})
    if "contig" not in table.columns:
        table["contig"] = _contig_in_name(path)
    return table.rename(columns={"tx_start": "start", "tx_end": "end"}).assign(
        gene_id=table["gene_id"].fillna(""),
        exon_starts=[_integers(text) for text in table["exon_starts"]],
        exon_ends=[_integers(text) for text in table["exon_ends"]],
    )


def _contig_in_name(path: Path) -> str:
    for part in path.name.split("."):
        if part.lower().startswith("chr") and len(part) > 3:
            return part[3:]
    raise ValueError("no column 'contig', and no contig in the file's name (genes.GRCh37.chr20.tsv)")


def _integers(text: str) -> np.ndarray:
    return np.array([int(number) for number in str(text).strip(",").split(",")], dtype=np.int64)


def _read_headed(path: Path, columns: list[str]) -> pd.DataFrame:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        headed = lines.readline().split("\t")[:2] == columns[:2]
    return pd.read_csv(path, sep="\t", header=0 if headed else None, names=columns, dtype={"contig": str})

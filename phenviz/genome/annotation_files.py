"""Read an annotation from the files people have: GTF, GFF3, BED12 and our own tables."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome.annotation import BAND_COLUMNS, ELEMENT_COLUMNS, GENE_COLUMNS
from phenviz.genome.features import read_gff3, read_gtf, stretches

# counts up whenever the same file gives other genes than before
_CACHE_VERSION = 2
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
    return _guarded(_read_bands, Path(path), "cytobands")


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
        if contig is not None and "contig" not in table.columns:
            table["contig"] = contig
        _require(table, ELEMENT_COLUMNS, f"regulatory elements {path}")
        table["start"], table["end"] = _placed(table, f"regulatory elements {path}")
        table["cell_types"] = table["cell_types"].fillna("")
        return table[ELEMENT_COLUMNS]

    return _guarded(read, Path(path), "regulatory elements")


def _guarded(reader: Callable[[Path], pd.DataFrame], path: Path, what: str) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{what} {path} is missing: check the path")
    try:
        return reader(path)
    except (
        KeyError, ValueError, IndexError, TypeError, AttributeError, OSError, EOFError, zlib.error,
    ) as error:  # fmt: skip
        raise DataError(f"{what} {path} can't be read: {type(error).__name__}: {error}") from error


def _require(table: pd.DataFrame, columns: Sequence[str], file: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(
            f"{file} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: give a "
            f"tab-separated table with {', '.join(columns)}"
        )


def _placed(table: pd.DataFrame, file: str, *, headed: bool = True) -> tuple[pd.Series, pd.Series]:
    first = 2 if headed else 1
    return stretches(file, range(first, first + len(table)), table["start"], table["end"])


def _read_bed12(path: Path) -> pd.DataFrame:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        # genome browsers' own lines say how to draw, not what lies where
        kept = [
            (number, line)
            for number, line in enumerate(lines, 1)
            if line.strip() and line.split(maxsplit=1)[0] not in ("track", "browser") and line[0] != "#"
        ]
    numbers = [number for number, _ in kept]
    table = pd.read_csv(io.StringIO("".join(line for _, line in kept)), sep="\t", header=None, dtype={0: str})
    if table.shape[1] < 12:
        raise ValueError(f"{table.shape[1]} columns, where BED12 has 12 (with blockSizes and blockStarts)")
    starts, ends = stretches(f"annotation {path}", numbers, table[1], table[2])
    sizes, offsets = _blocks(path, numbers, table[10], table[11])
    exon_starts = [start + offset for start, offset in zip(starts, offsets, strict=True)]
    genes = pd.DataFrame(
        {
            "contig": table[0],
            "start": starts,
            "end": ends,
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
    table = table.rename(columns={"tx_start": "start", "tx_end": "end"})
    if "contig" not in table.columns:
        table["contig"] = _contig_in_name(path)
    _require(table, GENE_COLUMNS, f"annotation {path}")
    numbers = range(2, 2 + len(table))
    table["start"], table["end"] = _placed(table, f"annotation {path}")
    table["exon_starts"], table["exon_ends"] = _blocks(
        path, numbers, table["exon_starts"], table["exon_ends"]
    )
    return table.assign(gene_id=table["gene_id"].fillna(""))


def _blocks(
    path: Path, numbers: Sequence[int], one: pd.Series, other: pd.Series
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Read two columns of numbers joined by commas, as many in the one as in the other."""
    pairs = [(_integers(first), _integers(second)) for first, second in zip(one, other, strict=True)]
    for number, (first, second) in zip(numbers, pairs, strict=True):
        if len(first) != len(second):
            raise DataError(
                f"annotation {path}, line {number}: lists of {len(first)} and {len(second)} exons (blocks): "
                "give a start and an end (in BED12 a size and a start) for each"
            )
    return [first for first, _ in pairs], [second for _, second in pairs]


def _contig_in_name(path: Path) -> str:
    for part in path.name.split("."):
        if part.lower().startswith("chr") and len(part) > 3:
            return part[3:]
    raise ValueError("no column 'contig', and no contig in the file's name (genes.GRCh37.chr20.tsv)")


def _integers(text: str) -> np.ndarray:
    return np.array([int(number) for number in str(text).strip(",").split(",")], dtype=np.int64)


def _read_bands(path: Path) -> pd.DataFrame:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        first = lines.readline().rstrip("\n").split("\t")
    if len(first) < len(BAND_COLUMNS):
        raise DataError(
            f"cytobands {path}, line 1: {len(first)} of the columns {', '.join(BAND_COLUMNS)}: give all, "
            "separated by tabs, as UCSC's cytoBand table has them"
        )
    headed = first[:2] == BAND_COLUMNS[:2] or first[0].startswith("#")
    table = pd.read_csv(
        path, sep="\t", header=0 if headed else None, names=BAND_COLUMNS, dtype={"contig": str}
    )
    table["start"], table["end"] = _placed(table, f"cytobands {path}", headed=headed)
    return table

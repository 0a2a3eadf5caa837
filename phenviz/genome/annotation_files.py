"""Read an annotation from the files people have: GTF, GFF3, BED12 and our own tables."""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.errors import DataError
from phenviz.genome.annotation import BAND_COLUMNS, ELEMENT_COLUMNS, GENE_COLUMNS
from phenviz.genome.features import holds_gtf_attributes, interval
from phenviz.genome.gene_models import transcript_table
from phenviz.genome.gff3 import read_gff3
from phenviz.genome.gtf import read_gtf
from phenviz.genome.text_lines import is_remark, read_table, text_lines, whole_number

logger = logging.getLogger(__name__)

# counts up whenever the same file gives other genes than before
_CACHE_VERSION = 3
# smaller files are read faster than anybody notices
_CACHED_BYTES = 2**20


def read_genes(
    path: str | os.PathLike[str], *, cache_dir: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    """Read one row per gene (its canonical, else its longest transcript) by the file's suffix.

    What had to be left out is logged as a warning, and kept in the table's ``attrs["notes"]``.

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
        "gtf": _read_features,
        "gff3": _read_features,
        "gff": _read_features,
        "bed": _read_bed12,
        "tsv": _read_gene_table,
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
        said = "".join(f"; {note}" for note in genes.attrs.get("notes", ()))
        raise DataError(
            f"annotation {path} holds no gene with exons: give a complete {kind.upper()} file{said}"
        )
    genes = genes[GENE_COLUMNS].reset_index(drop=True)
    for note in genes.attrs.get("notes", ()):
        logger.warning("%s", note)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        genes.to_parquet(part, index=False)
        part.replace(kept)
    return genes


def read_transcripts(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read one row per transcript, of the kinds of files that `read_genes` reads.

    Returns
    -------
    pd.DataFrame
        Columns `phenviz.genome.annotation.GENE_COLUMNS`; gene_id holds the id of the transcript.

    Raises
    ------
    DataError
        As `read_genes`.
    """
    path = Path(path)
    kind = path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    if kind not in ("gtf", "gff3", "gff"):
        return read_genes(path)
    named_gtf = kind == "gtf"
    read = read_gtf if holds_gtf_attributes(path, named_gtf) else read_gff3
    return _guarded(lambda file: read(file, transcript_table), path, "transcripts")[GENE_COLUMNS]


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
        table = read_table(path, "regulatory elements").rename(columns={"remo": "name"})
        if contig is not None and "contig" not in table.columns:
            table["contig"] = contig
        _require(table, ELEMENT_COLUMNS, f"regulatory elements {path}")
        table["start"], table["end"] = _placed(table, f"regulatory elements {path}")
        return table[ELEMENT_COLUMNS].reset_index(drop=True)

    return _guarded(read, Path(path), "regulatory elements")


def _guarded(reader: Callable[[Path], pd.DataFrame], path: Path, what: str) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{what} {path} is missing: check the path")
    try:
        return reader(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{what} {path} can't be read ({error}): give a whole file") from error


def _require(table: pd.DataFrame, columns: Sequence[str], file: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(
            f"{file} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: give a "
            f"tab-separated table with {', '.join(columns)}"
        )


def _placed(table: pd.DataFrame, file: str) -> tuple[pd.Series, pd.Series]:
    """Return the positions of a table's rows, whose index holds the numbers of their lines."""
    texts = table["start"], table["end"]
    whole = [text.where(text.str.fullmatch("[0-9]{1,15}"), "-1").astype("int64") for text in texts]
    wrong = (whole[0] < 0) | (whole[1] <= whole[0])
    for number in table.index[wrong][:1]:
        interval(file, number, texts[0][number], texts[1][number])
    return whole[0], whole[1]


def _read_features(path: Path) -> pd.DataFrame:
    named_gtf = path.name.lower().removesuffix(".gz").endswith(".gtf")
    return read_gtf(path) if holds_gtf_attributes(path, named_gtf) else read_gff3(path)


def _read_bed12(path: Path) -> pd.DataFrame:
    best: dict[tuple[str, str], tuple[int, tuple[object, ...]]] = {}
    reached: dict[tuple[str, str], tuple[int, int]] = {}
    copies = 0
    for number, line in text_lines(path):
        if is_remark(line):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 12:
            raise DataError(
                f"annotation {path}, line {number}: {len(cells)} columns, where BED12 has 12 (with "
                "blockSizes and blockStarts): give genes with their exons"
            )
        contig, name, strand = cells[0], cells[3], cells[5] if cells[5] in ("+", "-") else "."
        start, end = interval(f"annotation {path}", number, cells[1], cells[2])
        sizes, offsets = _blocks(path, number, cells[10], cells[11])
        starts, ends = _exons(path, number, (start, end), start + offsets, start + offsets + sizes)
        row = contig, start, end, strand, name, name, starts, ends
        length = int(sizes.sum())
        first, last = reached.get((contig, name), (start, end))
        copies += start >= last or end <= first
        reached[contig, name] = min(start, first), max(end, last)
        if length > best.get((contig, name), (0,))[0]:
            best[contig, name] = length, row
    genes = pd.DataFrame([row for _, row in best.values()], columns=GENE_COLUMNS)
    if copies:
        lines = "1 line repeats" if copies == 1 else f"{copies:,} lines repeat"
        genes.attrs["notes"] = [
            f"{path.name}: {lines} a name elsewhere on its contig: the longest of each name is kept"
        ]
    return genes


def _read_gene_table(path: Path) -> pd.DataFrame:
    what = "annotation"
    table = read_table(path, what).rename(columns={"tx_start": "start", "tx_end": "end"})
    if "contig" not in table.columns:
        table["contig"] = _contig_in_name(path)
    _require(table, GENE_COLUMNS, f"{what} {path}")
    table["start"], table["end"] = _placed(table, f"{what} {path}")
    exons = [
        _exons(path, number, (start, end), *_blocks(path, number, one, other))
        for number, start, end, one, other in zip(
            table.index, table["start"], table["end"], table["exon_starts"], table["exon_ends"], strict=True
        )
    ]
    return table.assign(exon_starts=[starts for starts, _ in exons], exon_ends=[ends for _, ends in exons])


def _blocks(path: Path, number: int, one: str, other: str) -> tuple[np.ndarray, np.ndarray]:
    """Read two lists of numbers joined by commas, as many in the one as in the other."""
    lists = [[whole_number(text) for text in cell.rstrip(", ").split(",")] for cell in (one, other)]
    if len(lists[0]) != len(lists[1]):
        raise DataError(
            f"annotation {path}, line {number}: lists of {len(lists[0])} and {len(lists[1])} exons (blocks): "
            "give a start and an end (in BED12 a size and a start) for each"
        )
    if None in lists[0] or None in lists[1]:
        raise DataError(
            f"annotation {path}, line {number}: {one!r} and {other!r} are no lists of exons (blocks): give "
            "whole numbers joined by commas"
        )
    return np.array(lists[0], dtype=np.int64), np.array(lists[1], dtype=np.int64)


def _exons(
    path: Path, number: int, gene: tuple[int, int], starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return exons by start; raise where one leaves its gene."""
    order = np.argsort(starts, kind="stable")
    if (starts >= ends).any() or starts.min() < gene[0] or ends.max() > gene[1]:
        raise DataError(
            f"annotation {path}, line {number}: an exon (block) is empty or leaves its gene, which is "
            f"{gene[0]} to {gene[1]}: give exons inside of it"
        )
    return starts[order], ends[order]


def _contig_in_name(path: Path) -> str:
    for part in path.name.split("."):
        if part.lower().startswith("chr") and len(part) > 3:
            return part[3:]
    raise DataError(
        f"annotation {path} has no column 'contig', and no contig in its name: call it like "
        "genes.GRCh37.chr20.tsv, or add the column"
    )


def _read_bands(path: Path) -> pd.DataFrame:
    table = read_table(path, "cytobands", BAND_COLUMNS)
    table["start"], table["end"] = _placed(table, f"cytobands {path}")
    return table.reset_index(drop=True)

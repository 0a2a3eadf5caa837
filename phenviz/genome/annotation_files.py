"""Read an annotation from the files people have: GTF, GFF3, BED12 and our own tables."""

from __future__ import annotations

import gzip
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyranges

from phenviz.errors import DataError
from phenviz.genome.annotation import BAND_COLUMNS, ELEMENT_COLUMNS, GENE_COLUMNS

_GENE_FEATURES = ("gene", "ncRNA_gene", "pseudogene")


def read_genes(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read one row a gene (its canonical, else its longest transcript) by the file's suffix.

    Parameters
    ----------
    path
        ``.gtf``, ``.gff3``/``.gff``, ``.bed`` (12 columns) or ``.tsv`` with the columns gene_name,
        gene_id, strand, tx_start, tx_end, exon_starts, exon_ends and, if the file has several contigs,
        contig; each also with ``.gz``. Coordinates as the format has them (GTF and GFF3 1-based).

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
        "gtf": _read_gtf,
        "gff3": _read_gff3,
        "gff": _read_gff3,
        "bed": _read_bed12,
        "tsv": _read_table,
    }
    if kind not in readers:
        raise DataError(f"annotation {path}: give a .gtf, .gff3, .bed (12 columns) or .tsv, plain or .gz")
    genes = _guarded(readers[kind], path, "annotation")
    if genes.empty:
        raise DataError(f"annotation {path} holds no gene with exons: give a complete {kind.upper()} file")
    return genes[GENE_COLUMNS]


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


def _features(read: Callable[..., pd.DataFrame], path: Path) -> pd.DataFrame:
    # pyranges 0.1 leaves its file open and uses pandas options that pandas 3.1 deprecates
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return read(str(path), as_df=True)


def _read_gtf(path: Path) -> pd.DataFrame:
    table = _features(pyranges.read_gtf, path)
    for column in ("gene_name", "tag"):
        if column not in table:
            table[column] = ""
    table["gene_name"] = table["gene_name"].fillna("").where(lambda name: name != "", table["gene_id"])
    exons = table[table["Feature"] == "exon"]
    return _genes_from_exons(exons, canonical=exons["tag"].astype(str).str.contains("canonical", case=False))


def _read_gff3(path: Path) -> pd.DataFrame:
    table = _features(pyranges.read_gff3, path)
    for column in ("ID", "Parent", "Name", "gene_id", "gene_name", "tag"):
        if column not in table:
            table[column] = ""
        table[column] = table[column].fillna("").astype(str)
    genes = table[table["Feature"].isin(_GENE_FEATURES)].set_index("ID")
    parent = table.set_index("ID")["Parent"]
    parent = parent[~parent.index.duplicated()]
    exons = table[table["Feature"] == "exon"].copy()
    exons["transcript_id"] = exons["Parent"].str.split(",").str[0]
    gene_key = exons["transcript_id"].map(parent).fillna("")
    known = gene_key.isin(genes.index)
    exons, gene_key = exons[known], gene_key[known]
    genes = genes[~genes.index.duplicated()]
    stable = genes["gene_id"].where(genes["gene_id"] != "", genes.index.str.removeprefix("gene:"))
    symbol = (
        genes["gene_name"].where(genes["gene_name"] != "", genes["Name"]).where(lambda s: s != "", stable)
    )
    exons["gene_id"], exons["gene_name"] = gene_key.map(stable), gene_key.map(symbol)
    transcript_tag = table.drop_duplicates("ID").set_index("ID")["tag"]
    tags = exons["transcript_id"].map(transcript_tag).fillna("")
    return _genes_from_exons(exons, canonical=tags.str.contains("canonical", case=False))


def _genes_from_exons(exons: pd.DataFrame, canonical: pd.Series) -> pd.DataFrame:
    exons = exons.assign(canonical=canonical.to_numpy(), length=exons["End"] - exons["Start"])
    keys = ["Chromosome", "gene_id", "transcript_id"]
    exons = exons.sort_values("Start")
    transcripts = exons.groupby(keys, sort=False, observed=True).agg(
        start=("Start", "min"),
        end=("End", "max"),
        strand=("Strand", "first"),
        gene_name=("gene_name", "first"),
        canonical=("canonical", "any"),
        length=("length", "sum"),
        exon_starts=("Start", lambda values: values.to_numpy(dtype=np.int64)),
        exon_ends=("End", lambda values: values.to_numpy(dtype=np.int64)),
    )
    best = transcripts.reset_index().sort_values(["canonical", "length"], ascending=False, kind="stable")
    genes = best.drop_duplicates(["Chromosome", "gene_id"]).rename(columns={"Chromosome": "contig"})
    return genes.assign(contig=genes["contig"].astype(str), strand=genes["strand"].astype(str))


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

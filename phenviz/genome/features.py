"""Genes from GTF and GFF3: lines of features, whose last column holds attributes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from phenviz.errors import DataError

_COLUMNS = {0: "Chromosome", 2: "Feature", 3: "Start", 4: "End", 6: "Strand", 8: "attributes"}
_GENE_FEATURES = ("gene", "ncRNA_gene", "pseudogene")
# much of a file, and of no use for exons and their genes
_LEFT_OUT = ("CDS", "UTR", "five_prime_UTR", "three_prime_UTR", "start_codon", "stop_codon", "Selenocysteine")
_LINES_AT_ONCE = 500_000
# RefSeq keeps the symbol in "gene"
_GTF_KEYS = {"gene_id": "gene_id", "transcript_id": "transcript_id", "gene_name": "gene(?:_name)?"}
_GTF = {column: rf'(?:^|;)\s*{key} "?([^";]*)' for column, key in _GTF_KEYS.items()}
# what RefSeq has instead of Ensembl's canonical transcript
_SELECTED = r"(?:MANE|RefSeq)(?:[ _]|%20)Select"
# a transcript has many tags
_GTF_CANONICAL = rf'tag "?({_SELECTED}|[^";]*[Cc]anonical)'
# Ensembl's and RefSeq's
_ID_PREFIX = "^gene[:-]"
_GFF3 = {key: rf"(?:^|;)\s*{key}=([^;]*)" for key in ("ID", "Parent", "Name", "gene_id", "gene_name", "tag")}


def read_gtf(path: Path) -> pd.DataFrame:
    """Read one row a gene from a GTF: its canonical, else its longest transcript.

    pyranges reads all attributes of all lines in Python, which takes minutes for the GTF of a whole genome;
    the few that are needed here are found eight times as fast by pandas.

    Parameters
    ----------
    path
        Plain or ``.gz``.

    Returns
    -------
    pd.DataFrame
        Columns `phenviz.genome.annotation.GENE_COLUMNS` and others, 0-based half-open.
    """
    table = _features(path, {**_GTF, "canonical": _GTF_CANONICAL}, ("gene", *_LEFT_OUT))
    # any line of a transcript may say so
    canonical = (table["canonical"] != "").groupby(table["transcript_id"]).transform("any")
    exons = table[table["Feature"] == "exon"].copy()
    named = exons["gene_name"] != ""
    if (exons["gene_id"] == exons["transcript_id"]).all() and named.any():
        exons["gene_id"] = exons["gene_id"].where(~named, _ids_by_name(exons))
    exons["gene_name"] = exons["gene_name"].where(named, exons["gene_id"])
    return _genes_from_exons(exons, canonical=canonical[exons.index])


def _ids_by_name(exons: pd.DataFrame) -> pd.Series:
    """Make ids of genes where each transcript is its own gene, as UCSC writes it: the first transcript's id.

    Transcripts of one name that overlap on a strand belong together; others are copies (``Y_RNA``).
    """
    keys = ["Chromosome", "Strand", "gene_name"]
    spans = exons.groupby([*keys, "transcript_id"], sort=False).agg(
        start=("Start", "min"), end=("End", "max")
    )
    spans = spans.reset_index().sort_values([*keys, "start"], kind="stable")
    spans["reached"] = spans.groupby(keys)["end"].cummax()
    first = ~(spans["start"] < spans.groupby(keys)["reached"].shift())
    spans["gene"] = spans["transcript_id"].where(first).ffill()
    keys.append("transcript_id")
    return exons[keys].merge(spans[[*keys, "gene"]], how="left")["gene"].set_axis(exons.index)


def read_gff3(path: Path) -> pd.DataFrame:
    """Read one row a gene from a GFF3; as `read_gtf`."""
    table = _features(path, _GFF3, _LEFT_OUT)
    genes = table[table["Feature"].isin(_GENE_FEATURES)].set_index("ID")
    named = table[table["ID"] != ""].drop_duplicates("ID").set_index("ID")
    exons = table[table["Feature"] == "exon"].copy()
    exons["transcript_id"] = exons["Parent"].str.split(",").str[0]
    gene_key = exons["transcript_id"].map(named["Parent"]).fillna("")
    known = gene_key.isin(genes.index)
    exons, gene_key = exons[known], gene_key[known]
    genes = genes[~genes.index.duplicated()]
    stable = genes["gene_id"].where(
        genes["gene_id"] != "", genes.index.str.replace(_ID_PREFIX, "", regex=True)
    )
    symbol = (
        genes["gene_name"].where(genes["gene_name"] != "", genes["Name"]).where(lambda s: s != "", stable)
    )
    exons = exons.assign(gene_id=gene_key.map(stable), gene_name=gene_key.map(symbol.map(unquote)))
    tags = exons["transcript_id"].map(named["tag"]).fillna("")
    return _genes_from_exons(exons, canonical=tags.str.contains(f"canonical|{_SELECTED}", case=False))


def _features(path: Path, attributes: Mapping[str, str], leave_out: tuple[str, ...]) -> pd.DataFrame:
    """Read lines of features, in pieces so that a whole genome's attributes are never held at once.

    Parameters
    ----------
    path
        GTF or GFF3.
    attributes
        Column -> regular expression with one group; empty text where it isn't found.
    leave_out
        Features to skip.
    """
    parts = []
    with pd.read_csv(
        path, sep="\t", header=None, names=range(9), usecols=list(_COLUMNS), dtype=str,
        quoting=csv.QUOTE_NONE, chunksize=_LINES_AT_ONCE, skip_blank_lines=False,
    ) as pieces:  # fmt: skip
        for piece in pieces:
            lines = piece.rename(columns=_COLUMNS)
            # comments have one column only
            lines = lines[lines["Feature"].notna() & ~lines["Feature"].isin(leave_out)]
            text = lines.pop("attributes").fillna("")
            found = {
                key: text.str.extract(pattern, expand=False).fillna("") for key, pattern in attributes.items()
            }
            place = f"annotation {path}"
            start, end = stretches(place, lines.index + 1, lines["Start"], lines["End"], first_base=1)
            parts.append(lines.assign(Start=start, End=end, **found))
    return pd.concat(parts, ignore_index=True)


def stretches(
    file: str, numbers: Sequence[int], start: pd.Series, end: pd.Series, *, first_base: int = 0
) -> tuple[pd.Series, pd.Series]:
    """Return the positions of lines, 0-based half-open.

    Parameters
    ----------
    file
        What it holds, and its path.
    numbers
        Of the lines, in the file.
    start, end
        As the file has them.
    first_base
        0 or 1, the number of a contig's first base in this format.

    Raises
    ------
    DataError
        If a line holds no positions, or an end before its start.
    """
    starts, ends = pd.to_numeric(start, errors="coerce") - first_base, pd.to_numeric(end, errors="coerce")
    wrong = np.flatnonzero(~((starts >= 0) & (ends > starts)))
    if len(wrong):
        row = wrong[0]
        raise DataError(
            f"{file}, line {numbers[row]}: start {start.iloc[row]} and end {end.iloc[row]} are no stretch of "
            f"bases: give whole numbers from {first_base} on, the smaller one first"
        )
    return starts.astype("int64"), ends.astype("int64")


def _genes_from_exons(exons: pd.DataFrame, canonical: pd.Series) -> pd.DataFrame:
    exons = exons.assign(canonical=canonical.to_numpy(), length=exons["End"] - exons["Start"])
    keys = ["Chromosome", "gene_id", "transcript_id"]
    transcripts = exons.groupby(keys, sort=False).agg(
        start=("Start", "min"),
        end=("End", "max"),
        strand=("Strand", "first"),
        gene_name=("gene_name", "first"),
        canonical=("canonical", "any"),
        length=("length", "sum"),
    )
    best = transcripts.reset_index().sort_values(["canonical", "length"], ascending=False, kind="stable")
    genes = best.drop_duplicates(["Chromosome", "gene_id"]).reset_index(drop=True)
    # only now the exons themselves: a gene has many transcripts, and one of them is kept
    own = genes[keys].assign(gene=np.arange(len(genes))).merge(exons[[*keys, "Start", "End"]], on=keys)
    own = own.sort_values(["gene", "Start"])
    cuts = np.searchsorted(own["gene"], np.arange(1, len(genes)))
    for name, column in (("exon_starts", "Start"), ("exon_ends", "End")):
        genes[name] = np.split(own[column].to_numpy(dtype=np.int64), cuts) if len(genes) else []
    return genes.rename(columns={"Chromosome": "contig"})

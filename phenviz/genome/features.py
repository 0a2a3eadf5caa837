"""Genes from GTF and GFF3: lines of features, whose last column holds attributes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

_COLUMNS = {0: "Chromosome", 2: "Feature", 3: "Start", 4: "End", 6: "Strand", 8: "attributes"}
_GENE_FEATURES = ("gene", "ncRNA_gene", "pseudogene")
# much of a file, and of no use for exons and their genes
_LEFT_OUT = ("CDS", "UTR", "five_prime_UTR", "three_prime_UTR", "start_codon", "stop_codon", "Selenocysteine")
_LINES_AT_ONCE = 500_000
_GTF = {key: rf'(?:^|;)\s*{key} "?([^";]*)' for key in ("gene_id", "transcript_id", "gene_name")}
# a transcript has many tags
_GTF_CANONICAL = r'((?i:tag "?[^";]*canonical))'
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
    exons = _features(path, {**_GTF, "canonical": _GTF_CANONICAL}, ("gene", "transcript", *_LEFT_OUT))
    exons = exons[exons["Feature"] == "exon"].copy()
    exons["gene_name"] = exons["gene_name"].where(exons["gene_name"] != "", exons["gene_id"])
    return _genes_from_exons(exons, canonical=exons["canonical"] != "")


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
    stable = genes["gene_id"].where(genes["gene_id"] != "", genes.index.str.removeprefix("gene:"))
    symbol = (
        genes["gene_name"].where(genes["gene_name"] != "", genes["Name"]).where(lambda s: s != "", stable)
    )
    exons = exons.assign(gene_id=gene_key.map(stable), gene_name=gene_key.map(symbol.map(unquote)))
    tags = exons["transcript_id"].map(named["tag"]).fillna("")
    return _genes_from_exons(exons, canonical=tags.str.contains("canonical", case=False))


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
        quoting=csv.QUOTE_NONE, chunksize=_LINES_AT_ONCE,
    ) as pieces:  # fmt: skip
        for piece in pieces:
            lines = piece.rename(columns=_COLUMNS)
            # comments have one column only
            lines = lines[lines["Feature"].notna() & ~lines["Feature"].isin(leave_out)]
            text = lines.pop("attributes").fillna("")
            found = {
                key: text.str.extract(pattern, expand=False).fillna("") for key, pattern in attributes.items()
            }
            parts.append(
                lines.assign(
                    Start=lines["Start"].astype("int64") - 1, End=lines["End"].astype("int64"), **found
                )
            )
    return pd.concat(parts, ignore_index=True)


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

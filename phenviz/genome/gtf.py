"""Genes from a GTF."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from phenviz.errors import DataError
from phenviz.genome.features import Attributes, first_of, gtf_attributes, read_features
from phenviz.genome.gene_models import (
    GENE,
    PART,
    Models,
    Transcript,
    gene_table,
    is_canonical,
    source_of,
)

_GENE, _TRANSCRIPT = ("gene_id",), ("transcript_id",)
# RefSeq's symbol is in "gene", FlyBase's in "gene_symbol"
_SYMBOL = ("gene_name", "gene", "gene_symbol")
_NAMES = {*_GENE, *_TRANSCRIPT, *_SYMBOL}


def read_gtf(path: Path, table: Callable[[Path, Models], pd.DataFrame] = gene_table) -> pd.DataFrame:
    """Read one row per gene from a GTF: its canonical, else its longest transcript.

    Parameters
    ----------
    path
        Plain or gzip.

    Returns
    -------
    pd.DataFrame
        Columns `phenviz.genome.annotation.GENE_COLUMNS`, 0-based half-open; ``attrs["notes"]`` says in words
        what was left out.

    Raises
    ------
    DataError
        If a line isn't one of a GTF.
    """
    models, lost = Models(), Counter[int]()
    for feature in read_features(path):
        source = source_of(feature.kind)
        if source is None:
            continue
        attributes = _attributes(feature.attributes)
        gene, name, symbol = (first_of(attributes, keys) for keys in (_GENE, _TRANSCRIPT, _SYMBOL))
        if '"' in gene + name + symbol:
            raise DataError(
                f"annotation {path}, line {feature.number}: a quote of its attributes isn't closed, or a "
                'semicolon is missing: write them as gene_id "G1"; transcript_id "T1";'
            )
        if not gene:
            lost[feature.number] += source <= PART
            continue
        key = feature.contig, gene, "" if source == GENE else name, feature.strand
        transcript = models.transcripts.get(key) or models.transcripts.setdefault(key, Transcript())
        transcript.add(source, feature.start, feature.end)
        # any line of a transcript may say so
        transcript.canonical |= is_canonical(attributes)
        if symbol:
            models.symbols.setdefault((feature.contig, gene), symbol)
    if not any(transcript.exon_lines() for transcript in models.transcripts.values()):
        # GTF is made for exons, so this is a part of a file
        models.transcripts.clear()
    models.note_lost(path, lost, "without a gene_id")
    _join_by_name(models)
    return table(path, models)


def _attributes(text: str) -> Attributes:
    """Read a line's ids, symbol and tags; most lines begin with the names and have no tag that matters."""
    found: Attributes = {}
    lower = text.lower()
    tagged = "canonical" in lower or "select" in lower
    for key, value in gtf_attributes(text):
        if key in _NAMES or key == "tag":
            found.setdefault(key, []).append(value)
        if not tagged and len(_NAMES & found.keys()) == 3:
            break
    return found


def _join_by_name(models: Models) -> None:
    """Join transcripts where each is its own gene, as UCSC writes it, under the first one's id.

    Transcripts of one name that overlap on a strand belong together; others are copies (``Y_RNA``).
    """
    if not models.symbols or any(gene != name for _, gene, name, _ in models.transcripts):
        return
    named = defaultdict(list)
    for key, transcript in models.transcripts.items():
        contig, gene, _, strand = key
        if symbol := models.symbols.get((contig, gene)):
            exons = transcript.exons()[1]
            named[contig, strand, symbol].append((exons[0][0], max(end for _, end in exons), key))
    for (_, _, symbol), found in named.items():
        reached, first = -1, ""
        for start, end, key in sorted(found, key=lambda one: one[0]):
            contig, gene, name, strand = key
            if start >= reached:
                first = gene
            reached = max(reached, end)
            models.transcripts[contig, first, name, strand] = models.transcripts.pop(key)
            models.symbols[contig, first] = symbol

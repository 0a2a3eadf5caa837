"""Genes from a GFF3."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from phenviz.genome.features import Attributes, first_of, gff3_attributes, read_features
from phenviz.genome.gene_models import (
    EXON,
    GENE,
    PART,
    Models,
    Transcript,
    gene_table,
    is_canonical,
    source_of,
)

# Ensembl's and RefSeq's, before the id that people know
_ID_PREFIX = re.compile("^gene[:-]")
# a transcript without a gene may say which one it has, as gffread writes it
_GENE_ID = ("gene_id", "geneID")
_SYMBOL = ("gene_name", "Name", "gene", "gene_symbol")


@dataclass(frozen=True, slots=True)
class _Node:
    """A feature that others may be part of."""

    is_gene: bool
    parents: tuple[str, ...]
    gene_id: str
    symbol: str
    canonical: bool

    @classmethod
    def of(cls, is_gene: bool, parents: tuple[str, ...], attributes: Attributes) -> _Node:
        """Keep what is needed of a feature's attributes."""
        # "Name" is that of the transcript where there is no gene
        symbol = first_of(attributes, _SYMBOL if is_gene else ("gene_name", "gene"))
        return cls(is_gene, parents, first_of(attributes, _GENE_ID), symbol, is_canonical(attributes))


@dataclass(slots=True)
class _Lines:
    """Lines of one parent on one strand, and the number of the first."""

    first: int
    transcript: Transcript


def read_gff3(path: Path, table: Callable[[Path, Models], pd.DataFrame] = gene_table) -> pd.DataFrame:
    """Read one row per gene from a GFF3; as `phenviz.genome.gtf.read_gtf`.

    Exons may have several parents, or a gene as their parent. A transcript without a gene is one by itself,
    and so is a coding sequence that stands alone, as in bacteria.
    """
    nodes: dict[str, _Node] = {}
    lines: dict[tuple[str, str, str], _Lines] = {}
    lost = Counter[int]()
    for feature in read_features(path):
        source, attributes = source_of(feature.kind), gff3_attributes(feature.attributes)
        name, parents = first_of(attributes, ["ID"]), tuple(filter(None, attributes.get("Parent", ())))
        is_part = source in (EXON, PART) and bool(parents or feature.kind != "CDS")
        if source == GENE and not name and first_of(attributes, _SYMBOL):
            # what nothing is part of needs no ID
            name = f"\t{feature.number}"
        if name and not is_part:
            nodes.setdefault(name, _Node.of(source == GENE, parents, attributes))
        if source is None:
            continue
        owners = parents if is_part else (name,) * bool(name)
        if not owners and not parents:
            lost[feature.number] += 1
        for owner in owners:
            key = owner, feature.contig, feature.strand
            one = lines.setdefault(key, _Lines(feature.number, Transcript()))
            one.transcript.add(source, feature.start, feature.end)
    return table(path, _models(path, nodes, lines, lost))


def _models(
    path: Path, nodes: dict[str, _Node], lines: dict[tuple[str, str, str], _Lines], lost: Counter[int]
) -> Models:
    """Give each parent's lines to the genes that it is part of."""
    models = Models()
    for (owner, contig, strand), one in lines.items():
        genes = _genes_of(owner, nodes)
        if not genes:
            lost[one.first] += one.transcript.exon_lines()
            continue
        one.transcript.canonical = nodes[owner].canonical
        for gene in genes:
            node = nodes[gene]
            key = gene if node.is_gene or not node.gene_id else node.gene_id
            models.ids[key] = node.gene_id or _ID_PREFIX.sub("", gene).partition("\t")[0]
            if node.symbol:
                models.symbols.setdefault((contig, key), node.symbol)
            models.transcripts[contig, key, owner, strand] = one.transcript
    models.note_lost(path, lost, "of no gene or transcript of the file")
    return models


def _genes_of(name: str, nodes: dict[str, _Node]) -> list[str]:
    """Return the genes that a feature is part of: itself if it is one, or part of nothing."""
    genes, seen, ahead = [], {name}, [name]
    while ahead:
        current = ahead.pop()
        node = nodes.get(current)
        if node is None:
            continue
        if node.is_gene or not node.parents:
            genes.append(current)
            continue
        fresh = [parent for parent in node.parents if parent not in seen]
        seen.update(fresh)
        ahead += fresh
    return genes

"""Genes from the transcripts that a GTF or GFF3 holds: each by its canonical, else its longest one."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from phenviz.genome.annotation import GENE_COLUMNS
from phenviz.genome.features import Attributes
from phenviz.genome.intervals import merged

# Where a transcript's exons come from, the best first: its exons; else its coding sequence and UTRs, which
# make them up; else its own line; and for a gene without any of these, the gene's line.
EXON, PART, TRANSCRIPT, GENE = range(4)
_PARTS = {"CDS", "start_codon", "stop_codon", "UTR", "5UTR", "3UTR"} | {
    f"{end}_prime_{name}" for end in ("five", "three") for name in ("UTR", "utr")
}
_GENES = re.compile(r"(\w+_)?(pseudo)?gene")
# mRNA, tRNA, primary_transcript, V_gene_segment
_TRANSCRIPTS = re.compile(r"\w*(RNA|transcript|gene_segment)")
# of the transcript that stands for its gene: what Ensembl says, and in its place RefSeq
_CANONICAL = {"canonical", "ensembl canonical", "mane select", "refseq select"}
_OPPOSITE = {"+": "-", "-": "+"}


@dataclass(slots=True)
class Transcript:
    """Lines of one transcript on one strand, by where its exons may come from."""

    canonical: bool = False
    lines: dict[int, array[int]] = field(default_factory=dict)

    def add(self, source: int, start: int, end: int) -> None:
        """Add a line's place."""
        self.lines.setdefault(source, array("q")).extend((start, end))

    def exon_lines(self) -> int:
        """Return how many lines say where exons are."""
        return sum(len(places) // 2 for source, places in self.lines.items() if source <= PART)

    def exons(self) -> tuple[int, list[tuple[int, int]]]:
        """Return the best source of exons, and the exons by start."""
        source = min(self.lines)
        places = self.lines[source]
        exons = sorted(set(zip(places[::2], places[1::2], strict=True)))
        return source, merged(exons) if source == PART else exons


@dataclass(frozen=True, slots=True)
class _Choice:
    """The transcript that stands for a gene: the larger its rank, the better."""

    rank: tuple[int, bool, int]
    name: str
    strand: str
    exons: list[tuple[int, int]]


@dataclass(slots=True)
class Models:
    """Transcripts of a file by contig, gene, name and strand; ids and symbols of genes, where they differ."""

    transcripts: dict[tuple[str, str, str, str], Transcript] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    symbols: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note_lost(self, path: Path, numbers: Counter[int], which: str) -> None:
        """Say how many lines of exons were left out, from their count by the number of the first."""
        if count := numbers.total():
            first = min(number for number, behind in numbers.items() if behind)
            lines, were = ("line", "was") if count == 1 else ("lines", "were")
            self.notes.append(
                f"{path.name}: {count:,} {lines} {which} {were} left out (the first is line {first:,})"
            )


def source_of(kind: str) -> int | None:
    """Return what a kind of feature says about a transcript; None if nothing."""
    if kind == "exon":
        return EXON
    if kind in _PARTS:
        return PART
    if _GENES.fullmatch(kind):
        return GENE
    return TRANSCRIPT if _TRANSCRIPTS.fullmatch(kind) else None


def is_canonical(attributes: Attributes) -> bool:
    """Tell whether a line's tags say that its transcript stands for the gene."""
    return any(tag.strip().replace("_", " ").lower() in _CANONICAL for tag in attributes.get("tag", ()))


def gene_table(path: Path, models: Models) -> pd.DataFrame:
    """Return one row per gene and contig, with what was noticed in ``attrs["notes"]``."""
    best: dict[tuple[str, str], _Choice] = {}
    for (contig, gene, name, strand), transcript in models.transcripts.items():
        source, exons = transcript.exons()
        length = sum(end - start for start, end in exons)
        choice = _Choice((-max(source, PART), transcript.canonical, length), name, strand, exons)
        known = best.setdefault((contig, gene), choice)
        if choice.rank > known.rank:
            best[contig, gene] = choice
    rows = []
    for (contig, gene), choice in best.items():
        gene_id = models.ids.get(gene, gene)
        symbol = models.symbols.get((contig, gene)) or gene_id
        starts, ends = np.array(choice.exons, dtype=np.int64).T
        rows.append((contig, starts.min(), ends.max(), choice.strand, symbol, gene_id, starts, ends))
    table = pd.DataFrame(rows, columns=GENE_COLUMNS)
    bare = sum(choice.rank[0] < -PART for choice in best.values())
    torn = sum(
        (*key, one.name, _OPPOSITE.get(one.strand, "")) in models.transcripts for key, one in best.items()
    )
    notes = [
        (bare, "without exons in the file: each counts as one exon from its start to its end"),
        (torn, "with exons on both strands: only those of one strand are kept"),
    ]
    told = [f"{path.name}: {count:,} gene{'s' * (count != 1)} {what}" for count, what in notes if count]
    table.attrs["notes"] = [*models.notes, *told]
    return table


def transcript_table(path: Path, models: Models) -> pd.DataFrame:
    """Return one row per transcript that has exons: as `gene_table`, with the transcript's id as gene_id."""
    rows = []
    for (contig, gene, name, strand), transcript in models.transcripts.items():
        source, exons = transcript.exons()
        if source > PART:
            continue
        symbol = models.symbols.get((contig, gene)) or models.ids.get(gene, gene)
        starts, ends = np.array(exons, dtype=np.int64).T
        rows.append((contig, starts.min(), ends.max(), strand, symbol, name, starts, ends))
    return pd.DataFrame(rows, columns=GENE_COLUMNS)

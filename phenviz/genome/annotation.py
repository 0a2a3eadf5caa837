"""Genes, chromosome bands and regulatory elements of an assembly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.errors import LocusError
from phenviz.genome.intervals import overlapping, ranges_of
from phenviz.genome.lineages import lineages_of
from phenviz.genome.locus import Locus, is_contig_name, is_rsid, on_contig
from phenviz.genome.near_names import NearNames

if TYPE_CHECKING:
    import pyranges

GENE_COLUMNS = ["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"]
BAND_COLUMNS = ["contig", "start", "end", "name", "stain"]
ELEMENT_COLUMNS = ["contig", "start", "end", "name", "cell_types"]


@dataclass(frozen=True, slots=True)
class Gene:
    """One gene, by its canonical transcript.

    Parameters
    ----------
    name, gene_id
        Symbol (``HNF4A``) and stable id (``ENSG...``, empty if unknown).
    locus
        Transcribed part, with its strand.
    tss
        0-based position of the first transcribed base.
    exons
        (start, end) of each exon, 0-based half-open, sorted.
    """

    name: str
    gene_id: str
    locus: Locus
    tss: int
    exons: tuple[tuple[int, int], ...]


class Annotation:
    """What is known to lie where on an assembly.

    All coordinates are 0-based half-open. Contigs compare without ``chr``.

    Parameters
    ----------
    genes
        Columns `GENE_COLUMNS`: one row per gene; ``exon_starts`` and ``exon_ends`` hold arrays.
    bands
        Columns `BAND_COLUMNS`: cytobands with their Giemsa stain; None where none are known.
    elements
        Columns `ELEMENT_COLUMNS`: regulatory elements; ``cell_types`` holds names joined by ``|``.

    Attributes
    ----------
    notes
        What was left out when the genes were read, in words.
    """

    def __init__(
        self, genes: pd.DataFrame, bands: pd.DataFrame | None = None, elements: pd.DataFrame | None = None
    ) -> None:
        self.notes: tuple[str, ...] = tuple(genes.attrs.get("notes", ()))
        self.genes = _prepared(genes, GENE_COLUMNS)
        self.genes["tss"] = np.where(self.genes["strand"] == "-", self.genes["end"] - 1, self.genes["start"])
        self._bands = _prepared(bands if bands is not None else _empty(BAND_COLUMNS), BAND_COLUMNS)
        self.elements = _prepared(
            elements if elements is not None else _empty(ELEMENT_COLUMNS), ELEMENT_COLUMNS
        )

    @cached_property
    def element_lineages(self) -> tuple[list[str], NDArray[np.bool_]]:
        """Lineages that each regulatory element is active in; see `lineages_of`. Looked up once for all."""
        return lineages_of(self.elements["cell_types"])

    @cached_property
    def _row_of_name(self) -> dict[str, int]:
        # the first row wins; stable ids are known with and without their version
        names = self.genes["gene_name"].fillna("").astype(str)
        ids = self.genes["gene_id"].fillna("").astype(str)
        rows: dict[str, int] = {}
        for keys in (names, ids, ids.str.split(".").str[0]):
            for row, key in enumerate(keys):
                if key:
                    rows.setdefault(key, row)
        # flies' dl is another gene than Dl: any other case counts only where nothing is written so
        for key, row in list(rows.items()):
            rows.setdefault(key.upper(), row)
        return rows

    @cached_property
    def _names(self) -> NearNames:
        return NearNames(self.genes["gene_name"].astype(str))

    def gene(self, name: str) -> Gene:
        """Return a gene by symbol or stable id, as written, else in any case; Ensembl's in any version.

        Raises
        ------
        LocusError
            If it is unknown; the message offers the nearest names.
        """
        found = self.find_gene(name)
        if found is None:
            near = self.nearest_names(name)
            hint = (
                f"did you mean {', '.join(near)}?"
                if near
                else "check the spelling, or give chr20:1,000-2,000"
            )
            raise LocusError(f"no gene {name.strip()!r} in this annotation: {hint}")
        return found

    def find_gene(self, name: str) -> Gene | None:
        """Return a gene as `gene` finds it, or None: thousands of names can be asked for."""
        key = name.strip().upper()
        row = self._row_of_name.get(name.strip(), self._row_of_name.get(key))
        if row is None and key.startswith("ENS"):
            row = self._row_of_name.get(key.split(".")[0])
        return None if row is None else self._gene_at(row)

    def key_of(self, gene: Gene) -> str:
        """Return what `gene` finds this very gene by: its symbol, or its id if the symbol means another."""
        return gene.name if self.gene(gene.name).gene_id == gene.gene_id else gene.gene_id

    def nearest_names(self, name: str, count: int = 3) -> list[str]:
        """Return known gene symbols closest to what was typed, best first; none to an rsID or a contig."""
        if is_rsid(name) or is_contig_name(name):
            return []
        return self._names.near(name, count)

    def genes_in(self, locus: Locus) -> pd.DataFrame:
        """Return the genes that share a base with a locus, by start."""
        return _overlapping(self.genes, locus)

    def elements_in(self, locus: Locus) -> pd.DataFrame:
        """Return the regulatory elements that share a base with a locus, by start."""
        if self._element_ranges is None:
            return self.elements.iloc[:0]
        hits = self._element_ranges.overlap(ranges_of(pd.Series([locus.contig]), [locus.start], [locus.end]))
        rows = np.sort(hits.df["row"].to_numpy()) if len(hits) else np.empty(0, dtype=int)
        return self.elements.iloc[rows]

    def bands(self, contig: str) -> pd.DataFrame:
        """Return the cytobands of a contig, by start; no rows where none are known."""
        known = on_contig(self._bands["contig"], contig)
        return self._bands[known].reset_index(drop=True)

    @cached_property
    def _element_ranges(self) -> pyranges.PyRanges | None:
        if self.elements.empty:
            return None
        return ranges_of(self.elements["contig"], self.elements["start"], self.elements["end"])

    def _gene_at(self, row: int) -> Gene:
        record = self.genes.iloc[row]
        return Gene(
            name=str(record["gene_name"]),
            gene_id="" if pd.isna(record["gene_id"]) else str(record["gene_id"]),
            locus=Locus(record["contig"], int(record["start"]), int(record["end"]), record["strand"]),
            tss=int(record["tss"]),
            exons=tuple(zip(map(int, record["exon_starts"]), map(int, record["exon_ends"]), strict=True)),
        )


def named_in(transcripts: pd.DataFrame, locus: Locus) -> pd.DataFrame:
    """Return the transcripts of a table that share a base with a locus, each named by gene and transcript."""
    here = _overlapping(transcripts, locus)
    return here.assign(gene_name=here["gene_name"].astype(str) + " " + here["gene_id"].astype(str))


def _overlapping(table: pd.DataFrame, locus: Locus) -> pd.DataFrame:
    if table.empty:
        return table
    same = on_contig(table["contig"], locus.contig)
    hit = same & overlapping(table, locus)
    return table[hit].reset_index(drop=True)


def _prepared(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"annotation table lacks the columns {missing}; it has {list(table.columns)}")
    return table[columns].sort_values(["contig", "start"], kind="stable").reset_index(drop=True)


def _empty(columns: list[str]) -> pd.DataFrame:
    kinds = {"start": "int64", "end": "int64"}
    return pd.DataFrame({column: pd.Series(dtype=kinds.get(column, "object")) for column in columns})

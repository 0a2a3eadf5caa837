"""Genes: exons, introns, strand, and names that never cover each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from phenviz.figures.component import Component, axes_mm, bases_per_mm
from phenviz.figures.style import ACCENT, GENE, INK, MM_PER_POINT, MUTED, text_width_mm
from phenviz.genome.intervals import merged, overlapping
from phenviz.genome.locus import Locus
from phenviz.genome.packing import pack_rows

_NAMED_ROW_MM = 5.0
_BODY_MM = 1.7
_PLAIN_ROW_MM = 2.4
_ARROW_EVERY_MM = 3.2
_ARROW = Path([(-0.5, 1.0), (0.5, 0.0), (-0.5, -1.0)], [Path.MOVETO, Path.LINETO, Path.LINETO])

_LEFT_ARROW = Path([(0.5, 1.0), (-0.5, 0.0), (0.5, -1.0)], [Path.MOVETO, Path.LINETO, Path.LINETO])


@dataclass(frozen=True, slots=True)
class PlacedGene:
    """Where a gene and its name are drawn; bases 0-based half-open, cut to the locus."""

    name: str
    start: int
    end: int
    row: int
    name_start: float
    name_end: float


class Genes(Component):
    """Genes packed into rows, or one row per strand where there are too many for names.

    Parameters
    ----------
    genes
        Columns start, end, strand, gene_name, exon_starts, exon_ends (0-based half-open).
    focus
        Name of a gene to stress.
    most_rows
        Rows of named genes; where more are needed, genes are drawn without names.
    """

    def __init__(self, genes: pd.DataFrame, *, focus: str | None = None, most_rows: int = 8) -> None:
        self.genes = genes
        self.focus = focus
        self.most_rows = most_rows
        self.label = "Genes"

    def height(self, locus: Locus, width_mm: float) -> float:
        """As many rows as the names need."""
        placed = self.placed(locus, width_mm)
        if placed is None:
            return 2 * _PLAIN_ROW_MM + 0.6
        return max((gene.row + 1 for gene in placed), default=1) * _NAMED_ROW_MM

    def placed(self, locus: Locus, width_mm: float) -> list[PlacedGene] | None:
        """Pack the genes of a locus; None where names need more than ``most_rows`` rows."""
        scale = locus.length / width_mm
        inside = self.genes[overlapping(self.genes, locus)]
        starts = np.maximum(inside["start"].to_numpy(), locus.start)
        ends = np.minimum(inside["end"].to_numpy(), locus.end)
        names = inside["gene_name"].astype(str).to_list()
        widths = np.array([text_width_mm(name, italic=True) for name in names]) * scale
        centres = (starts + ends) / 2
        # a name stands over the middle of what can be seen of its gene, moved in at the edges
        name_starts = np.clip(centres - widths / 2, locus.start, np.maximum(locus.end - widths, locus.start))
        lefts, rights = np.minimum(starts, name_starts), np.maximum(ends, name_starts + widths)
        rows = pack_rows(lefts, rights, gap=1.5 * scale)
        if len(rows) and rows.max() >= self.most_rows:
            return None
        return [
            PlacedGene(name, int(start), int(end), int(row), float(left), float(left + width))
            for name, start, end, row, left, width in zip(
                names, starts, ends, rows, name_starts, widths, strict=True
            )
        ]

    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw all genes of the locus."""
        width, height = axes_mm(ax)
        ax.set_ylim(0, height)
        placed = self.placed(locus, width)
        if placed is None:
            self._draw_plain(ax, locus)
            return
        if not placed:
            ax.text(locus.centre, height / 2, "no genes here", ha="center", va="center", color=MUTED)
        records = self.genes[overlapping(self.genes, locus)]
        for gene, record in zip(placed, records.itertuples(index=False), strict=True):
            y = height - (gene.row + 1) * _NAMED_ROW_MM + _BODY_MM / 2 + 0.3
            self._draw_gene(ax, locus, gene, record, y)

    def _draw_gene(self, ax: Axes, locus: Locus, gene: PlacedGene, record: Any, y: float) -> None:
        stressed = self.focus is not None and gene.name.upper() == self.focus.upper()
        colour = ACCENT if stressed else GENE
        ax.plot([gene.start, gene.end], [y, y], color=colour, linewidth=0.6, solid_capstyle="butt")
        least = 0.25 * bases_per_mm(ax, locus)
        exons = [
            (max(int(start), locus.start), min(int(end), locus.end))
            for start, end in zip(record.exon_starts, record.exon_ends, strict=True)
            if start < locus.end and end > locus.start
        ]
        boxes = [
            Rectangle((start, y - _BODY_MM / 2), max(end - start, least), _BODY_MM) for start, end in exons
        ]
        ax.add_collection(PatchCollection(boxes, facecolor=colour, edgecolor="none"), autolim=False)
        self._draw_strand(ax, locus, gene, exons, str(record.strand), y, colour)
        ax.text(
            (gene.name_start + gene.name_end) / 2, y + _BODY_MM / 2 + 0.35, gene.name, ha="center",
            va="bottom", style="italic", color=colour if stressed else INK,
        )  # fmt: skip

    def _draw_strand(
        self,
        ax: Axes,
        locus: Locus,
        gene: PlacedGene,
        exons: list[tuple[int, int]],
        strand: str,
        y: float,
        colour: str,
    ) -> None:
        """Draw arrow heads along introns and, in white, along wide exons."""
        if strand not in "+-":
            return
        scale = bases_per_mm(ax, locus)
        marker = _ARROW if strand == "+" else _LEFT_ARROW
        count = max(int((gene.end - gene.start) / (_ARROW_EVERY_MM * scale)), 0)
        at = gene.start + (np.arange(count) + 0.5) * (gene.end - gene.start) / max(count, 1)
        room = 0.8 * scale
        free = [x for x in at if not any(s - room < x < e + room for s, e in exons)]
        covered = [x for x in at if any(s + room < x < e - room for s, e in exons)]
        if not free and not covered and exons:
            # a gene too short for heads inside has one after its 3' end
            x = gene.end + 0.8 * scale if strand == "+" else gene.start - 0.8 * scale
            free = [x] if locus.start < x < locus.end else []
        for places, ink in ((free, colour), (covered, "white")):
            ax.plot(
                places, [y] * len(places), linestyle="none", marker=marker, markersize=1.9,
                markerfacecolor="none", markeredgecolor=ink, markeredgewidth=0.6,
            )  # fmt: skip

    def _draw_plain(self, ax: Axes, locus: Locus) -> None:
        """Draw bodies and exons without names: + strand above, - strand below."""
        scale = bases_per_mm(ax, locus)
        inside = self.genes[overlapping(self.genes, locus)]
        for strand, y in (("+", 1.5 * _PLAIN_ROW_MM + 0.6), ("-", 0.5 * _PLAIN_ROW_MM)):
            # genes of unknown strand stand with those of the + strand
            same = (inside["strand"] == "-") == (strand == "-")
            genes = inside[same]
            lines = [[(start, y), (end, y)] for start, end in zip(genes["start"], genes["end"], strict=True)]
            ax.add_collection(LineCollection(lines, colors=GENE, linewidths=0.5), autolim=False)
            boxes = [
                Rectangle((start, y - _BODY_MM / 2), max(end - start, 0.15 * scale), _BODY_MM)
                for start, end in _merged_exons(genes, locus, 0.15 * scale)
            ]
            ax.add_collection(PatchCollection(boxes, facecolor=GENE, edgecolor="none"), autolim=False)
            ax.annotate(
                {"+": "+", "-": "\N{MINUS SIGN}"}[strand], (1, y), xycoords=("axes fraction", "data"),
                xytext=(0.8 / MM_PER_POINT, 0), textcoords="offset points", va="center_baseline",
                annotation_clip=False,
            )  # fmt: skip

    def right_room(self) -> float:
        """Width in mm for the strand's sign."""
        return 3.0


def _merged_exons(genes: pd.DataFrame, locus: Locus, gap: float) -> list[tuple[int, int]]:
    """Join exons that would touch on paper, so that a whole chromosome stays a small file."""
    exons = (
        (int(start), int(end))
        for starts, ends in zip(genes["exon_starts"], genes["exon_ends"], strict=True)
        for start, end in zip(starts, ends, strict=True)
        if start < locus.end and end > locus.start
    )
    return merged(exons, int(gap) + 1)

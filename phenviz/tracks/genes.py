"""Genes: exons, introns with the strand, and names that don't overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Quad, Segment, Text
from numpy.typing import NDArray

from phenviz.genome.annotation import named_in
from phenviz.genome.locus import Locus
from phenviz.genome.packing import pack_in_order, pack_rows
from phenviz.results.display import Display
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.theme import FONT, Theme
from phenviz.tracks.viewport import LoadedInterval, View, x_of

if TYPE_CHECKING:
    from phenviz.genome.annotation import Annotation

ROWS, TRANSCRIPT_ROWS = 4, 12
_ROW_PIXELS = 23
_LETTER_PIXELS = 7.0
_GAP_PIXELS = 20  # the arrow of the strand, and some air
_ARROW_PIXELS = 42
# closer, two genes in a row look like one
_BETWEEN_PIXELS = 10
# past this, exons are thinner than a hair and thousands of them would be sent for nothing
_EXONS_BELOW = 3_000.0


@dataclass(frozen=True, slots=True)
class Packed:
    """Where genes go.

    Parameters
    ----------
    rows
        Row of each gene, 0 on top, shape (n,).
    named
        Which genes have room for their name, shape (n,).
    """

    rows: NDArray[np.int64]
    named: NDArray[np.bool_]


def pack_genes(
    starts: NDArray[np.float64], ends: NDArray[np.float64], room: NDArray[np.float64], most: int = ROWS
) -> Packed:
    """Give genes rows so that neither they nor their names overlap.

    Where ``most`` rows aren't enough, the longest genes get names in the upper rows, and all others share
    the lowest row without names.

    Parameters
    ----------
    starts, ends
        Of each gene, shape (n,).
    room
        Space that the name needs, from the gene's start on, in the same unit, shape (n,).
    most
        Rows.
    """
    right = np.maximum(ends, starts + room)
    rows = pack_rows(starts, right)
    if len(rows) == 0 or rows.max() < most:
        return Packed(rows, np.ones(len(rows), dtype=bool))
    longest = np.argsort(starts - ends, kind="stable")
    placed = np.empty(len(starts), dtype=np.int64)
    placed[longest] = pack_in_order(starts[longest], right[longest], most - 1)
    named = placed >= 0
    return Packed(np.where(named, placed, most - 1), named)


class Genes(Track):
    """Genes of the annotation, packed anew for each interval."""

    name = "genes"
    title = "Genes"
    tinted = True

    def __init__(self, axis: Axis, theme: Theme, annotation: Annotation) -> None:
        super().__init__(axis, theme, _ROW_PIXELS, (-1, 0))
        self._annotation = annotation
        self._transcripts: pd.DataFrame | None = None
        self._bodies = ColumnDataSource({key: [] for key in ("x0", "x1", "y")})
        self._arrows = ColumnDataSource({key: [] for key in ("x", "y", "text")})
        self._exons = ColumnDataSource({key: [] for key in ("left", "right", "bottom", "top")})
        self._names = ColumnDataSource({key: [] for key in ("x", "y", "text")})
        self._boxes = ColumnDataSource({})
        fig = self.figure
        self._body = Segment(x0="x0", y0="y", x1="x1", y1="y", line_width=1.4)
        self._arrow = Text(
            x="x", y="y", text="text", text_font=value(FONT), text_font_size="13px",
            text_baseline="middle", text_align="center", y_offset=-1,
        )  # fmt: skip
        self._exon = Quad(left="left", right="right", bottom="bottom", top="top", line_width=1)
        self._text = Text(
            x="x", y="y", text="text", text_font=value(FONT), text_font_size="11px",
            text_font_style="italic", text_baseline="middle",
        )  # fmt: skip
        touched = Quad(
            left="left", right="right", bottom="bottom", top="top", fill_alpha=0, line_alpha=0, hatch_alpha=0
        )
        fig.add_glyph(self._bodies, self._body)
        fig.add_glyph(self._arrows, self._arrow)
        fig.add_glyph(self._exons, self._exon)
        fig.add_glyph(self._names, self._text)
        box = fig.add_glyph(self._boxes, touched)
        self.add_hover(box, [("gene", "@name @gene_id"), ("", "@where, @strand strand, @exons exons")])
        self._paint_glyphs()

    def set_transcripts(self, table: pd.DataFrame | None) -> None:
        """Draw every transcript of a table (`GENE_COLUMNS`, sorted); None for one of each gene."""
        self._transcripts = table
        self.reload()

    def tell(self, display: Display) -> Display:
        """Add whether all transcripts are drawn."""
        return replace(display, transcripts=self._transcripts is not None)

    def load(self, loaded: LoadedInterval, view: View) -> None:
        """Pack and draw the genes of an interval."""
        table = self._transcripts
        genes = self._annotation.genes_in(loaded.locus) if table is None else named_in(table, loaded.locus)
        starts, ends = genes["start"].to_numpy(float), genes["end"].to_numpy(float)
        per_pixel = view.bases_per_pixel
        self._room = (genes["gene_name"].str.len().to_numpy(float) * _LETTER_PIXELS + _GAP_PIXELS) * per_pixel
        most = ROWS if table is None else TRANSCRIPT_ROWS
        packed = pack_genes(starts, ends + _BETWEEN_PIXELS * per_pixel, self._room, most)
        y = -packed.rows - 0.28
        self._bodies.data = {"x0": x_of(starts), "x1": x_of(ends), "y": y}
        self._exons.data = _exons(genes, y, per_pixel)
        self._arrows.data = _arrows(genes, y, per_pixel)
        self._boxes.data = _boxes(genes, y)
        self._named = genes[packed.named].reset_index(drop=True)
        arrows = self._named["strand"].map({"-": "◂ ", "+": ""}).fillna("")
        ends_with = self._named["strand"].map({"+": " ▸"}).fillna("")
        self._texts = (arrows + self._named["gene_name"].astype(str) + ends_with).to_numpy()
        self._room = self._room[packed.named]
        self._name_y = (y - 0.48)[packed.named]
        self._genes, self._packed = genes, packed

    def follow(self, view: View) -> None:
        """Keep the name of a gene that begins left of the screen in sight, within the gene."""
        self._say_what(view)
        starts, ends = self._named["start"].to_numpy(float), self._named["end"].to_numpy(float)
        pinned = view.start + 4 * view.bases_per_pixel
        left = np.clip(pinned, starts, np.maximum(starts, ends - self._room))
        # half of a name reads like the name of another gene
        right = left + self._room - _GAP_PIXELS * view.bases_per_pixel
        x, text = x_of(left), np.where((left < view.start) | (right > view.end), "", self._texts)
        shown = self._names.data
        if not (np.array_equal(x, shown["x"]) and np.array_equal(text, shown["text"])):
            self._names.data = {"x": x, "y": self._name_y, "text": text}

    def fit(self, view: View) -> None:
        """Be as high as the rows that hold a gene on screen."""
        shown = self._on_screen(view)
        n_rows = int(self._packed.rows[shown].max(initial=0)) + 1
        self.resize(n_rows * _ROW_PIXELS)
        self.y_range.update(start=-n_rows, end=0)

    def restyle(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self._paint_glyphs()
        super().restyle(theme)

    def _paint_glyphs(self) -> None:
        self._body.line_color = self.theme.gene
        self._arrow.text_color = self.theme.gene
        self._exon.update(fill_color=self.theme.gene, line_color=self.theme.gene)
        self._text.text_color = self.theme.ink

    def _on_screen(self, view: View) -> NDArray[np.bool_]:
        return ((self._genes["start"] < view.end) & (self._genes["end"] > view.start)).to_numpy()

    def _say_what(self, view: View) -> None:
        shown = self._on_screen(view)
        nameless = int((shown & ~self._packed.named).sum())
        note = f"{nameless:,} more without room for a name; zoom in" if nameless else ""
        empty = "" if shown.any() else "No gene here"
        what = "one transcript per gene" if self._transcripts is None else "all transcripts"
        self.say(description=what, note=note, empty=empty)


def _exons(genes: pd.DataFrame, y: NDArray[np.floating], per_pixel: float) -> dict[str, NDArray[np.floating]]:
    if per_pixel > _EXONS_BELOW or genes.empty:
        left, right, middle = genes["start"].to_numpy(float), genes["end"].to_numpy(float), y
    else:
        counts = genes["exon_starts"].map(len).to_numpy()
        left = np.concatenate([np.asarray(starts, float) for starts in genes["exon_starts"]])
        right = np.concatenate([np.asarray(ends, float) for ends in genes["exon_ends"]])
        middle = np.repeat(y, counts)
    return {"left": x_of(left), "right": x_of(right), "bottom": middle - 0.2, "top": middle + 0.2}


def _arrows(genes: pd.DataFrame, y: NDArray[np.floating], per_pixel: float) -> dict[str, list[Any]]:
    step = _ARROW_PIXELS * per_pixel
    found: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
    columns = (genes[name].tolist() for name in ("start", "end", "strand", "exon_starts", "exon_ends"))
    for start, end, strand, exon_starts, exon_ends, height in zip(*columns, y, strict=True):
        # on a grid of the contig, so that arrows stay in place when the view moves
        first, last = np.ceil((start + step / 3) / step), np.floor((end - step / 3) / step)
        places = np.arange(first, last + 1)[:400] * step
        for left, right in zip(exon_starts, exon_ends, strict=True):
            places = places[(places < left - step / 8) | (places > right + step / 8)]
        found["x"] += x_of(places).tolist()
        found["y"] += [height] * len(places)
        found["text"] += ["‹" if strand == "-" else "›"] * len(places)
    return found


def _boxes(genes: pd.DataFrame, y: NDArray[np.floating]) -> dict[str, Any]:
    columns = (genes[name].tolist() for name in ("contig", "start", "end"))
    where = [str(Locus(contig, start, end)) for contig, start, end in zip(*columns, strict=True)]
    return {
        "left": x_of(genes["start"].to_numpy(float)),
        "right": x_of(genes["end"].to_numpy(float)),
        "bottom": y - 0.3,
        "top": y + 0.3,
        "name": genes["gene_name"].to_numpy(),
        "gene_id": genes["gene_id"].fillna("").to_numpy(),
        "strand": genes["strand"].to_numpy(),
        "exons": [len(starts) for starts in genes["exon_starts"]],
        "where": where,
    }

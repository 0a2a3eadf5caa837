"""A figure: components over one locus, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phenviz.errors import ResultError
from phenviz.figures.component import Component
from phenviz.figures.marks import Overlay
from phenviz.figures.paper import FOOTER_LINE_MM, TWO_COLUMNS_MM, Paper, footer_lines
from phenviz.figures.style import (
    MM_PER_INCH,
    MUTED,
    SMALL_PT,
    TITLE_PT,
)
from phenviz.genome.locus import Locus

_EDGE_MM = 1.0
_GAP_MM = 1.8
_LEAST_TRACK_MM = 15.0
_TITLE_MM = 5.0


class LocusFigure(Paper):
    """Components over a locus, drawn for print.

    Drawn by matplotlib without pyplot and without a browser; several threads may draw at once.

    Parameters
    ----------
    locus
        What all components span.
    components
        Tracks from top to bottom, and overlays that cross them. Those of height 0 are left out.
    width_mm
        Width of the figure: `ONE_COLUMN_MM` (89) or `TWO_COLUMNS_MM` (183) in most journals.
    title
        Written above the tracks.
    footer
        Written below; by default the assembly, model and version, and what each number is.

    Raises
    ------
    ResultError
        If there is nothing to draw, or no room to draw it in.
    """

    def __init__(
        self,
        locus: Locus,
        components: Sequence[Component | Overlay],
        *,
        width_mm: float = TWO_COLUMNS_MM,
        title: str | None = None,
        footer: str | None = None,
    ) -> None:
        self.locus = locus
        self.width_mm = float(width_mm)
        self.title = title
        self.overlays = tuple(part for part in components if isinstance(part, Overlay))
        self.components = tuple(part for part in components if isinstance(part, Component))
        if not self.components:
            raise ResultError(f"a figure of {locus} needs at least one component")
        self.footer = provenance(self.components, locus) if footer is None else footer

    def _drawn(self) -> Figure:
        plan = self._plan()
        figure = Figure(figsize=(self.width_mm / MM_PER_INCH, plan.height / MM_PER_INCH))
        self._draw_tracks(figure, plan, plan.above, plan.top)
        self._draw_tracks(figure, plan, plan.below, plan.head)
        for overlay in self.overlays:
            ax = self._axes(figure, plan, plan.head, max(_stacked(plan.below) - _GAP_MM, 0.1))
            ax.set_ylim(0, 1)
            # below the tracks (their axes are transparent), or above all of them
            ax.set_zorder(5 if overlay.above else -5)
            overlay.draw(ax, self.locus)
        self._draw_texts(figure, plan)
        return figure

    def _plan(self) -> _Plan:
        """Share out the paper."""
        left = max(part.left_room() for part in self.components) + _EDGE_MM
        right = max(part.right_room() for part in self.components) + _EDGE_MM
        width = self.width_mm - left - right
        if width < _LEAST_TRACK_MM:
            least = left + right + _LEAST_TRACK_MM
            raise ResultError(
                f"{self.width_mm:g} mm leave no room beside names and scales ({left + right:.0f} mm): "
                f"make the figure at least {least:.0f} mm wide"
            )
        sized = [(part, part.height(self.locus, width)) for part in self.components]
        if not any(height > 0 for _, height in sized):
            raise ResultError(f"none of these components has anything to draw at {self.locus}")
        above = [(part, height) for part, height in sized if height > 0 and not part.shares_axis]
        below = [(part, height) for part, height in sized if height > 0 and part.shares_axis]
        footer = footer_lines(self.footer, self.width_mm - 2 * _EDGE_MM)
        top = _EDGE_MM + (_TITLE_MM if self.title else 0)
        head = top + _stacked(above) + max((overlay.head_mm for overlay in self.overlays), default=0)
        foot = _EDGE_MM + (len(footer) * FOOTER_LINE_MM if footer else -_GAP_MM)
        return _Plan(left, width, top, head, head + _stacked(below) + foot, above, below, footer)

    def _axes(self, figure: Figure, plan: _Plan, top: float, height: float) -> Axes:
        box = (plan.left / self.width_mm, 1 - (top + height) / plan.height)
        ax = figure.add_axes((*box, plan.width / self.width_mm, height / plan.height))
        ax.set_xlim(self.locus.start, self.locus.end)
        ax.set_facecolor("none")
        ax.xaxis.set_visible(False)
        ax.yaxis.set_visible(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
        return ax

    def _draw_tracks(self, figure: Figure, plan: _Plan, sized: _Sized, top: float) -> None:
        for part, height in sized:
            ax = self._axes(figure, plan, top, height)
            part.draw(ax, self.locus)
            if part.label:
                part.draw_label(ax)
            top += height + _GAP_MM

    def _draw_texts(self, figure: Figure, plan: _Plan) -> None:
        x = _EDGE_MM / self.width_mm
        if self.title:
            y = 1 - _EDGE_MM / plan.height
            figure.text(x, y, self.title, va="top", fontsize=TITLE_PT, fontweight="bold")
        for line, text in enumerate(reversed(plan.footer)):
            y = (_EDGE_MM + line * FOOTER_LINE_MM) / plan.height
            figure.text(x, y, text, va="bottom", fontsize=SMALL_PT, color=MUTED)


_Sized = list[tuple[Component, float]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the paper is shared out, in mm; heights count from the top.

    What doesn't share the axis stands above, so that overlays cross all the rest.
    """

    left: float
    width: float
    top: float
    head: float
    height: float
    above: _Sized
    below: _Sized
    footer: list[str]


def _stacked(sized: _Sized) -> float:
    """Height of tracks with a gap below each."""
    return sum(height + _GAP_MM for _, height in sized)


def provenance(components: Sequence[Component], locus: Locus) -> str:
    """Say which assembly, model and version results come from, and what each number is; one line each."""
    sources = [part.source for part in components if part.source is not None]
    if not sources:
        return ""
    origins = dict.fromkeys(
        " | ".join(
            [
                str(source.attrs["assembly"]),
                f"model {source.attrs['model']}",
                *(f"{name} {source.attrs[name]}" for name in ("sample", "haplotype") if name in source.attrs),
                f"PhenViz {source.attrs['phenviz_version']}",
            ]
        )
        for source in sources
    )
    meanings = dict.fromkeys(line for part in components for line in part.meanings(locus))
    return "\n".join([*origins, *meanings])

"""A chart: a figure whose axes aren't a locus."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phenviz.errors import ResultError
from phenviz.figures.paper import FOOTER_LINE_MM, TWO_COLUMNS_MM, Paper, footer_lines
from phenviz.figures.style import (
    MM_PER_INCH,
    MUTED,
    SMALL_PT,
    TITLE_PT,
)

_EDGE_MM = 2.0
_TITLE_MM = 5.0


class Chart(Paper):
    """Panels on paper, drawn for print by matplotlib without pyplot.

    Parameters
    ----------
    draw
        Called with the chart; makes its panels with :meth:`panel`.
    height_mm
        Height of the panels with all that belongs to them.
    width_mm
        Width of the figure.
    title, footer
        Written above and below.
    """

    def __init__(
        self,
        draw: Callable[[Chart], None],
        height_mm: float,
        *,
        width_mm: float = TWO_COLUMNS_MM,
        title: str = "",
        footer: str = "",
    ) -> None:
        self.width_mm, self.title = width_mm, title
        self._draw = draw
        self._footer = footer_lines(footer, width_mm - 2 * _EDGE_MM)
        self._top = _EDGE_MM + (_TITLE_MM if title else 0)
        foot = len(self._footer) * FOOTER_LINE_MM + _EDGE_MM
        self.height_mm = self._top + height_mm + foot
        self._figure: Figure | None = None

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes; all in mm, ``top`` from below the title."""
        if self._figure is None:
            raise ResultError("panels are made while the chart is drawn: ask for its figure")
        bottom = self.height_mm - self._top - top - height
        box = (left / self.width_mm, bottom / self.height_mm, width / self.width_mm, height / self.height_mm)
        ax = self._figure.add_axes(box)
        ax.set_facecolor("none")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def _drawn(self) -> Figure:
        self._figure = Figure(figsize=(self.width_mm / MM_PER_INCH, self.height_mm / MM_PER_INCH))
        self._draw(self)
        self._write_texts(self._figure)
        return self._figure

    def _write_texts(self, figure: Figure) -> None:
        x = _EDGE_MM / self.width_mm
        if self.title:
            y = 1 - _EDGE_MM / self.height_mm
            figure.text(x, y, self.title, va="top", fontsize=TITLE_PT, fontweight="bold")
        for line, text in enumerate(reversed(self._footer)):
            y = (_EDGE_MM / 2 + line * FOOTER_LINE_MM) / self.height_mm
            figure.text(x, y, text, va="bottom", fontsize=SMALL_PT, color=MUTED)

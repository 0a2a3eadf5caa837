"""A chart: a figure whose axes aren't a locus."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phenviz.errors import ResultError
from phenviz.figures.figure import (
    _FONT_FAMILY,
    _FONT_STACK,
    _METADATA,
    FIGURE_SUFFIXES,
    TWO_COLUMNS_MM,
    _wrap,
    _write_bytes,
)
from phenviz.figures.style import (
    MM_PER_INCH,
    MM_PER_POINT,
    MUTED,
    SMALL_PT,
    TITLE_PT,
    figure_settings,
)
from phenviz.results.files import check_suffix, write_aside

_EDGE_MM = 2.0
_TITLE_MM = 5.0
_FOOTER_LINE_MM = SMALL_PT * 1.3 * MM_PER_POINT


class Chart:
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
        self._footer = _wrap(footer, width_mm - 2 * _EDGE_MM)
        self._top = _EDGE_MM + (_TITLE_MM if title else 0)
        foot = len(self._footer) * _FOOTER_LINE_MM + _EDGE_MM
        self.height_mm = self._top + height_mm + foot
        self._figure: Figure | None = None

    @cached_property
    def figure(self) -> Figure:
        """The matplotlib figure, to change by hand before it is saved."""
        with figure_settings():
            self._figure = Figure(figsize=(self.width_mm / MM_PER_INCH, self.height_mm / MM_PER_INCH))
            self._draw(self)
            self._write_texts(self._figure)
            return self._figure

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

    def save(self, path: str | os.PathLike[str], *, dpi: float = 300) -> Path:
        """Write the chart; the suffix (``.svg``, ``.pdf`` or ``.png``) says how. Text stays text.

        Raises
        ------
        ResultError
            If the suffix is another, or the folder is missing.
        """
        suffix = check_suffix(path, FIGURE_SUFFIXES)
        content = self.render(suffix[1:], dpi=dpi)
        (written,) = write_aside([Path(path)], lambda parts: _write_bytes(parts[0], content))
        return written

    def render(self, kind: str, *, dpi: float = 300) -> bytes:
        """Return the chart as ``svg``, ``pdf`` or ``png``."""
        if kind not in _METADATA:
            raise ResultError(f"a figure can't be drawn as {kind!r}: choose {', '.join(_METADATA)}")
        buffer = io.BytesIO()
        figure = self.figure
        with figure_settings():
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
        content = buffer.getvalue()
        return _FONT_FAMILY.sub(_FONT_STACK, content) if kind == "svg" else content

    def _repr_png_(self) -> bytes:
        return self.render("png", dpi=150)

    def _write_texts(self, figure: Figure) -> None:
        x = _EDGE_MM / self.width_mm
        if self.title:
            y = 1 - _EDGE_MM / self.height_mm
            figure.text(x, y, self.title, va="top", fontsize=TITLE_PT, fontweight="bold")
        for line, text in enumerate(reversed(self._footer)):
            y = (_EDGE_MM / 2 + line * _FOOTER_LINE_MM) / self.height_mm
            figure.text(x, y, text, va="bottom", fontsize=SMALL_PT, color=MUTED)

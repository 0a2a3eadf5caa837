"""What every printed figure does alike: it is written as SVG, PDF or PNG, and its notes fit the width."""

from __future__ import annotations

import io
import os
import re
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from matplotlib.figure import Figure

from phenviz.errors import ResultError
from phenviz.figures.style import MM_PER_POINT, SMALL_PT, figure_settings, text_width_mm
from phenviz.formats import FIGURE
from phenviz.results.writing import check_suffix, write_content

FIGURE_SUFFIXES = tuple(FIGURE)
ONE_COLUMN_MM = 89.0
TWO_COLUMNS_MM = 183.0
FOOTER_LINE_MM = SMALL_PT * 1.3 * MM_PER_POINT

# hinting moves letters onto pixels, so that a line in a PNG can be a little wider than it was measured
_FILLED = 0.95
# text of an SVG is drawn where it is read: any reader has one of these
_FONT_FAMILY = re.compile(rb"font-family: [^;\"]+")
_FONT_STACK = b"font-family: Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# a date in the file would make the same figure another file every time
_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "PhenViz"},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "PhenViz"},
    "png": {"Software": "PhenViz"},
}


class Paper(ABC):
    """A figure for print; drawn by matplotlib without pyplot when it is first looked at.

    Attributes
    ----------
    title
        What stands at the top; empty or None for nothing.
    """

    title: str | None

    def __repr__(self) -> str:
        # no address in memory, so that the same notebook gives the same outputs
        return f"<{type(self).__name__}: {self.title or 'untitled'}>"

    @cached_property
    def figure(self) -> Figure:
        """The matplotlib figure, to change by hand before it is saved."""
        with figure_settings():
            return self._drawn()

    @abstractmethod
    def _drawn(self) -> Figure:
        """Draw it."""

    def save(self, path: str | os.PathLike[str], *, dpi: float = 300) -> Path:
        """Write the figure; the suffix (``.svg``, ``.pdf`` or ``.png``) says how.

        Text stays text in SVG and PDF, and the same figure gives the same bytes.

        Raises
        ------
        ResultError
            If the suffix is another, or the folder is missing.
        """
        suffix = check_suffix(path, FIGURE_SUFFIXES)
        return write_content(Path(path), self.render(suffix[1:], dpi=dpi))

    def render(self, kind: str, *, dpi: float = 300) -> bytes:
        """Return the figure as ``svg``, ``pdf`` or ``png``.

        Parameters
        ----------
        dpi
            Dots an inch of PNG, and of images inside SVG and PDF.
        """
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


def footer_lines(text: str, width_mm: float) -> list[str]:
    """Break a footer into lines that fit a width."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_width_mm(longer, SMALL_PT) > width_mm * _FILLED:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines

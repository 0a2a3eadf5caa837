"""Letters of a sequence logo as outlines that fill their box."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

# always DejaVu Sans, which comes with matplotlib: a logo looks the same everywhere
_FONT = FontProperties(family="DejaVu Sans", weight="bold")


@cache
def letter_outline(letter: str) -> Path:
    """Outline of a letter, stretched to the unit square."""
    outline = TextPath((0, 0), letter, size=100, prop=_FONT)
    box = outline.get_extents()
    vertices = (outline.vertices - [box.x0, box.y0]) / [box.width, box.height]
    return Path(vertices, outline.codes)


def letter_at(letter: str, left: float, right: float, value: float) -> Path:
    """Outline of a letter from ``left`` to ``right`` that reaches from 0 to ``value``.

    Below zero the letter hangs upside down, its foot at zero.
    """
    outline = letter_outline(letter)
    vertices = np.asarray(outline.vertices, dtype=float)
    return Path(vertices * [right - left, value] + [left, 0.0], outline.codes)


def letters_of(bases: np.ndarray, starts: np.ndarray, values: np.ndarray, letter: str) -> list[Path]:
    """Outlines of all bases that are ``letter`` and have a value; each fills 94 % of its base's width."""
    chosen = np.flatnonzero((bases == letter) & np.isfinite(values) & (values != 0))
    return [
        letter_at(letter, float(starts[i]) + 0.03, float(starts[i]) + 0.97, float(values[i])) for i in chosen
    ]

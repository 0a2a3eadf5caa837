"""What all figures share: colours, fonts, and the lock round matplotlib's settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import matplotlib
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

from phenviz.results import palette
from phenviz.results.palette import ACCENT, GENE, INK, MUTED, NEGATIVE, NEUTRAL, POSITIVE
from phenviz.results.palette import BASES as BASE_COLOURS

MM_PER_INCH = 25.4
MM_PER_POINT = MM_PER_INCH / 72

TEXT_PT = 7.0
SMALL_PT = 6.0
TITLE_PT = 8.0

FAINT = "#d5dbe1"
UNKNOWN = "#e6e9ec"  # no number: reference N

SEQUENTIAL = LinearSegmentedColormap.from_list("phenviz-sequential", palette.SEQUENTIAL).with_extremes(
    bad=UNKNOWN
)
DIVERGING = LinearSegmentedColormap.from_list("phenviz-diverging", palette.DIVERGING).with_extremes(
    bad=UNKNOWN
)
# what journals ask for first; DejaVu Sans comes with matplotlib and has every sign
_FAMILIES = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")

__all__ = [
    "ACCENT", "BASE_COLOURS", "DIVERGING", "FAINT", "GENE", "INK", "MM_PER_INCH", "MM_PER_POINT", "MUTED",
    "NEGATIVE", "NEUTRAL", "POSITIVE", "SEQUENTIAL", "SMALL_PT", "TEXT_PT", "TITLE_PT", "UNKNOWN",
    "figure_settings", "font_families", "text_width_mm",
]  # fmt: skip

_SETTINGS_LOCK = threading.RLock()


@cache
def font_families() -> tuple[str, ...]:
    """Return the families to draw with, best first; installed ones only, or matplotlib complains."""
    installed = set(fontManager.get_font_names())
    return tuple(family for family in _FAMILIES if family in installed)


@contextmanager
def figure_settings() -> Iterator[None]:
    """Hold matplotlib's settings as our figures need them.

    Settings are global to a process, and the dashboard draws from several threads: one figure at a time.
    """
    settings: Any = {
        "font.family": list(font_families()),
        "font.size": TEXT_PT,
        "text.color": INK,
        "text.parse_math": False,
        # hinted letters of a PNG are up to 7 % wider than they were measured, and lines leave the paper
        "text.hinting": "none",
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.5,
        "axes.unicode_minus": True,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.major.size": 2.0,
        "ytick.major.size": 2.0,
        "xtick.major.pad": 1.5,
        "ytick.major.pad": 1.5,
        "xtick.labelsize": TEXT_PT,
        "ytick.labelsize": SMALL_PT,
        "patch.linewidth": 0.0,
        "hatch.linewidth": 0.4,
        "path.simplify": False,
        "figure.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "phenviz",
        "pdf.fonttype": 42,
        "pdf.use14corefonts": False,
    }
    with _SETTINGS_LOCK, matplotlib.rc_context(settings):
        yield


def text_width_mm(text: str, size: float = TEXT_PT, *, italic: bool = False) -> float:
    """Width of a line of text as it will be drawn, in mm."""
    if not text:
        return 0.0
    return _measured(text, size, italic) * MM_PER_POINT


# labels of all users' files: more of them than should be kept
@lru_cache(maxsize=4_096)
def _measured(text: str, size: float, italic: bool) -> float:
    font = FontProperties(family=list(font_families()), style="italic" if italic else "normal", size=size)
    with _SETTINGS_LOCK:  # font objects keep the text that they measure
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width)

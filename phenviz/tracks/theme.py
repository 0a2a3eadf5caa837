"""Colours of the tracks: light and dark, colour-blind safe, one hue per lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from phenviz.errors import ResultError
from phenviz.results import palette

ThemeName = Literal["light", "dark"]

FONT = "Inter, Roboto, 'Helvetica Neue', Arial, sans-serif"
_STEPS = 256


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours.

    Parameters
    ----------
    name
        ``light`` or ``dark``.
    surface
        What the page behind the tracks looks like; tracks themselves are transparent.
    ink, muted, faint
        Text, secondary text, and lines that should hardly be seen.
    accent
        The one colour that asks for attention (window box, marks, highlights).
    gene
        Exons and gene bodies.
    neutral
        Elements of cell types that aren't blood.
    positive, negative
        Signed values: what raises and what lowers the target.
    haplotypes
        First and second haplotype of a person.
    sequential
        From nothing to much; begins near the surface.
    diverging
        Negative to positive; its middle is the neutral of the theme (white on light).
    bases
        Colours of A, C, G, T and N.
    """

    name: str
    surface: str
    ink: str
    muted: str
    faint: str
    accent: str
    gene: str
    neutral: str
    positive: str
    negative: str
    haplotypes: tuple[str, str]
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]
    bases: dict[str, str] = field(hash=False)


def blend(colours: Sequence[str], steps: int = _STEPS) -> tuple[str, ...]:
    """Spread colours evenly over a number of steps, blending between them."""
    stops = np.array([rgb(colour) for colour in colours], dtype=float)
    places = np.linspace(0, len(stops) - 1, steps)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return tuple(hexadecimal(row) for row in np.array(channels).T)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def hexadecimal(channels: Sequence[float] | np.ndarray) -> str:
    """Write red, green and blue, 0 to 255, as ``#rrggbb``."""
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in channels)


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""
    high, low = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=4_096)
def legible(colour: str, theme: Theme, ratio: float = 4.5) -> str:
    """Move a colour towards the ink until text in it can be read on the theme's surface."""
    for step in range(0, 21):
        mixed = mix(colour, theme.ink, step / 20)
        if contrast(mixed, theme.surface) >= ratio:
            return mixed
    return theme.ink


def mix(colour: str, other: str, share: float) -> str:
    """Blend two colours; ``share`` (0 to 1) is that of the other."""
    return hexadecimal(np.array(rgb(colour)) * (1 - share) + np.array(rgb(other)) * share)


def get_theme(name: str) -> Theme:
    """Return the light or the dark theme."""
    if name not in THEMES:
        raise ResultError(f"no theme {name!r}: choose {' or '.join(THEMES)}")
    return THEMES[name]


def _luminance(colour: str) -> float:
    scaled = np.array(rgb(colour)) / 255
    linear = np.where(scaled <= 0.03928, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


LIGHT = Theme(
    name="light",
    surface="#ffffff",
    ink=palette.INK,
    muted=palette.MUTED,
    faint="#e4e9ee",
    accent=palette.ACCENT,
    gene=palette.GENE,
    neutral=palette.NEUTRAL,
    positive=palette.POSITIVE,
    negative=palette.NEGATIVE,
    haplotypes=palette.HAPLOTYPES,
    sequential=blend(palette.SEQUENTIAL),
    diverging=blend(palette.DIVERGING),
    bases=palette.BASES,
)

DARK = Theme(
    name="dark",
    surface="#121212",
    ink="#e8edf2",
    muted="#9aa7b4",
    faint="#2a3138",
    accent="#ff8a50",
    gene="#9cc4ee",
    neutral="#5d6873",
    positive="#ff7a66",
    negative="#67b0f5",
    haplotypes=("#56b4e9", "#ff9d5c"),
    sequential=blend(["#171b20", "#17364a", "#1b5d78", "#2a8f9c", "#5cc2a5", "#b4e6a0", "#fbfbd4"]),
    diverging=blend(["#8fd0ff", "#4a9be0", "#2a5783", "#1c2025", "#8a4236", "#e4644f", "#ffb199"]),
    bases={"A": "#2fc79a", "C": "#56b4e9", "G": "#f0b429", "T": "#ff7f50", "N": "#6b7682"},
)

THEMES = {"light": LIGHT, "dark": DARK}

"""What a component of a figure is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from phenviz.figures.style import (
    INK,
    MM_PER_INCH,
    MM_PER_POINT,
    MUTED,
    SMALL_PT,
    TEXT_PT,
    text_width_mm,
)
from phenviz.genome.locus import Locus

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

_LINE = 1.25  # of the text's size
SCALE_ROOM_MM = 15.5
# with all its zeros, a smaller number is wider than the room beside a colour bar
_SMALL = 0.001
# numbers beside colours that follow log(1 + value), and where such a scale is so short that even ones do
_LOG_TICKS, _LINEAR_UP_TO = [0, 1, 3, 10, 30, 100, 300, 1_000], 3.0


class Component(ABC):
    """One track of a figure.

    Attributes
    ----------
    label
        Name at the left; lines are parted by a line break.
    source
        Result that it draws; the footer says how that was made. None for annotation.
    shares_axis
        Whether x is the locus; an ideogram shows the whole contig instead.
    """

    label: str = ""
    source: xr.Dataset | None = None
    shares_axis: bool = True

    def meanings(self, locus: Locus) -> list[str]:
        """Say what its numbers in this locus are, for the footer: one line per kind of number."""
        if self.source is None:
            return []
        attrs = self.source.attrs
        return [f"{joined(self.label)}: {attrs['definition']} ({attrs['units']})"]

    @abstractmethod
    def height(self, locus: Locus, width_mm: float) -> float:
        """Height in mm, for a track ``width_mm`` wide; 0 leaves it out."""

    def left_room(self) -> float:
        """Width in mm for names at the left of the track."""
        return max((text_width_mm(line) for line in self.label.split("\n")), default=0.0) + 1.5

    def right_room(self) -> float:
        """Width in mm for a scale at the right of the track."""
        return 1.0

    @abstractmethod
    def draw(self, ax: Axes, locus: Locus) -> None:
        """Draw into axes that span the locus (x in bases, 0-based)."""

    def draw_label(self, ax: Axes) -> None:
        """Write the label at the left, half way up."""
        x, y = from_left(ax, -1.5), 0.5
        ax.text(x, y, self.label, transform=ax.transAxes, ha="right", va="center", linespacing=1.1)


class ScaledComponent(Component):
    """A track with a scale at its right."""

    def right_room(self) -> float:
        """Width in mm for numbers and the unit."""
        return SCALE_ROOM_MM


class RowsComponent(Component):
    """A track of rows, each with its name, and the label left of them.

    Attributes
    ----------
    row_names
        From top to bottom.
    row_mm
        Height of a row.
    """

    row_names: tuple[str, ...] = ()
    row_mm: float = 2.7

    @property
    def upright(self) -> bool:
        """Whether the label is turned: there is no room for that beside few rows."""
        return text_width_mm(joined(self.label)) <= len(self.row_names) * self.row_mm + 2.0

    def left_room(self) -> float:
        """Width in mm for row names, and the label beside them."""
        if self.upright:
            return self.names_room() + TEXT_PT * _LINE * MM_PER_POINT + 2.0
        return self.names_room() + max(map(text_width_mm, self.label.split("\n"))) + 1.5

    def names_room(self) -> float:
        """Width in mm of the widest row name and the gap beside it."""
        return max((text_width_mm(name) for name in self.row_names), default=0.0) + 1.5

    def draw_label(self, ax: Axes) -> None:
        """Write the label left of the names."""
        ax.text(
            from_left(ax, -self.names_room() - 1.5), 0.5, joined(self.label) if self.upright else self.label,
            rotation=90 if self.upright else 0, transform=ax.transAxes, ha="right", va="center",
            linespacing=1.1,
        )  # fmt: skip

    def draw_note(self, ax: Axes, text: str) -> None:
        """Write in small letters, below the label, how the numbers were reduced."""
        ax.annotate(
            text, (from_left(ax, -self.names_room() - 1.5), 0), xycoords="axes fraction",
            xytext=(0, -1.0 / MM_PER_POINT), textcoords="offset points", ha="right", va="center",
            fontsize=SMALL_PT, color=MUTED, annotation_clip=False,
        )  # fmt: skip

    def draw_row_names(self, ax: Axes, places: np.ndarray, colours: dict[str, str] | None = None) -> None:
        """Write the row names at heights ``places`` (data coordinates)."""
        for name, place in zip(self.row_names, places, strict=True):
            ax.annotate(
                name, (0, place), xycoords=("axes fraction", "data"), xytext=(-1.5 / MM_PER_POINT, 0),
                textcoords="offset points", ha="right", va="center_baseline",
                color=(colours or {}).get(name, INK), annotation_clip=False,
            )  # fmt: skip


def axes_mm(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in mm."""
    figure: SubFigure = ax.figure  # type: ignore[assignment]
    box = ax.get_position()
    width, height = figure.get_size_inches()  # type: ignore[attr-defined]
    return box.width * width * MM_PER_INCH, box.height * height * MM_PER_INCH


def from_left(ax: Axes, mm: float) -> float:
    """Axes fraction at ``mm`` from the left edge."""
    return mm / axes_mm(ax)[0]


def bases_per_mm(ax: Axes, locus: Locus) -> float:
    """Bases drawn in one mm."""
    return locus.length / axes_mm(ax)[0]


def colour_bar(ax: Axes, mappable: ScalarMappable, units: str, *, above: bool = False) -> None:
    """Put a colour bar at the right of a track.

    Parameters
    ----------
    above
        Values above the map's end occur; the bar then ends in an arrow.
    """
    width, height = axes_mm(ax)
    tall = min(height, 24.0)
    cax = ax.inset_axes((1 + 1.5 / width, (1 - tall / height) / 2, 1.8 / width, tall / height))
    bar = ax.figure.colorbar(mappable, cax=cax, extend="max" if above else "neither", extendfrac=0.06)
    if isinstance(mappable.norm, FuncNorm) and (mappable.norm.vmax or 0) > _LINEAR_UP_TO:
        end = float(mappable.norm.vmax or 0)
        ticks = [tick for tick in _LOG_TICKS[:: 1 if tall > 14 else 3] if tick < 0.6 * end]
        bar.locator = FixedLocator([*ticks, end])
    else:
        bar.locator = MaxNLocator(3 if tall < 14 else 4, steps=[1, 2, 2.5, 5, 10])
    bar.formatter = FuncFormatter(short_number)
    bar.update_ticks()
    bar.outline.set_linewidth(0.4)
    bar.outline.set_edgecolor(MUTED)
    cax.tick_params(labelsize=SMALL_PT)
    _write_units(ax, units)


def value_scale(ax: Axes, low: float, high: float, units: str) -> None:
    """Put ticks and the unit at the right of a track."""
    ax.set_ylim(low, high)
    ax.yaxis.set_visible(True)
    ax.yaxis.tick_right()
    ax.spines["right"].set_visible(True)
    inside = [
        tick
        for tick in MaxNLocator(2, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        if low <= tick <= high
    ]
    ax.set_yticks(inside, [short_number(tick) for tick in inside])
    _write_units(ax, units)


def _write_units(ax: Axes, units: str) -> None:
    width, height = axes_mm(ax)
    room = height - 0.5  # what is longer would run into that of the next track
    words, lines = units.split(), [""]
    for word in words:
        wider = f"{lines[-1]} {word}".strip()
        if text_width_mm(wider, SMALL_PT) <= room or not lines[-1]:
            lines[-1] = wider
        else:
            lines.append(word)
    ax.text(
        1 + (SCALE_ROOM_MM - 0.2) / width, 0.5, "\n".join(lines[:2]), transform=ax.transAxes, rotation=90,
        ha="right", va="center", fontsize=SMALL_PT, linespacing=1.1, multialignment="center",
    )  # fmt: skip


def joined(label: str) -> str:
    """Return a label of several lines in one."""
    return " ".join(label.split())


def short_number(value: float, _position: int | None = None) -> str:
    """Write a number in few signs, with a true minus."""
    text = f"{value:.3g}"
    if 0 < abs(value) < _SMALL:
        digits, power = f"{value:.1e}".split("e")
        text = f"{digits.removesuffix('.0')}e{int(power)}"
    return text.replace("-", "\N{MINUS SIGN}")

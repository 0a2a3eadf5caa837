"""What part of a contig is on screen, what part has been loaded, and where a base lies on the x axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from phenviz.genome.locus import Locus
from phenviz.genome.ticks import format_length

# A base counted from 1 is centred on its own number, so that ticks and tooltips read x as it is:
# the 0-based border p lies at x = p + 0.5.
EDGE = 0.5
MIN_BASES = 20
# bins of a track that share a point, from where on their mean says more than their maximum
AVERAGED_FROM = 32
_NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class View:
    """What is on screen.

    Parameters
    ----------
    contig
        Name as in the reference.
    start, end
        Borders in bases, 0-based half-open; fractions while the user drags.
    contig_length
        Bases of the contig.
    pixels
        Width of the tracks on screen.
    """

    contig: str
    start: float
    end: float
    contig_length: int
    pixels: int

    @property
    def length(self) -> float:
        """Bases on screen."""
        return self.end - self.start

    @property
    def bases_per_pixel(self) -> float:
        """Bases that share one pixel."""
        return self.length / max(self.pixels, 1)

    @property
    def locus(self) -> Locus:
        """The bases that are on screen, at least in part."""
        start = min(max(math.floor(self.start + 1e-6), 0), self.contig_length - 1)
        return Locus(self.contig, start, min(max(math.ceil(self.end - 1e-6), start + 1), self.contig_length))


@dataclass(frozen=True, slots=True)
class LoadedInterval:
    """What a track has loaded: the view it was loaded for and a margin on each side.

    Parameters
    ----------
    locus
        Bases that are loaded.
    view_length
        Bases that were on screen then.
    views
        How many views lie side by side in it.
    """

    locus: Locus
    view_length: float
    views: float

    @classmethod
    def around(cls, view: View, margin: float = 1.0) -> LoadedInterval:
        """Widen a view by ``margin`` views on each side, within the contig."""
        shown = view.locus
        flank = math.ceil(view.length * margin)
        wide = Locus(view.contig, max(shown.start - flank, 0), min(shown.end + flank, view.contig_length))
        return cls(wide, view.length, wide.length / view.length)

    def serves(self, view: View) -> bool:
        """Tell whether the view needs nothing new: it lies inside, at nearly the same zoom."""
        shown = view.locus
        inside = (
            view.contig == self.locus.contig
            and self.locus.start <= shown.start
            and shown.end <= self.locus.end
        )
        return inside and 0.7 <= view.length / self.view_length <= 1.4

    def points(self, pixels: int, limit: int = 6_000) -> int:
        """Points that fill the interval at one per pixel."""
        return max(min(round(pixels * self.views), limit), 1)


def clamp(locus: Locus, contig_length: int, min_bases: int = MIN_BASES) -> Locus:
    """Move and cut a locus so that it lies on the contig and is wide enough to be seen.

    Parameters
    ----------
    locus
        Any locus.
    contig_length
        Bases of its contig.
    min_bases
        Narrower ones are widened about their middle.
    """
    length = min(max(locus.length, min_bases), contig_length)
    start = locus.start if length == locus.length else locus.centre - length // 2
    start = min(max(start, 0), contig_length - length)
    return Locus(locus.contig, start, start + length, locus.strand)


def nice_ceiling(value: float) -> float:
    """Round up to the next of few round numbers, so that an axis seldom changes."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((power * step for step in _NICE if power * step >= value * (1 - 1e-9)), power * 10)


def mean_over(bases: int) -> str:
    """Say that each point is the mean over so many bases."""
    return f"mean over each {format_length(bases)}"


@overload
def x_of(border: float) -> float: ...
@overload
def x_of(border: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]: ...
def x_of(border):  # type: ignore[no-untyped-def]
    """Place of 0-based borders on the x axis."""
    return border + EDGE

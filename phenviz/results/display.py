"""What is on screen: which tracks, with which scales. A figure of it is drawn with the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from phenviz.genome.locus import Locus

# bottom and top of a y axis
Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Colouring:
    """How numbers along the genome became colours.

    Parameters
    ----------
    high
        Number at the end of the colour scale.
    bases
        Bases in a point, whose grid begins where the contig does; 0 where each number is drawn as it is.
    mean
        Whether a point holds the mean of what lies in it, or else the maximum.
    """

    high: float
    bases: int = 0
    mean: bool = False


@dataclass(frozen=True, slots=True)
class MotifMatch:
    """A known motif over some bases, 0-based half-open."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Display:
    """A view of the genome browser.

    Parameters
    ----------
    locus
        What is on screen.
    tracks
        Names of the tracks that are, from the top.
    contexts
        Short names of the contexts that are drawn, from the top.
    focus
        The one whose bases are shown.
    style
        ``heatmap`` or ``areas``, for predicted activity.
    activity, observed
        How each is coloured; None where it isn't drawn.
    effect
        Effect at both ends of the colours of mutagenesis.
    contribution, attribution
        Their y axes; None where none is drawn.
    difference, haplotypes
        Difference at both ends of the colours, and activity at the top of a row, of a person's haplotypes.
    logo, logos
        ``focus``, ``stacked`` or ``difference``: what the contributions of bases are of; and the contexts.
    motifs
        Known motifs under the bases.
    transcripts
        Whether all transcripts are drawn, or one of each gene.
    lines
        0-based positions of lines through all tracks, such as a variant.
    strips
        Tinted intervals, 0-based half-open.
    own
        Names of the user's own tracks of signal, with the y axis of each.
    """

    locus: Locus
    tracks: tuple[str, ...]
    contexts: tuple[str, ...]
    focus: str = ""
    style: str = "heatmap"
    activity: Colouring | None = None
    observed: Colouring | None = None
    effect: float | None = None
    contribution: Limits | None = None
    attribution: Limits | None = None
    difference: float | None = None
    haplotypes: float | None = None
    logo: str = "focus"
    logos: tuple[str, ...] = ()
    motifs: tuple[MotifMatch, ...] = ()
    transcripts: bool = False
    lines: tuple[int, ...] = ()
    strips: tuple[tuple[int, int], ...] = ()
    own: tuple[tuple[str, Limits], ...] = ()


@dataclass(frozen=True, slots=True)
class VariantsDisplay:
    """A list of variants on screen: the volcano, and the heat map beside it.

    Parameters
    ----------
    x, y
        Of each point of the volcano, shape (n,).
    x_limits, y_limits
        Of its axes.
    x_label, y_label
        Of its axes.
    rows
        Where each row of the heat map lies in the effects, from the top.
    names
        Of these rows.
    contexts
        Columns of the heat map.
    limit
        Effect at both ends of its colours.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    x_limits: Limits
    y_limits: Limits
    x_label: str
    y_label: str
    rows: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    limit: float = 1.0


@dataclass(frozen=True, slots=True)
class AlleleDisplay:
    """The logo of one allele.

    Parameters
    ----------
    title
        Which allele.
    bases, values
        Its letters, and the contribution of each, shape (n,).
    changed
        First and last (half-open) of the letters that differ, counted from the first one.
    motifs
        Over its bases.
    """

    title: str
    bases: str
    values: NDArray[Any]
    changed: tuple[int, int]
    motifs: tuple[MotifMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantDisplay:
    """One variant on screen: the logos of its alleles, and its effect in each context.

    Parameters
    ----------
    start
        0-based position of the first letter of both logos.
    alleles
        REF and ALT; none while they are being computed.
    limits
        Of the y axis of both logos.
    context
        What the logos are of.
    contexts
        Rows of the forest, from the top.
    common
        Lowest and highest effect of most common variants, shape (n,) each; None where unknown.
    effect_limits
        Of the x axis of the forest.
    """

    start: int = 0
    alleles: tuple[AlleleDisplay, ...] = ()
    limits: Limits = (-1.0, 1.0)
    context: str = ""
    contexts: tuple[str, ...] = ()
    common: tuple[NDArray[Any], NDArray[Any]] | None = None
    effect_limits: Limits = (-1.0, 1.0)

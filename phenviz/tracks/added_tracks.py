"""Tracks that the Explore page gets besides its own: of the sequence or the annotation, one file each.

``docs/extend.md`` has a complete example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.theme import Theme

if TYPE_CHECKING:
    from phenviz.genome.annotation import Annotation


@dataclass(frozen=True, slots=True)
class TrackSources:
    """What a track is drawn from, wherever the view goes.

    Parameters
    ----------
    contig
        Name as in the reference.
    annotation
        Genes, bands and elements.
    sequence
        Reads the bases of a locus; None where there is no reference.
    contexts
        All contexts of the model.
    """

    contig: str
    annotation: Annotation
    sequence: Callable[[Locus], str] | None
    contexts: tuple[Context, ...]


@dataclass(frozen=True, slots=True)
class AddedTrack:
    """A track by name.

    Parameters
    ----------
    name
        In addresses and lists of hidden tracks: one word.
    label
        In the menu of tracks.
    make
        Makes its figures when it is first shown, from the axis, the colours and the sources.
    """

    name: str
    label: str
    make: Callable[[Axis, Theme, TrackSources], Sequence[Track]]


# by name, in the order in which they were added
ADDED_TRACKS: dict[str, AddedTrack] = {}


def add_track(name: str, label: str, make: Callable[[Axis, Theme, TrackSources], Sequence[Track]]) -> None:
    """Show a track on every Explore page opened from now on, below the regulatory elements.

    Parameters
    ----------
    name, label, make
        As for `AddedTrack`; one of the same name is replaced.
    """
    ADDED_TRACKS[name] = AddedTrack(name, label, make)

"""Genome browser of the Individual page: a person's two haplotypes against the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from bokeh.models.layouts import Column

from phenviz.genome.contexts import Context
from phenviz.genome.locus import Locus
from phenviz.results.display import Display
from phenviz.tracks.carried_variants import Carried
from phenviz.tracks.elements import Elements
from phenviz.tracks.frame import Axis, Track
from phenviz.tracks.genes import Genes
from phenviz.tracks.haplotypes import Difference, Haplotypes, PersonalActivity, centre_of
from phenviz.tracks.ruler import Ruler
from phenviz.tracks.theme import Theme, ThemeName, get_theme
from phenviz.tracks.track_stack import Stack
from phenviz.tracks.unknown import Unknown

if TYPE_CHECKING:
    from phenviz.genome.annotation import Annotation

PERSONAL_TRACKS = ("ruler", "genes", "elements", "variants", "difference", "haplotypes")


class PersonalBrowser:
    """Linked tracks of one contig; its Bokeh models belong to one document.

    Parameters
    ----------
    annotation
        Genes and elements.
    contig_length
        Bases of the contig.
    locus
        What is shown first.
    contexts
        All contexts of the model, in its order.
    theme
        ``light`` or ``dark``.
    sequence
        Reads the bases of a locus.
    """

    def __init__(
        self,
        annotation: Annotation,
        contig_length: int,
        *,
        locus: Locus,
        contexts: Sequence[Context],
        theme: ThemeName = "light",
        sequence: Callable[[Locus], str] | None = None,
    ) -> None:
        self._known = tuple(contexts)
        self._chosen: Sequence[Context] = self._known
        self._focus = ""
        makers: dict[str, Callable[[], Sequence[Track]]] = {
            "ruler": lambda: [Ruler(*self._basis(), locus.contig, sequence)],
            "genes": lambda: [Genes(*self._basis(), annotation)],
            "elements": lambda: [self._with_colours(Elements(*self._basis(), annotation))],
            "variants": lambda: [self._striped(Carried(*self._basis()))],
            "difference": lambda: [self._striped(Difference(*self._basis(), number)) for number in (1, 2)],
            "haplotypes": lambda: [self._striped(Haplotypes(*self._basis()))],
        }
        self._stripes: list[Unknown] = []
        self._stack = Stack(locus, contig_length, get_theme(theme), makers)
        self._stack.arrange(hidden=["elements"])
        self.set_contexts([context.name for context in contexts], "")

    @property
    def layout(self) -> Column:
        """The figures in a column that takes the width it gets."""
        return self._stack.layout

    @property
    def locus(self) -> Locus:
        """What is shown."""
        return self._stack.locus

    def set_locus(self, locus: Locus) -> None:
        """Show a locus of the same contig, without calling back."""
        self._stack.set_locus(locus)

    def on_locus(self, callback: Callable[[Locus], None]) -> None:
        """Call back when the user has panned, zoomed or dragged, once the view comes to rest."""
        self._stack.on_locus(callback)

    def set_tracks(self, hidden: Iterable[str]) -> None:
        """Hide tracks by their names (`PERSONAL_TRACKS`), and show all others."""
        self._stack.arrange(hidden=hidden)

    def set_contexts(self, names: Sequence[str], focus: str) -> None:
        """Choose the contexts that are drawn, and the one that is pointed at."""
        wanted = set(names)
        self._chosen, self._focus = [c for c in self._known if c.name in wanted], focus
        for track in self._stack.tracks():
            if isinstance(track, Haplotypes | Difference):
                track.set_contexts(self._chosen, focus)

    def set_activity(self, data: PersonalActivity | None, empty: str) -> None:
        """Draw predicted activity; ``empty`` is said where there is none."""
        for track in self._stack.tracks():
            if isinstance(track, Haplotypes):
                track.set_data(data, empty)
            elif isinstance(track, Difference):
                track.set_data(data)

    def set_variants(
        self, table: pd.DataFrame | None, empty: str = "", *, unknown: str = "", read: Locus | None = None
    ) -> None:
        """Draw carried variants (see `Carried.set_table`)."""
        for track in self._stack.made("variants"):
            assert isinstance(track, Carried)
            track.set_table(table, empty, unknown=unknown, read=read)

    def set_uncovered(self, loci: Sequence[Locus]) -> None:
        """Draw stripes over all tracks about the person where nothing is known about them."""
        for stripes in self._stripes:
            stripes.set(loci)

    def select(self, position: int | None) -> None:
        """Draw a line through all tracks at the variant at a position counted from 1; None for no line."""
        self._stack.marks.set_lines([centre_of(position)] if position is not None else [])

    def set_theme(self, theme: ThemeName) -> None:
        """Change all colours."""
        self._stack.restyle(get_theme(theme))
        for stripes in self._stripes:
            stripes.restyle(get_theme(theme))

    def display(self) -> Display:
        """Return what is on screen, with the scales that it is drawn with."""
        return self._stack.display([context.name for context in self._chosen], self._focus)

    def close(self) -> None:
        """Draw no more, because the page is gone."""
        self._stack.close()

    def _basis(self) -> tuple[Axis, Theme]:
        return self._stack.axis, self._stack.theme

    def _striped(self, track: Track) -> Track:
        self._stripes.append(Unknown(track.figure, self._stack.theme))
        return track

    def _with_colours(self, track: Elements) -> Elements:
        track.set_contexts(self._known)
        return track

"""The whole chromosome in one line: shows the window, and moves it."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
from panel.viewable import Viewer

from phenviz.app.shell.state import PageState
from phenviz.app.widgets.parts import FigurePane
from phenviz.genome.annotation import Annotation
from phenviz.genome.locus import Locus
from phenviz.tracks import Ideogram


class IdeogramView(Viewer):
    """Ideogram of the contig that is looked at.

    Parameters
    ----------
    state
        Its locus is shown, and set by a click or a drag.
    annotation
        Gives the bands.
    contig_length
        Bases of a contig by its name.
    """

    def __init__(self, state: PageState, annotation: Annotation, contig_length: Callable[[str], int]) -> None:
        super().__init__()
        self._state, self._annotation, self._contig_length = state, annotation, contig_length
        self._contig = ""
        self._pane = FigurePane(
            None,
            alt="The whole contig with its bands; the view is marked",
            sizing_mode="stretch_width",
            margin=0,
        )
        self._follow()
        state.param.watch(self._follow, ["locus"])
        state.param.watch(lambda _event: self._ideogram.set_theme(state.theme), ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        return self._pane

    def _follow(self, *_events: object) -> None:
        if self._state.locus.contig != self._contig:
            self._open_contig()
        self._ideogram.set_window(self._state.locus)

    def _open_contig(self) -> None:
        self._contig = self._state.locus.contig
        self._ideogram = Ideogram(
            self._annotation.bands(self._contig),
            self._contig_length(self._contig),
            self._state.theme,
            contig=self._contig,
        )
        self._ideogram.on_pick(self._picked)
        self._ideogram.set_window(self._state.locus)
        self._pane.object = self._ideogram.layout

    def _picked(self, locus: Locus) -> None:
        self._state.locus = Locus(self._contig, locus.start, locus.end)

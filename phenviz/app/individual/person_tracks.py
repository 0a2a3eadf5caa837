"""The tracks of the Individual page: keeps the browser of `phenviz.tracks` in step with state and results."""

from __future__ import annotations

import panel as pn
from panel.viewable import Viewer

from phenviz.app.individual.person_run import LONGEST, PersonRun
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import IndividualState
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane
from phenviz.genome.locus import Locus
from phenviz.genome.ticks import format_length
from phenviz.results.display import Display
from phenviz.tracks import PersonalBrowser

_SETTLE_MS = 300
# beside logos in a low window, as at 200 % zoom, something of the tracks is still in sight
_LEAST_HEIGHT = "120px"
_WORDS = {
    "empty": "Choose an individual on the left to see both haplotypes",
    "too long": f"Zoom in below {format_length(LONGEST)} to see haplotypes",
    "loading": "Loading the model…",
    "queued": "Waiting for a computation before this one…",
    "running": "Predicting both haplotypes…",
    "failed": "Nothing could be computed; the reason stands on the right",
    "cancelled": "Cancelled before the haplotypes were predicted",
    "done": "",
    "not covered": "",
}


class PersonTracks(Viewer):
    """Linked tracks over one window.

    Parameters
    ----------
    session
        Its document's timers.
    state
        Locus, contexts, focus, theme and hidden tracks are followed; dragging sets the locus.
    runtime
        Annotation and sequence.
    run
        What is drawn.
    """

    def __init__(self, session: Session, state: IndividualState, runtime: Runtime, run: PersonRun) -> None:
        super().__init__()
        self._state, self._runtime, self._run = state, runtime, run
        self._pane = FigurePane(
            None,
            alt="Tracks along the genome: genes, carried variants and predicted activity of both haplotypes. "
            "Left and right arrow move, plus and minus zoom; the table below lists the variants",
            role="application",
            sizing_mode="stretch_both",
            margin=0,
        )
        self._scroll = pn.Column(
            self._pane, FigureTable(self._pane, "Tracks"), scroll="y-auto",
            sizing_mode="stretch_both", margin=0,
            # it scrolls where the page is lower than the least that its tracks need
            styles={"min-height": _LEAST_HEIGHT},
        )  # fmt: skip
        self._settle = session.debounced(self._settled, _SETTLE_MS)
        self._drawn: tuple[object, ...] = ()
        self._open_contig()
        state.param.watch(self._move, ["locus"])
        state.param.watch(self._choose_contexts, ["contexts", "focus"])
        state.param.watch(lambda _event: self._browser.set_theme(state.theme), ["theme"])
        state.param.watch(lambda _event: self._browser.set_tracks(set(state.hidden)), ["hidden"])
        state.param.watch(self._point, ["variant"])
        run.param.watch(self._draw, ["changed"])
        session.on_close(lambda: self._browser.close())

    def __panel__(self) -> pn.viewable.Viewable:
        return self._scroll

    def display(self) -> Display:
        """Return what is on screen, with the scales that it is drawn with."""
        return self._browser.display()

    def _open_contig(self) -> None:
        world, state = self._runtime.world, self._state
        self._contig = state.locus.contig
        self._browser = PersonalBrowser(
            world.annotation,
            world.reference.contigs[self._contig],
            locus=state.locus,
            contexts=world.contexts,
            theme=state.theme,
            sequence=world.reference.sequence,
        )
        self._browser.set_tracks(set(state.hidden))
        self._choose_contexts()
        self._browser.on_locus(self._dragged)
        self._drawn = ()
        self._point()
        self._draw()
        self._pane.object = self._browser.layout

    def _dragged(self, locus: Locus) -> None:
        self._state.locus = locus

    def _move(self, *_events: object) -> None:
        if self._state.locus.contig != self._contig:
            self._browser.close()
            self._open_contig()
        elif self._browser.locus != self._state.locus:
            self._browser.set_locus(self._state.locus)
        self._settle()

    def _settled(self) -> None:
        self._state.settled = self._state.locus

    def _choose_contexts(self, *_events: object) -> None:
        self._browser.set_contexts(self._state.contexts, self._state.focus)

    def _point(self, *_events: object) -> None:
        fields = self._state.variant.split(":")
        self._browser.select(int(fields[1]) if len(fields) == 4 and fields[1].isdigit() else None)

    def _draw(self, *_events: object) -> None:
        status, activity, table = self._run.status, self._run.activity(), self._run.table()
        coverage, uncovered = self._run.coverage, self._run.uncovered
        now = (status, id(activity), id(table), coverage, self._run.nobody, uncovered)
        if now == self._drawn:
            return
        self._drawn = now
        words = {"not covered": coverage, "empty": self._run.nobody}.get(status, "") or _WORDS[status]
        unknown = status in ("too long", "not covered", "empty")
        self._browser.set_activity(None if unknown else activity, words)
        self._browser.set_uncovered([] if status in ("too long", "empty") else uncovered)
        if table is None or unknown:
            self._browser.set_variants(None, words)
        else:
            self._browser.set_variants(
                table, "No variant is carried in this view", unknown=coverage, read=self._state.settled
            )

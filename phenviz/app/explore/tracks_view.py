"""The genome tracks: keeps the browser of `phenviz.tracks` and the state in step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import pandas as pd
import panel as pn
from panel.viewable import Viewer

from phenviz.app.shell.runs import Runs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import ExploreState, locus_of_mark
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane
from phenviz.data.own_tracks import OwnTrack
from phenviz.genome.locus import Locus, same_contig
from phenviz.results import kind_of
from phenviz.results.display import Display
from phenviz.tracks import Browser
from phenviz.tracks.added_tracks import ADDED_TRACKS

_SETTLE_MS = 300
TRACKS = {
    "genes": "Genes",
    "elements": "Regulatory elements",
    "finemapped": "Fine-mapped variants",
    "observed": "Observed peaks",
    "activity": "Predicted activity",
    "attribution": "Attribution",
    "mutagenesis": "In-silico mutagenesis",
}


def track_labels(own: Sequence[OwnTrack] = ()) -> dict[str, str]:
    """Return name and label of each track that can be hidden, from top to bottom, with the user's own."""
    labels: dict[str, str] = {}
    for name, label in TRACKS.items():
        labels[name] = label
        if name == "elements":
            labels |= {added: track.label for added, track in ADDED_TRACKS.items()}
        if name == "observed":
            labels |= {track.name: track.label for track in own}
    return labels


_KINDS_OF_TRACK = {
    "mutagenesis": ("mutagenesis", "mutagenesis_coarse"),
    "attribution": ("attribute", "trait"),
}
# a result stands below what was measured, so that both are seen at once in a low window too
_ORDER = ("ruler", "genes", "elements", "finemapped", "observed", "attribution", "mutagenesis", "activity")


class TracksView(Viewer):
    """Linked tracks over one window.

    Parameters
    ----------
    session
        Its timer brings in what was predicted meanwhile.
    state
        Locus, contexts, focus, theme, style and hidden tracks are followed; dragging sets the locus.
    runtime
        Annotation, sequence and predicted activity.
    runs
        The result on screen.
    """

    def __init__(self, session: Session, state: ExploreState, runtime: Runtime, runs: Runs) -> None:
        super().__init__()
        self._session, self._state, self._runtime, self._runs = session, state, runtime, runs
        self._peaks: pd.DataFrame | None = None
        self._finemapped: pd.DataFrame | None = None
        self._own: tuple[OwnTrack, ...] = ()
        self._seen_version = -1
        self._has_activity = False
        self._pane = FigurePane(
            None,
            alt="Tracks along the genome: genes, regulatory elements, predicted activity and results. "
            "Left and right arrow move, plus and minus zoom; the table below lists the strongest bases",
            role="application",
            sizing_mode="stretch_both",
            margin=0,
        )
        self._scroll = pn.Column(
            self._pane, FigureTable(self._pane, "Tracks"), scroll="y-auto",
            sizing_mode="stretch_both", margin=0,
            # it scrolls where the page is lower than the least that its tracks need
            styles={"min-height": "0"},
        )  # fmt: skip
        self._settle = session.debounced(self._settled, _SETTLE_MS)
        self._rows = runtime.activity.rows(state.contexts)
        self._open_contig()
        state.param.watch(self._move, ["locus"])
        state.param.watch(self._choose_contexts, ["contexts"])
        state.param.watch(lambda _event: self._browser.set_focus_context(state.focus), ["focus"])
        state.param.watch(lambda _event: self._browser.set_theme(state.theme), ["theme"])
        state.param.watch(
            lambda _event: self._browser.set_activity_style(state.activity_style), ["activity_style"]
        )
        state.param.watch(lambda _event: self._browser.fix_activity(state.high), ["high"])
        state.param.watch(self._choose_tracks, ["hidden"])
        state.param.watch(self._point, ["highlight", "mark", "regions"])
        state.param.watch(lambda _event: self._browser.set_logo(state.logo), ["logo"])
        state.param.watch(self._choose_transcripts, ["transcripts"])
        runs.param.watch(self._show_result, ["dataset"])
        runs.param.watch(lambda _event: self._browser.set_motifs(runs.motifs), ["motifs"])
        # room is made when a run is started, so that nothing moves when its results arrive
        runs.param.watch(self._choose_tracks, ["current"])
        session.on_tick(self._take_activity)
        session.on_close(self._close)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._scroll

    def set_observed(self, peaks: pd.DataFrame) -> None:
        """Show observed peaks."""
        self._peaks = peaks
        self._browser.set_observed(peaks)

    def set_finemapped(self, variants: pd.DataFrame) -> None:
        """Show fine-mapped variants."""
        self._finemapped = variants
        self._browser.set_finemapped(variants)

    def set_own(self, tracks: Sequence[OwnTrack]) -> None:
        """Show tracks of the user's own, in place of earlier ones."""
        self._own = tuple(tracks)
        self._browser.set_own(self._own)
        self._choose_tracks()

    def display(self) -> Display:
        """Return what is on screen, with the scales that it is drawn with."""
        return self._browser.display()

    def activity_high(self) -> float:
        """Return the activity where the colours end now; 0 where none is drawn."""
        drawn = self._browser.display().activity
        return drawn.high if drawn is not None else 0.0

    def _open_contig(self) -> None:
        world, state = self._runtime.world, self._state
        self._contig = state.locus.contig
        self._length = world.reference.contigs[self._contig]
        self._has_activity, self._seen_version = False, -1
        self._browser = Browser(
            world.annotation,
            self._length,
            locus=state.locus,
            theme=state.theme,
            sequence=world.reference.sequence,
            contexts=world.contexts,
            hidden=self._hidden(),
        )
        self._choose_contexts()
        self._browser.set_focus_context(state.focus)
        self._browser.set_activity_style(state.activity_style)
        self._browser.fix_activity(state.high)
        self._browser.set_logo(state.logo)
        self._browser.set_motifs(self._runs.motifs)
        self._choose_transcripts()
        self._point()
        self._browser.on_locus(self._dragged)
        if self._peaks is not None:
            self._browser.set_observed(self._peaks)
        if self._finemapped is not None:
            self._browser.set_finemapped(self._finemapped)
        self._browser.set_own(self._own)
        self._choose_tracks()
        self._pane.object = self._browser.layout
        self._show_result()

    def _close(self) -> None:
        self._browser.close()
        self._runtime.activity.forget(self._session)

    def _dragged(self, locus: Locus) -> None:
        self._state.locus = locus

    def _move(self, *_events: object) -> None:
        locus = self._state.locus
        if locus.contig != self._contig:
            self._open_contig()
        elif self._browser.locus != locus:
            self._browser.set_locus(locus)
        self._settle()

    def _settled(self) -> None:
        self._state.settled = self._state.locus
        self._runtime.activity.want(self._session, self._state.locus, self._rows)

    def _choose_contexts(self, *_events: object) -> None:
        chosen = set(self._state.contexts)
        if self._rows != (rows := self._runtime.activity.rows(self._state.contexts)):
            self._rows, self._has_activity = rows, False
        self._browser.set_contexts(
            [context for context in self._runtime.world.contexts if context.name in chosen]
        )

    def _choose_tracks(self, *_events: object) -> None:
        after = _ORDER.index("observed") + 1
        own = [track.name for track in self._own]
        self._browser.set_tracks((*_ORDER[:after], *own, *_ORDER[after:]), self._hidden())

    def _choose_transcripts(self, *_events: object) -> None:
        if self._state.transcripts == "one":
            self._browser.set_transcripts(None)
            return
        # those of a whole genome take a while to be read
        found = self._runtime.background.submit(lambda: self._runtime.world.transcripts)
        found.add_done_callback(lambda done: self._session.run_soon(lambda: self._take_transcripts(done)))

    def _take_transcripts(self, done: Future[pd.DataFrame]) -> None:
        if self._state.transcripts == "all":
            self._browser.set_transcripts(done.result())

    def _hidden(self) -> set[str]:
        hidden = set(self._state.hidden) & set(track_labels(self._own))
        # a track for results takes no space before there is a run of its kind
        kind = self._runs.current.request.kind if self._runs.current is not None else ""
        return hidden | {name for name, kinds in _KINDS_OF_TRACK.items() if kind not in kinds}

    def _point(self, *_events: object) -> None:
        place = self._state.highlight
        here = [place] if place is not None and place.contig == self._contig else []
        marked = locus_of_mark(self._state.mark)
        if marked is not None and same_contig(marked.contig, self._contig):
            here = [*here, Locus(self._contig, marked.start, marked.end)]
        for text in self._state.regions:
            region = Locus.parse(text)
            if same_contig(region.contig, self._contig):
                here.append(Locus(self._contig, region.start, region.end))
        # one base is a line through all tracks; more have a border on either side
        self._browser.set_marks(sorted({locus.start for locus in here if locus.length == 1}))
        self._browser.set_highlight([locus for locus in here if locus.length > 1])

    def _take_activity(self) -> None:
        activity = self._runtime.activity
        if not self._has_activity:
            pyramid = activity.pyramid(self._contig, self._rows)
            if pyramid is None:
                return
            self._browser.set_activity(pyramid, self._rows)
            self._has_activity = True
            activity.want(self._session, self._state.locus, self._rows)
        if activity.version != self._seen_version:
            self._seen_version = activity.version
            self._browser.refresh()

    def _show_result(self, *_events: object) -> None:
        dataset = self._runs.dataset
        kind = kind_of(dataset) if dataset is not None else None
        self._browser.set_mutagenesis(dataset if kind == "mutagenesis" else None)
        self._browser.set_attribution(dataset if kind == "attribution" else None)

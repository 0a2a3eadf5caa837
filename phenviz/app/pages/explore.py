"""The Explore page: which bases of a locus matter, in which contexts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

from phenviz.app.components.context_picker import ContextPicker
from phenviz.app.components.export_menu import ExportMenu
from phenviz.app.components.header import Header
from phenviz.app.components.ideogram import IdeogramView
from phenviz.app.components.job_list import JobList
from phenviz.app.components.locus_bar import LocusBar
from phenviz.app.components.page_actions import PageActions, ShareButton
from phenviz.app.components.results_table import MOTIF_WINDOW, ResultsTable
from phenviz.app.components.run_panel import RunPanel
from phenviz.app.components.track_toolbar import TrackToolbar
from phenviz.app.components.tracks_view import TRACKS, TracksView
from phenviz.app.exports import DATA_FORMATS, File, data_file, explore_figure_file
from phenviz.app.look import PAGE_SX, THEME_CONFIG
from phenviz.app.model_card import card_text, model_name
from phenviz.app.observed import ObservedPeaks
from phenviz.app.runs import Runs
from phenviz.app.session import Session, report, words_of
from phenviz.app.start import default_state
from phenviz.app.state import query_of
from phenviz.app.strongest import round_the_strongest
from phenviz.errors import ResultError
from phenviz.genome.locus import bare_contig

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from phenviz.app.runtime import Runtime

pn.extension(notifications=True, exception_handler=report)

_URL_MS = 400
_LEFT, _RIGHT = 236, 262
# narrower windows start with the run panel folded away, so that the tracks keep the space
_WIDE_WINDOW = "(min-width: 1100px)"


def explore_page(runtime: Runtime) -> pmui.Page:
    """Build the page for one browser tab.

    Parameters
    ----------
    runtime
        What all tabs share.
    """
    try:
        return ExplorePage(runtime).page
    except Exception as error:
        return _page_of_failure(error)


class ExplorePage:
    """Everything of one tab; lives as long as its document.

    Parameters
    ----------
    runtime
        What all tabs share.
    """

    def __init__(self, runtime: Runtime) -> None:
        world = runtime.world
        self.runtime = runtime
        self.session = Session()
        arguments = {name: values[-1].decode() for name, values in pn.state.session_args.items() if values}
        self.state, problems = default_state(world, arguments)
        self.runs = Runs(self.state, lambda: runtime.service)
        self._restored = False
        self.page = self._layout()
        self._keep_in_step()
        for problem in problems:
            self.session.say(problem)

    def _layout(self) -> pmui.Page:
        runtime, session, state, runs = self.runtime, self.session, self.state, self.runs
        world = runtime.world
        names = [str(name) for name in world.annotation.genes["gene_name"]]
        contig_length = self._contig_length
        actions = PageActions(width=0, height=0, margin=0)
        self.header = Header(
            self._place(),
            model_name(world),
            lambda: card_text(world),
            ShareButton(margin=0),
            ExportMenu(session, self._make_file, actions, runtime.background),
        )
        self.locus_bar = LocusBar(
            state,
            resolve=world.locus,
            nearest_names=world.annotation.nearest_names,
            names=names,
            contig_length=contig_length,
        )
        self.tracks = TracksView(session, state, runtime, runs)
        toolbar = TrackToolbar(session, state, runtime, runs, TRACKS)
        ObservedPeaks(session, runtime, self.tracks.set_observed, toolbar.offer).start()
        self.run_panel = RunPanel(
            session,
            state,
            runs,
            gene=world.annotation.gene,
            gene_names=names,
            nearest_names=world.annotation.nearest_names,
            has_readout=world.project.readout is not None,
            contig_length=contig_length,
        )
        self.results = ResultsTable(
            session,
            state,
            runs,
            find_motifs=self._find_motifs,
            background=runtime.background,
            contig_length=contig_length,
        )
        width = pmui.BreakpointSwitcher(
            media_query=_WIDE_WINDOW, small=pn.Spacer(height=0), large=pn.Spacer(height=0), height=0, margin=0
        )
        main = pn.Column(
            self.locus_bar,
            IdeogramView(state, world.annotation, contig_length),
            toolbar,
            self.tracks,
            self.results,
            actions,
            width,
            sizing_mode="stretch_both",
            margin=0,
        )
        page = pmui.Page(
            title="PhenViz",
            header=[self.header],
            sidebar=[ContextPicker(state, world.contexts)],
            sidebar_width=_LEFT,
            contextbar=[self.run_panel, JobList(session, state, runs)],
            contextbar_width=_RIGHT,
            contextbar_open=True,
            contextbar_variant="persistent",
            contextbar_resizable=True,
            main=[main],
            busy_indicator=None,
            dark_theme=state.theme == "dark",
            theme_config=THEME_CONFIG,
            sx=PAGE_SX,
        )
        with edit_readonly(page):
            # else each look at a job would tell the browser twice that the server was busy
            page.busy = False
        width.param.watch(lambda event: self._fold(page, event.new is width.large), "current")
        return page

    def _keep_in_step(self) -> None:
        state, session = self.state, self.session
        state.param.watch(lambda _event: self.header.set_place(self._place()), ["locus"])
        watched = [name for name in state.param if name not in ("name", "locus", "highlight")]
        state.param.watch(session.debounced(self._write_url, _URL_MS), watched)
        self.page.param.watch(self._take_theme, "dark_theme")
        session.on_tick(self.runs.tick)
        session.on_tick(self._restore_once)
        session.on_close(self.runs.drop)

    def _write_url(self) -> None:
        if self.session.location is not None:
            query = query_of(self.state, self.runtime.world.contexts)
            self.session.location.search = "?" + urlencode(query, safe=",:~")

    def _take_theme(self, _event: object) -> None:
        self.state.theme = "dark" if self.page.dark_theme else "light"

    def _restore_once(self) -> None:
        if self.runtime.service is None or self._restored:
            return
        self._restored = True
        if (words := self.runs.restore()) is not None:
            self.session.say(words)

    def _fold(self, page: pmui.Page, wide: bool) -> None:
        page.contextbar_open = wide

    def _contig_length(self, contig: str) -> int:
        reference = self.runtime.world.reference
        return reference.contigs[reference.resolve_contig(contig)]

    def _place(self) -> str:
        return f"{self.runtime.world.assembly} · chr{bare_contig(self.state.locus.contig)}"

    def _find_motifs(self, dataset: xr.Dataset, context: str) -> pd.DataFrame:
        from phenviz.attribution import find_motifs

        part = round_the_strongest(dataset, context, MOTIF_WINDOW)
        contexts = [context] if "context" in dataset.dims and context in dataset["context"] else None
        return find_motifs(part, self.runtime.world.project.motifs, contexts=contexts)

    def _make_file(self, suffix: str) -> Callable[[], File]:
        """Take what is on screen now; the file itself is made in the background."""
        if suffix not in DATA_FORMATS.values():
            return explore_figure_file(self.runtime, self.state, self.runs.dataset, suffix)
        dataset = self.runs.dataset
        if dataset is not None:
            return lambda: data_file(dataset, suffix)
        locus, names = self.state.locus, self.state.contexts
        service = self.runtime.service
        if service is None:
            raise ResultError("the model is still being loaded: there is nothing to export yet")
        job = service.submit("predict", locus=locus, contexts=names)
        return lambda: data_file(job.result(), suffix)


def _page_of_failure(error: Exception) -> pmui.Page:
    """Say why there is nothing to see, instead of an empty window."""
    words = pmui.Alert(object=words_of(error), title="This page can't be shown", severity="error", margin=40)
    return pmui.Page(title="PhenViz", main=[words], theme_config=THEME_CONFIG, sx=PAGE_SX)

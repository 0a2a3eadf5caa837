"""The Explore page: which bases of a locus matter, in which contexts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import panel_material_ui as pmui

from phenviz.app.explore.finemapped import finemapped_packs
from phenviz.app.explore.job_list import JobList
from phenviz.app.explore.own_track_list import OwnTrackList
from phenviz.app.explore.packs_of_track import PacksOfTrack
from phenviz.app.explore.results_table import ResultsTable
from phenviz.app.explore.run_panel import RunPanel
from phenviz.app.explore.shard_runs import ShardRuns
from phenviz.app.explore.top_bases import motifs_of
from phenviz.app.explore.tracks_view import TracksView, track_labels
from phenviz.app.shell.exports import (
    DATA_FORMATS,
    FIGURE_FORMATS,
    REPORT_FORMAT,
    File,
    explore_figure_file,
    saved_file,
    stem,
)
from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.page import Page
from phenviz.app.shell.run_choices import methods_for
from phenviz.app.shell.runs import Runs
from phenviz.app.shell.state import ExploreState
from phenviz.app.widgets.context_picker import ContextPicker
from phenviz.app.widgets.export_menu import ExportMenu
from phenviz.app.widgets.ideogram import IdeogramView
from phenviz.app.widgets.locus_bar import LocusBar
from phenviz.app.widgets.track_toolbar import TrackToolbar
from phenviz.errors import PhenvizError, ResultError

if TYPE_CHECKING:
    from phenviz.data.own_tracks import OwnTrack
    from phenviz.genome.annotation import Gene


class ExplorePage(Page[ExploreState]):
    """The Explore page of one tab."""

    key = "explore"

    def _prepare(self) -> None:
        self._methods = methods_for(global_backbone=self.runtime.world.has_global_backbone)
        self._restored = False

    def _new_state(self) -> ExploreState:
        state = ExploreState()
        state.offer(self._methods)
        return state

    def _complete(self, state: ExploreState, arguments: Mapping[str, str]) -> list[str]:
        """Call the contig of the address's run as the reference does."""
        shown, reference = state.shown, self.runtime.world.reference
        if shown is None:
            return []
        try:
            contig = reference.resolve_contig(shown.locus.contig)
        except PhenvizError as error:
            state.shown = None
            return [str(error)]
        state.shown = replace(shown, locus=replace(shown.locus, contig=contig))
        return []

    def _layout(self) -> pmui.Page:
        runtime, session, state = self.runtime, self.session, self.state
        runs = self.runs = Runs(state, lambda: runtime.service)
        world = runtime.world
        names = [str(name) for name in world.annotation.genes["gene_name"]]
        contig_length = world.reference.length
        self.locus_bar = LocusBar.of(state, world, session)
        self.tracks = TracksView(session, state, runtime, runs)
        self.toolbar = TrackToolbar(session, state, runtime, runs, track_labels(), self.tracks.activity_high)
        self._show_packs()
        self.own = OwnTrackList(session, runtime, self._show_own)
        self.run_panel = RunPanel(
            session,
            state,
            runs,
            methods=self._methods,
            gene=self._find_gene,
            gene_names=names,
            nearest_names=world.annotation.nearest_names,
            expression_contexts=world.expression_contexts,
            traits=world.traits,
            contig_length=contig_length,
        )
        self.results = ResultsTable(
            session,
            state,
            runs,
            find_motifs=partial(motifs_of, library=world.project.motifs),
            background=runtime.background,
            contig_length=contig_length,
        )
        self.jobs = JobList(session, state, runs)
        self.shard_runs = ShardRuns(session, runtime.shard_places, runtime.background)
        return self.framed(
            [
                self.locus_bar,
                IdeogramView(state, world.annotation, contig_length),
                self.toolbar,
                self.tracks,
                self.results,
            ],
            sidebar=[ContextPicker(state, world.contexts), self.own],
            panel=[self.run_panel, self.jobs, self.shard_runs],
            actions=[
                ExportMenu(
                    session,
                    self._make_file,
                    self.actions,
                    runtime.background,
                    FIGURE_FORMATS | DATA_FORMATS | REPORT_FORMAT,
                )
            ],
        )

    def _keep_in_step(self) -> None:
        session = self.session
        # at once: a reload right after Run finds what was asked for by its address
        self.state.param.watch(lambda _event: session.run_soon(self._write_address), ["shown"])
        session.on_tick(self.runs.tick)
        session.on_tick(self._restore_once)
        session.on_close(self.runs.drop)

    def _join(self, tab: str) -> None:
        """Take up what this tab has run and handed over before a reload."""
        self.runs.adopt(tab)
        self.own.join(tab)

    def _return(self) -> None:
        self._show_run_of_address()

    def _show_own(self, tracks: Sequence[OwnTrack]) -> None:
        self.tracks.set_own(tracks)
        self.toolbar.list_tracks(track_labels(tracks))

    def _restore_once(self) -> None:
        if self.runtime.service is None or self._restored:
            return
        self._restored = True
        self.runs.remember()
        self._show_run_of_address()

    def _show_run_of_address(self) -> None:
        shown, current = self.state.shown, self.runs.current
        if current is not None and current.request != shown:
            self.runs.hide()
            self.state.shown = shown
        if (words := self.runs.restore()) is not None:
            self.session.say(words)

    def _find_gene(self, name: str) -> Gene:
        """Find a gene, called by what finds this very one again, on a contig as the reference calls it."""
        world = self.runtime.world
        gene = world.annotation.gene(name)
        contig = world.reference.resolve_contig(gene.locus.contig)
        name = world.annotation.key_of(gene)
        return replace(gene, name=name, locus=replace(gene.locus, contig=contig))

    def _show_packs(self) -> None:
        """Show what tracks take from data packs, and offer the packs that aren't here."""
        runtime, offer = self.runtime, self.toolbar.offer
        PacksOfTrack(
            self.session, runtime, "Observed peaks",
            lambda: list(runtime.world.project.peak_packs),
            lambda _anew: runtime.peaks(),
            self.tracks.set_observed, partial(offer, track="observed"),
        ).start()  # fmt: skip
        PacksOfTrack(
            self.session, runtime, "Fine-mapped variants",
            partial(finemapped_packs, runtime),
            lambda anew: runtime.finemapped(anew=anew),
            self.tracks.set_finemapped, partial(offer, track="finemapped"),
        ).start()  # fmt: skip

    def _make_file(self, suffix: str) -> Callable[[], File]:
        """Take what is on screen now; the file itself is made in the background."""
        if suffix in REPORT_FORMAT.values():
            from phenviz.app.reports.exports import explore_report_file

            return explore_report_file(
                self.runtime, self.state, self.tracks.display(), self.runs.dataset, self.own.tracks.all,
                self.actions.place,
            )  # fmt: skip
        if suffix not in DATA_FORMATS.values():
            own = self.own.tracks.all
            return explore_figure_file(self.runtime, self.tracks.display(), self.runs.dataset, suffix, own)
        dataset = self.runs.dataset
        if dataset is not None:
            return lambda: saved_file(dataset, stem(dataset), suffix)
        locus, names = self.state.locus, self.state.contexts
        service = self.runtime.service
        if service is None:
            raise ResultError("the model is still being loaded: there is nothing to export yet")
        job = KEEPER.submit(current_user(), service, "predict", locus=locus, contexts=names)
        return lambda: saved_file(job.result(), stem(job.result()), suffix)

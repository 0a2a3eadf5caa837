"""The Individual page: a person's two haplotypes, and which of the variants matter, where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from phenviz.app.components.context_picker import ContextPicker
from phenviz.app.components.data_grid import DataGrid, GridColumn
from phenviz.app.components.export_menu import ExportMenu
from phenviz.app.components.file_drop import FileDrop
from phenviz.app.components.ideogram import IdeogramView
from phenviz.app.components.locus_bar import LocusBar
from phenviz.app.components.person_panel import PersonPanel
from phenviz.app.components.person_picker import PersonPicker
from phenviz.app.components.person_tracks import PersonTracks
from phenviz.app.components.track_toolbar import TrackMenu
from phenviz.app.components.variant_detail import VariantDetail
from phenviz.app.exports import File
from phenviz.app.frame import PageFrame, arguments_of_address, guarded
from phenviz.app.genotype_sources import UPLOAD, People
from phenviz.app.initial_view import open_state
from phenviz.app.navigation import centred
from phenviz.app.person_exports import FORMATS, person_file
from phenviz.app.person_run import PersonRun
from phenviz.app.session import Session, words_of
from phenviz.app.state import IndividualState, apply_individual_query, individual_query
from phenviz.genome.locus import Locus
from phenviz.genome.variant import Variant

if TYPE_CHECKING:
    from phenviz.app.runtime import Runtime

_COLUMNS = (
    GridColumn("position", "Position", "{:,}", "number"),
    GridColumn("id", "rsID", searched=True),
    GridColumn("ref", "Ref", kind="allele"),
    GridColumn("alt", "Alt", kind="allele"),
    GridColumn("carried", "Carried by", searched=True),
    GridColumn("gene", "Gene", searched=True),
    GridColumn("distance", "Distance", "{:,.0f}", "number"),
    GridColumn("context", "Context", searched=True),
    GridColumn("effect", "Effect", "{:+.3f}", "effect"),
    GridColumn("quantile", "Quantile", "{:+.3f}", "number"),
)
_TRACKS = {
    "genes": "Genes",
    "elements": "Regulatory elements",
    "variants": "Variants",
    "difference": "Differences from the reference",
    "haplotypes": "Predicted activity",
}
_TABLE_HEIGHT = "25vh"
# letters can be read in a view of this length
_READABLE_VIEW = 2_000


def individual_page(runtime: Runtime) -> pmui.Page:
    """Build the page for one browser tab.

    Parameters
    ----------
    runtime
        What all tabs share.
    """
    return guarded(lambda: IndividualPage(runtime).page)


class IndividualPage:
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
        self.people = People(world, runtime.folder)
        self.state, problems = self._read(arguments_of_address())
        self.run = PersonRun(self.state, runtime, self.people)
        self.page = self._layout()
        self._keep_in_step()
        self._open_source()
        for problem in problems:
            self.session.say(problem)

    def _read(self, arguments: Mapping[str, str]) -> tuple[IndividualState, list[str]]:
        """Turn an address into a state; also returns what couldn't be taken over, in words."""
        state, world = IndividualState(), self.runtime.world
        problems = apply_individual_query(state, arguments, world.contexts)
        problems = open_state(state, world, arguments, problems)
        if not state.source:
            state.source = self.people.first
        return state, problems

    def _read_again(self, arguments: Mapping[str, str]) -> tuple[IndividualState, list[str]]:
        """Turn an address of this tab into a state: whose genome isn't named there was handed over."""
        state, problems = self._read(arguments)
        if "source" not in arguments and self.state.source == UPLOAD:
            state.param.update(source=UPLOAD, sample=self.state.sample)
        return state, problems

    def _returned(self) -> None:
        if self.picker.source != self.state.source:
            self._open_source()

    def _layout(self) -> pmui.Page:
        runtime, session, state, run = self.runtime, self.session, self.state, self.run
        world = runtime.world
        frame = PageFrame("individual", runtime, session, state, self._query)
        frame.address.on_return(self._read_again, self._returned)
        self.locus_bar = LocusBar.of(state, world, session)
        self.picker = PersonPicker(
            # what is chosen while the browser still draws the page would be lost there
            lambda message: session.run_soon(lambda: self._heard(message)),
            sources=[list(pair) for pair in self.people.sources()],
            source=state.source,
            chosen=state.sample,
            sizing_mode="stretch_width",
            margin=(12, 12, 4, 12),
        )
        self.drop = FileDrop(
            self.people.uploads,
            self._take_file,
            visible=state.source == UPLOAD,
            sizing_mode="stretch_width",
            margin=(4, 12),
        )
        self.panel = PersonPanel(session, state, run)
        self.tracks = PersonTracks(session, state, runtime, run)
        self.grid = DataGrid(
            _COLUMNS,
            # what a component of ours hears comes without the lock that figures need
            on_row=lambda key: session.run_soon(lambda: self._jump(key)),
            testid="person-variants",
            sizing_mode="stretch_both",
            margin=0,
        )
        self.detail = VariantDetail(session, state, runtime, lambda: state.variant, ["variant"])
        table = pn.Column(
            self.grid.view, sizing_mode="stretch_both", margin=0, min_height=120,
            styles={"border-top": "1px solid color-mix(in srgb, currentColor 14%, transparent)",
                    "flex": "none", "height": _TABLE_HEIGHT},
        )  # fmt: skip
        return frame.page(
            [
                self.locus_bar,
                IdeogramView(state, world.annotation, world.reference.length),
                self.tracks,
                self.detail,
                table,
            ],
            sidebar=[self.picker, self.drop, ContextPicker(state, world.contexts)],
            panel=[self.panel, self._track_menu()],
            actions=[ExportMenu(session, self._make_file, frame.actions, runtime.background, FORMATS)],
        )

    def _track_menu(self) -> TrackMenu:
        state = self.state
        menu = TrackMenu(
            tracks=[list(pair) for pair in _TRACKS.items()], hidden=list(state.hidden), margin=(4, 14)
        )
        menu.param.watch(lambda event: setattr(state, "hidden", tuple(event.new)), "hidden")
        state.param.watch(lambda _event: setattr(menu, "hidden", list(state.hidden)), ["hidden"])
        return menu

    def _keep_in_step(self) -> None:
        state, session, run = self.state, self.session, self.run
        state.param.watch(lambda *_events: run.ask(), ["sample", "settled", "unphased", "seed", "mode"])
        state.param.watch(lambda _event: self._list(), ["contexts"])
        state.param.watch(lambda _event: setattr(self.picker, "chosen", state.sample), ["sample"])
        run.param.watch(lambda _event: self._list(), ["changed"])
        session.on_tick(run.tick)
        session.on_close(run.close)
        session.on_close(self.people.close)

    def _query(self) -> dict[str, str]:
        query = individual_query(self.state, self.runtime.world.contexts)
        if self.state.source == UPLOAD:
            # the file is in this session only: an address that names it would lead nowhere
            for name in ("source", "sample", "variant"):
                query.pop(name, None)
        return query

    def _list(self) -> None:
        table = self.run.table()
        status = self.run.status
        if table is None or status == "too long":
            said = {
                "empty": "The variants that an individual carries stand here, strongest effect first.",
                "too long": "Zoom in to see the variants that are carried.",
                "failed": "No variants could be read; the reason stands on the right.",
                "cancelled": "Cancelled before the variants were read.",
            }
            self.grid.show(pd.DataFrame({"key": []}), said.get(status, "Reading genotypes…"))
            return
        self.grid.show(table, "No variant is carried in this view.")
        self.grid.choose(self.state.variant)

    def _jump(self, key: str) -> None:
        contig, position, _, _ = Variant.of_key(key)
        state, at = self.state, position - 1
        contig = self.runtime.world.reference.resolve_contig(contig)
        view = state.locus
        if view.length > 4 * _READABLE_VIEW:
            view = Locus(contig, max(at - _READABLE_VIEW // 2, 0), at + _READABLE_VIEW // 2)
        chosen = self._context_of(key)
        state.param.update(
            variant=key,
            focus=chosen or state.focus,
            locus=centred(view, at, self.runtime.world.reference.length(contig)),
        )

    def _context_of(self, key: str) -> str:
        table = self.run.table()
        if table is None:
            return ""
        found = table.loc[table["key"] == key, "context"]
        return str(found.iloc[0]) if len(found) else ""

    def _make_file(self, suffix: str) -> Callable[[], File]:
        return person_file(self.runtime.world, self.state, self.people, self.run, suffix)

    # whose genome

    def _heard(self, message: dict[str, Any]) -> None:
        try:
            if "source" in message:
                self.state.param.update(source=str(message["source"]), sample="", variant="")
                self._open_source()
            elif "sample" in message:
                self.state.param.update(sample=str(message["sample"]), variant="")
        except Exception as error:
            self.picker.param.update(note=self.people.in_words(words_of(error)), failed=True)

    def _take_file(self, path: Path) -> None:
        self.people.take(path)
        self.state.param.update(source=UPLOAD, sample="", variant="")
        self.picker.sources = [list(pair) for pair in self.people.sources()]
        self._open_source()

    def _open_source(self) -> None:
        source = self.state.source
        self.picker.param.update(source=source, note="Opening…", failed=False)
        self.drop.visible = source == UPLOAD
        done = self.runtime.background.submit(self.people.samples, source)
        done.add_done_callback(lambda found: self.session.run_soon(lambda: self._opened(source, found)))

    def _opened(self, source: str, done: Future[pd.DataFrame]) -> None:
        if source != self.state.source:
            return
        try:
            samples = done.result()
        except Exception as error:
            self.picker.param.update(note=self.people.in_words(words_of(error)), failed=True)
            self.picker.show_samples(pd.DataFrame({"sample": [], "population": [], "superpopulation": []}))
            return
        self.picker.note = ""
        self.picker.show_samples(samples)
        known = set(samples["sample"])
        if self.state.sample and self.state.sample not in known:
            self.picker.param.update(
                note=f"{self.state.sample} isn't among the individuals of this source.", failed=True
            )
            self.state.sample = ""
        if len(samples) and not self.state.sample:
            # somebody is better than nobody: the page shows at once what it is for
            self.state.sample = str(samples["sample"].iloc[0])

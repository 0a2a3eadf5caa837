"""The Variants page: thousands of variants ranked by what they do, and one of them in detail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from phenviz.app.shell.exports import REPORT_FORMAT, File
from phenviz.app.shell.initial_view import around_variant
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.own_file import GONE, LOOKING, OwnFile
from phenviz.app.shell.page import Page
from phenviz.app.shell.state import VariantsState
from phenviz.app.shell.uploads import files_of
from phenviz.app.variants.expression_exports import FORMATS as EXPRESSION_FORMATS
from phenviz.app.variants.expression_exports import expression_file
from phenviz.app.variants.variant_exports import FORMATS, variants_file
from phenviz.app.variants.variant_plots import VariantPlots
from phenviz.app.variants.variant_run import FOLDER, PASTED, REGION, UPLOAD, VariantRun
from phenviz.app.variants.variant_source import VariantSource
from phenviz.app.variants.variant_view import VariantView
from phenviz.app.widgets.context_picker import ContextPicker
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.export_menu import ExportMenu
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.locus_bar import LocusBar
from phenviz.app.widgets.splitter import lower_part, splitter
from phenviz.errors import ResultError
from phenviz.results.display import VariantDisplay, VariantsDisplay

if TYPE_CHECKING:
    import xarray as xr

_COLUMNS = (
    GridColumn("position", "Position", "{:,}", "number"),
    GridColumn("id", "rsID", searched=True),
    GridColumn("ref", "Ref", kind="allele"),
    GridColumn("alt", "Alt", kind="allele"),
    GridColumn("allele_frequency", "Frequency", "{:.3f}", "number"),
    GridColumn("gene", "Gene", searched=True),
    GridColumn("distance", "Distance", "{:,.0f}", "number"),
    GridColumn("context", "Context", searched=True),
    GridColumn("effect", "Effect", "{:+.3f}", "effect"),
    GridColumn("quantile", "Quantile", "{:+.3f}", "number"),
)
# alleles have any length, names of files don't
_LONGEST_NAME = 60
_EMPTY = {
    "empty": "Choose on the left which variants to score.",
    "waiting": "Press “Score variants” to score those of this view.",
    "loading": "Loading the model…",
    "failed": "Nothing could be scored; the reason stands on the left.",
    "cancelled": "Cancelled before anything was scored.",
}


class VariantsPage(Page[VariantsState]):
    """The Variants page of one tab."""

    key = "variants"

    def _prepare(self) -> None:
        self.own = OwnFile()

    def _new_state(self) -> VariantsState:
        return VariantsState()

    def _layout(self) -> pmui.Page:
        runtime, session, state = self.runtime, self.session, self.state
        world = runtime.world
        # the browser tells later which tab this is, and so what it has handed over
        self._lost, self._asked_for_upload = state.origin == UPLOAD, not session.in_browser
        run = self.run = VariantRun(state, runtime, lambda: self.own.path)
        self.locus_bar = LocusBar.of(state, world, session)
        self.drop = FileDrop(self.own.folder, self._take_file, sizing_mode="stretch_width", margin=(4, 0))
        self.source = VariantSource(session, state, run, self.drop, self._missing)
        self.source.offer(self._origins())
        self.plots = VariantPlots(state, world.contexts, self._choose)
        self.grid = DataGrid(
            _COLUMNS,
            # what a component of ours hears comes without the lock that figures need
            on_row=lambda key: session.run_soon(lambda: self._choose(key)),
            on_change=lambda: session.run_soon(self._sifted),
            testid="variants",
            hint="gene, rsID, frequency<0.01, |effect|>0.1",
            sizing_mode="stretch_both",
            margin=0,
        )
        self._sift()
        table = pn.Column(
            self.grid.view,
            sizing_mode="stretch_both",
            margin=0,
            min_height=120,
            styles=lower_part("42vh"),
        )
        self.list = pn.Column(self.plots, splitter("variants"), table, sizing_mode="stretch_both", margin=0)
        self.view = VariantView(session, state, runtime, lambda: self._choose(""))
        self.shows_one = False
        self._holder = pn.Column(self.list, sizing_mode="stretch_both", margin=0)
        formats = FORMATS | (EXPRESSION_FORMATS if world.expression_contexts else {}) | REPORT_FORMAT
        self._jobs = PrivateJobs(runtime)
        return self.framed(
            [self.locus_bar, self._holder],
            sidebar=[self.source, ContextPicker(state, world.contexts)],
            actions=[ExportMenu(session, self._make_file, self.actions, runtime.background, formats)],
        )

    def _return(self) -> None:
        self._sift()
        self.run.follow()

    def _sift(self) -> None:
        # each of the two writes both into the state
        searched, sort = self.state.filter, self.state.sort
        self.grid.search(searched)
        self.grid.sort_by(sort.removeprefix("-"), sort.startswith("-"))

    def _keep_in_step(self) -> None:
        state, session, run = self.state, self.session, self.run
        settle = session.debounced(lambda: setattr(state, "settled", state.locus), 300)
        state.param.watch(settle, ["locus"])
        state.param.watch(lambda *_events: run.follow(), ["settled", "origin"])
        state.param.watch(lambda _event: self._list(), ["contexts"])
        state.param.watch(lambda _event: self._turn(), ["variant"])
        run.param.watch(lambda _event: self._list(), ["changed"])
        session.on_tick(run.tick)
        session.on_close(run.close)
        session.on_close(lambda: self._jobs.close())
        session.on_close(lambda: self.own.leave())
        self._list()

    def _origins(self) -> list[tuple[str, str]]:
        found = [(REGION, "the region in view")] if self.runtime.world.project.individuals else []
        found += [(PASTED, "pasted lines and rsIDs")]
        found += [(f"{FOLDER}{path.name}", f"{path.name} (server)") for path in files_of(self.runtime.folder)]
        own = self.own.path.name if self.own.path is not None else "a VCF of your own"
        return [*found, (UPLOAD, own)]

    def _join(self, tab: str) -> None:
        self.own = self.runtime.own_files.join(tab, self.own)
        self._asked_for_upload = True
        self.drop.folder = self.own.folder
        self.source.offer(self._origins())
        self.run.follow()

    def _missing(self) -> str:
        """Say what became of the file that the address was about; "" where nothing is missing."""
        if self.state.origin != UPLOAD or self.own.path is not None or not self._lost:
            return ""
        return GONE if self._asked_for_upload else LOOKING

    def _take_file(self, path: Path) -> None:
        self.own.take(path)
        # the Individual page, too, looks at it then
        self.state.param.update(origin=UPLOAD, genome=UPLOAD)
        self.source.offer(self._origins())
        self.run.ask()

    def _list(self) -> None:
        table = self.run.table()
        status = self.run.status
        if table is None:
            self.grid.show(pd.DataFrame({"key": []}), _EMPTY.get(status, "Scoring…"))
        else:
            self.grid.show(table)
        self._sifted()
        self._turn()

    def _sifted(self) -> None:
        self.state.param.update(filter=self.grid.filter, sort=self.grid.sort)
        matching = self.grid.matching
        effects = self.run.effects
        self.plots.show(matching if effects is not None else matching.iloc[:0], effects)
        self.plots.choose(self.state.variant)

    def _choose(self, key: str) -> None:
        if key and self.state.origin != REGION:
            # of a list from elsewhere the view says nothing yet; that of a region would be another list
            place = around_variant(self.runtime.world, key)
            if not place.overlaps(self.state.locus):
                self.state.locus = place
        self.state.variant = key

    def _turn(self) -> None:
        """Show the list, or the variant that the state names once it has been scored."""
        key, table, effects = self.state.variant, self.run.table(), self.run.effects
        found = table.index[table["key"] == key] if table is not None and key else []
        one = False
        if len(found) and table is not None and effects is not None:
            row = table.loc[found[0]]
            if row["context"] and self.view.shown != key and self.state.focus != row["context"]:
                self.state.focus = str(row["context"])
            self.view.show(row, effects.isel(variant=int(row["row"])))
            one = True
        if one != self.shows_one:
            self.shows_one = one
            self._holder[:] = [self.view if one else self.list]
        self.grid.choose(key)
        self.plots.choose(key)

    def _make_file(self, suffix: str) -> Callable[[], File]:
        effects = self.run.effects
        if effects is None:
            raise ResultError("there is nothing to export yet: score some variants first")
        if suffix in EXPRESSION_FORMATS.values():
            if not self.shows_one:
                raise ResultError("open one variant: its changes of expression can be exported from there")
            name = f"phenviz_variant_{self.state.variant[:_LONGEST_NAME].replace(':', '_')}"
            return expression_file(self.view.expression, suffix, name)
        if suffix in REPORT_FORMAT.values():
            return self._report(effects)
        table, name = self.grid.matching, "phenviz_variants"
        display: VariantsDisplay | VariantDisplay = self.plots.display()
        whole = self.run.table()
        if self.shows_one and whole is not None:
            key, display = self.state.variant, self.view.display()
            table, name = (
                whole[whole["key"] == key],
                f"phenviz_variant_{key[:_LONGEST_NAME].replace(':', '_')}",
            )
        return lambda: variants_file(table, effects, suffix, name, display)

    def _report(self, effects: xr.Dataset) -> Callable[[], File]:
        from phenviz.app.reports.exports import variant_report_file

        table = self.run.table()
        if not self.shows_one or table is None:
            raise ResultError("open one variant: a report is about one, and can be exported from there")
        row = table.loc[table["key"] == self.state.variant].iloc[0]
        return variant_report_file(
            self.runtime.world, self._jobs, self.state, row, effects, self.view.display(),
            self.actions.place,
        )  # fmt: skip

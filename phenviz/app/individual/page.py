"""The Individual page: a person's two haplotypes, and which of the variants matter, where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui

from phenviz.app.individual.genotype_sources import WORLD, People
from phenviz.app.individual.measured_view import MeasuredView
from phenviz.app.individual.person_choice import PersonChoice
from phenviz.app.individual.person_exports import FORMATS, name_of_person, person_file
from phenviz.app.individual.person_panel import PersonPanel
from phenviz.app.individual.person_run import PersonRun
from phenviz.app.individual.person_tracks import PersonTracks
from phenviz.app.shell.exports import REPORT_FORMAT, File
from phenviz.app.shell.job_view import PrivateJobs
from phenviz.app.shell.navigation import centred
from phenviz.app.shell.page import Page
from phenviz.app.shell.state import IndividualState
from phenviz.app.variants.expression_exports import FORMATS as EXPRESSION_FORMATS
from phenviz.app.variants.expression_exports import expression_file
from phenviz.app.widgets.context_picker import ContextPicker
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.export_menu import ExportMenu
from phenviz.app.widgets.expression_changes import ExpressionChanges, Rows
from phenviz.app.widgets.ideogram import IdeogramView
from phenviz.app.widgets.locus_bar import LocusBar
from phenviz.app.widgets.splitter import lower_part, splitter
from phenviz.app.widgets.track_toolbar import TrackMenu
from phenviz.app.widgets.variant_detail import VariantDetail
from phenviz.genome.locus import Locus
from phenviz.genome.variant import Variant

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.service import Job

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
_TABLE_HEIGHT = "30vh"
_EXPRESSION_LATER = {
    "empty": "Choose an individual on the left.",
    "too long": "Zoom in to see how expression changes.",
    "failed": "Nothing could be predicted; the reason stands on the right.",
    "cancelled": "Cancelled before expression was predicted.",
}
_BELOW = {
    "Variants carried": "variants",
    "Expression by tissue": "expression",
    "Predicted and measured": "measured",
}
_NARROW = {"fontSize": "12px", "py": "1px", "px": "8px", "textTransform": "none", "whiteSpace": "nowrap"}
# of more genes in view, those around its middle are predicted: each takes a second or two
_MOST_GENES = 6
# letters can be read in a view of this length
_READABLE_VIEW = 2_000


class IndividualPage(Page[IndividualState]):
    """The Individual page of one tab."""

    key = "individual"

    def _prepare(self) -> None:
        self.people = People(self.runtime.world, self.runtime.folder)

    def _new_state(self) -> IndividualState:
        return IndividualState()

    def _complete(self, state: IndividualState, arguments: Mapping[str, str]) -> list[str]:
        state.source = state.source or self.people.first
        return []

    def _layout(self) -> pmui.Page:
        runtime, session, state = self.runtime, self.session, self.state
        world = runtime.world
        run = self.run = PersonRun(state, runtime, self.people)
        self.choice = PersonChoice(session, state, runtime, self.people, run)
        self.locus_bar = LocusBar.of(state, world, session)
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
        self.expression = ExpressionChanges(
            session, state, runtime, runtime.personal, _rows_of_haplotypes,
            "Change of expression on each haplotype, of the genes in view: choose an individual on the left.",
        )  # fmt: skip
        self.measured = MeasuredView(session, state, runtime, self.people, lambda: self._genes_in_view()[0])
        self._shown_below = pn.Column(sizing_mode="stretch_both", margin=0, scroll="y-auto")
        self._below = pmui.RadioButtonGroup(
            options=_BELOW, value=state.below, size="small", sx={"& button": _NARROW}, margin=(4, 8),
            width=430, visible=bool(world.expression_contexts),
        )  # fmt: skip
        self._below.param.watch(lambda event: setattr(state, "below", event.new), "value")
        table = pn.Column(
            self._below,
            self._shown_below,
            sizing_mode="stretch_both",
            margin=0,
            min_height=120,
            styles=lower_part(_TABLE_HEIGHT),
        )
        self._turn()
        formats = FORMATS | (EXPRESSION_FORMATS if world.expression_contexts else {}) | REPORT_FORMAT
        self._jobs = PrivateJobs(runtime)
        return self.framed(
            [
                self.locus_bar,
                IdeogramView(state, world.annotation, world.reference.length),
                pn.Column(
                    self.tracks,
                    self.detail,
                    splitter("individual"),
                    table,
                    # where a window is too low for all of them
                    scroll="y-auto",
                    sizing_mode="stretch_both",
                    margin=0,
                    styles={"min-height": "0"},
                ),
            ],
            sidebar=[self.choice.picker, self.choice.drop, ContextPicker(state, world.contexts)],
            panel=[self.panel, self._track_menu()],
            actions=[ExportMenu(session, self._make_file, self.actions, runtime.background, formats)],
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
        state.param.watch(lambda _event: self._turn(), ["below"])
        run.param.watch(lambda _event: self._ask_expression(), ["changed"])
        run.param.watch(lambda _event: self._list(), ["changed"])
        session.on_tick(run.tick)
        session.on_close(run.close)
        session.on_close(self._jobs.close)
        session.on_close(self.people.close)
        self.choice.open_source()

    def _join(self, tab: str) -> None:
        self.choice.have(tab)

    def _return(self) -> None:
        self.choice.open_source()

    def _list(self) -> None:
        table = self.run.table()
        status = self.run.status
        nothing = status in ("too long", "not covered", "empty")
        self.detail.invite(0 if table is None or nothing else len(table))
        if table is None or nothing:
            said = {
                "empty": self.run.nobody
                or "The variants that an individual carries stand here, strongest effect first.",
                "not covered": f"{self.run.coverage}.",
                "too long": "Zoom in to see the variants that are carried.",
                "failed": "No variants could be read; the reason stands on the right.",
                "cancelled": "Cancelled before the variants were read.",
            }
            self.grid.show(pd.DataFrame({"key": []}), said.get(status, "Reading genotypes…"))
            return
        unknown = f" {self.run.coverage}." if self.run.coverage else ""
        self.grid.show(table, f"No variant is carried in this view.{unknown}")
        self.grid.choose(self.state.variant)

    def _turn(self) -> None:
        """Show under the tracks what the state says: the variants carried, or expression by tissue."""
        self._below.value = self.state.below
        shown = {"expression": self.expression, "measured": self.measured} if self._below.visible else {}
        self._shown_below[:] = [shown.get(self.state.below, self.grid.view)]
        self._ask_expression()

    def _ask_expression(self) -> None:
        """Predict the genes in view from both haplotypes, once that is what is looked at."""
        state, people = self.state, self.people
        if state.below != "expression" or not self._below.visible:
            return
        if self.run.status != "done":
            # what stands there is another person's, or another place's
            why = {"not covered": f"{self.run.coverage}.", "empty": self.run.nobody}.get(self.run.status)
            later = why or _EXPRESSION_LATER.get(self.run.status, "Reading genotypes…")
            self.expression.ask((self.run.status, later), None, later)
            return
        source, sample = state.source, state.sample
        genes, note = self._genes_in_view()
        how = {"unphased": state.unphased, "seed": state.seed}

        def submit(jobs: PrivateJobs) -> Job:
            path = None if source == WORLD else people.individual(source, sample).individuals.paths[0]
            return jobs.submit("expression", genes=genes, samples=sample, individuals=path, **how)

        asked = (source, sample, tuple(genes), *how.values())
        self.expression.ask(asked, submit if genes else None, note)

    def _genes_in_view(self) -> tuple[list[str], str]:
        """Return the genes that begin in view, at most a few around its middle, and what is left out."""
        view, annotation = self.state.settled or self.state.locus, self.runtime.world.annotation
        genes = annotation.genes_in(view)
        genes = genes[(genes["tss"] >= view.start) & (genes["tss"] < view.end)]
        if genes.empty:
            return [], "No gene begins in this view: move it to the start of one."
        middle = (view.start + view.end) / 2
        near = genes.iloc[np.argsort(np.abs(genes["tss"].to_numpy() - middle), kind="stable")[:_MOST_GENES]]
        names = near.sort_values("tss")["gene_name"].astype(str).drop_duplicates().tolist()
        left = len(genes) - len(near)
        return names, f"{left:,} more genes begin in view: zoom in for them." if left else ""

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
        if suffix in REPORT_FORMAT.values():
            from phenviz.app.reports.exports import person_report_file

            return person_report_file(
                self.runtime.world, self._jobs, self.state, self.tracks.display(), self.people, self.run,
                self.actions.place,
            )  # fmt: skip
        if suffix in EXPRESSION_FORMATS.values():
            locus = self.state.settled or self.state.locus
            return expression_file(self.expression.result, suffix, name_of_person(self.state.sample, locus))
        return person_file(
            self.runtime.world, self.state, self.tracks.display(), self.people, self.run, suffix
        )


def _rows_of_haplotypes(found: xr.Dataset) -> Rows:
    """Take the haplotypes that have a variant where a gene is read out from."""
    change = (found["expression"] - found["expression"].sel(haplotype="reference")).isel(individual=0)
    seen = found["variants"].isel(individual=0)
    names, changes = [], []
    for gene in range(found.sizes["gene"]):
        for haplotype in ("1", "2"):
            if int(seen.sel(haplotype=haplotype).values[gene]):
                names.append(f"{found['gene'].values[gene]}, haplotype {haplotype}")
                changes.append(change.sel(haplotype=haplotype).isel(gene=gene).to_numpy())
    return names, np.array(changes).reshape(len(names), found.sizes["context"])

"""Predicted beside measured expression, over people: one gene as points, all compared genes as a table."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.individual.genotype_sources import People
from phenviz.app.individual.measured_people import (
    OWN,
    SUFFIXES,
    ExpressionFolder,
    OwnTable,
    genotypes_of,
    look_at_table,
    measured_sources,
    missing_pack,
)
from phenviz.app.shell.formatting import escaped, readable_bytes
from phenviz.app.shell.job_view import JobView, PrivateJobs, fetch_packs
from phenviz.app.shell.links import link_to
from phenviz.app.shell.session import Session, words_of
from phenviz.app.widgets.data_grid import DataGrid, GridColumn
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.locus import shown_contig
from phenviz.genome.variant import Variant
from phenviz.results.measured import by_evidence
from phenviz.tracks import PeopleScatter

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime
    from phenviz.app.shell.state import IndividualState
    from phenviz.service import Job

_METHODS = ("model", "top-variant", "elastic-net", "model+elastic-net")
_COLUMNS = (
    GridColumn("gene", "Gene", searched=True),
    GridColumn("feature", "Measured", searched=True),
    GridColumn("people", "People", "{:,}", "number"),
    *(GridColumn(name, name.capitalize(), "{:+.2f}", "effect") for name in _METHODS),
    GridColumn("driver_name", "Driver of the model", searched=True),
    GridColumn("driver_effect", "Predicted per ALT", "{:+.4f}", "number"),
    GridColumn("driver_slope", "Measured per ALT", "{:+.3f}", "number"),
    GridColumn("top_name", "Top variant", searched=True),
)
_BESIDE = ("model", "elastic-net", "top-variant")
_FLANK = 1_000
_SHOWN_NAMES = 3


class MeasuredView(Viewer):
    """The card.

    Parameters
    ----------
    session
        Brings what is computed back to the page.
    state
        The chosen person is marked; its view says which gene is meant.
    runtime
        World and model.
    people
        Whose genotypes.
    genes_in_view
        Names of the genes that begin in view.
    """

    def __init__(
        self,
        session: Session,
        state: IndividualState,
        runtime: Runtime,
        people: People,
        genes_in_view: Callable[[], list[str]],
    ) -> None:
        super().__init__()
        self._session, self._state, self._runtime, self._people = session, state, runtime, people
        self._genes_in_view = genes_in_view
        self._jobs = PrivateJobs(runtime)
        self._job: Job | None = None
        self._folder = ExpressionFolder()
        self._own: OwnTable | None = None
        # what was compared, by gene
        self._found: dict[str, xr.Dataset] = {}
        self._key = ""
        self._scatter = PeopleScatter(state.theme)
        sources = measured_sources()
        self._source = pmui.Select(
            options=sources, value=next(iter(sources.values())), label="Measured in", size="small", width=330,
            margin=(6, 8),
        )  # fmt: skip
        self._compare = pmui.Button(label="Compare genes in view", size="small", margin=(12, 4, 4, 4))
        self._every = pmui.Button(
            label="Compare all genes", variant="outlined", size="small", margin=(12, 4, 4, 4)
        )
        self._cancel = pmui.Button(
            label="Cancel",
            variant="outlined",
            color="default",
            size="small",
            margin=(12, 4, 4, 4),
            visible=False,
        )
        self._fetch = pmui.Button(
            icon="cloud_download", variant="outlined", size="small", margin=(12, 4, 4, 4), visible=False
        )
        self._fetching: JobView | None = None
        self._take_names = pmui.Button(
            label="Use these names", variant="outlined", size="small", margin=(4, 8), visible=False
        )
        self._drop = FileDrop(
            self._folder, self._take_file, suffixes=",".join(SUFFIXES), visible=False,
            title="Drop a table of measured expression here", sizing_mode="stretch_width", margin=(4, 8),
            hint="people x genes, in any unit. It stays on this machine, and is removed with this page.",
        )  # fmt: skip
        self._said, self._badges = words(margin=(2, 8)), words(margin=(2, 8))
        self._pane = FigurePane(
            self._scatter.layout,
            alt="Predicted against measured expression, one point per person; the words beside it give the "
            "correlations",
            margin=0,
        )
        self._drawn = pn.Row(
            pn.Column(self._pane, width=340, margin=0), self._badges, sizing_mode="stretch_width", margin=0,
            visible=False,
        )  # fmt: skip
        self._grid = DataGrid(
            _COLUMNS, on_row=lambda key: session.run_soon(lambda: self._choose(key)), testid="measured-genes",
            sizing_mode="stretch_width", height=260, margin=0,
        )  # fmt: skip
        self._grid.show(_nothing(), "Genes that were compared stand here, the strongest evidence first.")
        self._source.param.watch(lambda _event: self._turn(), "value")
        self._compare.on_click(lambda _event: self._ask(self._genes_in_view()))
        self._every.on_click(lambda _event: self._ask(None))
        self._cancel.on_click(lambda _event: self._stop())
        self._fetch.on_click(lambda _event: self._begin_fetching())
        self._take_names.on_click(lambda _event: self._agree())
        state.param.watch(lambda _event: self._draw(), ["sample"])
        state.param.watch(lambda _event: self._turn(), ["source"])
        state.param.watch(lambda _event: self._scatter.set_theme(state.theme), ["theme"])
        session.on_tick(self._tick)
        session.on_close(self._close)
        self._turn()

    def __panel__(self) -> pn.viewable.Viewable:
        buttons = self._fetch, self._compare, self._every, self._cancel
        head = pn.FlexBox(self._source, *buttons, sizing_mode="stretch_width")
        return pn.Column(
            head, self._drop, self._said, self._take_names, self._drawn, self._grid.view,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def _turn(self) -> None:
        """Begin anew with another source of measured values or of genotypes."""
        self._stop()
        self._found, self._key = {}, ""
        self._drawn.visible = False
        self._drop.visible = self._source.value == OWN
        self._grid.show(_nothing(), "Genes that were compared stand here, the strongest evidence first.")
        missing = missing_pack(self._source.value)
        waits = self._source.value == OWN and self._own is None
        self._compare.disabled = self._every.disabled = missing is not None or waits
        self._take_names.visible = False
        self._fetch.visible = missing is not None and self._fetching is None
        if missing is not None:
            self._fetch.label = f"Fetch {missing.name} ({readable_bytes(missing.bytes)})"
        self._say(
            f"{missing.title}: not on this machine yet."
            if missing is not None
            else "How well does the model know people? It is compared with what was measured in them, beside "
            "what genotypes alone predict of people who were held out."
        )
        if self._own is not None and self._source.value == OWN:
            self._look(self._own.path)

    # data packs

    def _begin_fetching(self) -> None:
        pack = missing_pack(self._source.value)
        if pack is not None and self._fetching is None:
            self._fetching = fetch_packs([pack.name], self._runtime.background)
            self._fetch.visible = False

    def _look_at_fetching(self) -> None:
        fetching = self._fetching
        if fetching is None:
            return
        fetching.tick()
        if not fetching.over:
            if missing_pack(self._source.value) is not None:
                self._say(f"{escaped(fetching.stage.capitalize())}: {fetching.progress:.0%}")
            return
        self._fetching = None
        self._turn()
        if fetching.state == "failed":
            self._fail(f"Not fetched. {fetching.error}")

    # a table of one's own

    def _take_file(self, path: Path) -> None:
        self._own = OwnTable(path, {})
        self._session.run_soon(self._turn)

    def _look(self, path: Path) -> None:
        world, people, source = self._runtime.world, self._people, self._state.source
        done = self._runtime.personal.submit(look_at_table, world, people, source, path)
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._looked(path, found)))

    def _looked(self, path: Path, done: Future[OwnTable]) -> None:
        if self._own is None or self._own.path != path:
            return
        try:
            self._own = done.result()
        except Exception as error:
            self._fail(words_of(error))
            return
        offered = self._own.offered
        self._take_names.visible = bool(offered)
        if offered:
            shown = ", ".join(f"{one} → {two}" for one, two in list(offered.items())[:_SHOWN_NAMES])
            more = " ..." if len(offered) > _SHOWN_NAMES else ""
            self._say(
                f"{escaped(path.name)}: {len(offered):,} names aren't written as in the genotypes; they most "
                f"likely mean {escaped(shown)}{more}"
            )
        else:
            self._say(f"{escaped(path.name)} is here: compare genes in view, or all of them.")

    def _agree(self) -> None:
        if self._own is not None:
            self._own.names = dict(self._own.offered)
            self._take_names.visible = False
            self._say(f"{len(self._own.names):,} names are read as offered: compare genes now.")

    # comparing

    def _ask(self, genes: list[str] | None) -> None:
        if genes is not None and not genes:
            self._fail("No gene begins in this view: move it to the start of one, or compare all genes.")
            return
        self._stop()
        source, own = self._source.value, self._own
        if source == OWN and own is None:
            self._fail("Drop a table first.")
            return
        people, state = self._people, self._state
        chosen = str(own.path) if source == OWN and own is not None else source
        names = own.names if source == OWN and own is not None else None

        def submit() -> Job:
            files = genotypes_of(people, state.source)
            return self._jobs.submit(
                "measured", source=chosen, genes=genes, names=names, individuals=files, seed=state.seed
            )

        self._say("Reading what was measured…")
        self._cancel.visible = True
        done = self._runtime.personal.submit(submit)
        done.add_done_callback(lambda found: self._session.run_soon(lambda: self._submitted(found)))

    def _submitted(self, done: Future[Job]) -> None:
        try:
            self._job = done.result()
        except Exception as error:
            self._cancel.visible = False
            self._fail(self._people.in_words(words_of(error)))

    def _tick(self) -> None:
        """Look at what goes on, as the page's timer asks for it."""
        self._look_at_fetching()
        job = self._job
        if job is None:
            return
        if not job.over:
            self._say(f"{escaped(job.stage.capitalize())}: {job.progress:.0%}")
            return
        self._job, self._cancel.visible = None, False
        if job.state == "done":
            self._take(job.result())
        elif job.state == "failed":
            self._fail(self._people.in_words(job.error or ""))
        else:
            self._say("Cancelled.")

    def _take(self, result: xr.Dataset) -> None:
        context = str(result["context"].values[0])
        for name in dict.fromkeys(result["gene"].values.tolist()):
            self._found[name] = result.isel(gene=np.flatnonzero(result["gene"].values == name))
        parts = [
            by_evidence(found, context).assign(key=lambda t: t["gene"] + "|" + t["feature"])
            for found in self._found.values()
        ]
        table = pd.concat(parts, ignore_index=True)
        for name in ("driver", "top"):
            column = "driver" if name == "driver" else "top_variant"
            ids = table[f"{column}_id"]
            table[f"{name}_name"] = ids.where(ids.ne("") & ids.ne("."), table[column])
        strongest = table[[f"{method} p" for method in _METHODS]].min(axis=1).fillna(1.0)
        table = table.iloc[strongest.argsort(kind="stable")].reset_index(drop=True)
        self._grid.show(table)
        self._choose(str(table["key"].iloc[0]))

    def _choose(self, key: str) -> None:
        self._key = key
        self._grid.choose(key)
        self._draw()

    def _draw(self) -> None:
        """Draw the chosen gene, with the person of the page marked."""
        gene, _, feature = self._key.partition("|")
        found = self._found.get(gene)
        if found is None:
            return
        row = found.isel(gene=int(np.flatnonzero(found["feature"].values == feature)[0]), context=0)
        self._scatter.show(
            row["predicted_value"].sel({"method": "model"}).values,
            row["measured_value"].values,
            row["individual"].values.tolist(),
            row["population"].values.tolist(),
            axes=(f"{gene}, predicted in {row['context'].values}", "measured, covariates removed"),
            chosen=self._state.sample,
        )
        self._badges.object = self._words(gene, feature, row)
        self._say(escaped(str(found.attrs["about"])))
        self._drawn.visible = True

    def _words(self, gene: str, feature: str, row: xr.Dataset) -> str:
        seen = {
            "training": "seen gene", "validation": "unseen gene", "test": "unseen gene",
            "unknown": "gene seen or not: unknown",
        }  # fmt: skip
        lines = [f"<h3 style='margin:0'>{escaped(gene)}, {escaped(feature)}</h3>"]
        for method in _BESIDE:
            one = row.sel({"method": method, "split": "5-fold"})
            low, high, r = (float(one[name]) for name in ("low", "high", "correlation"))
            told = "nothing to tell" if np.isnan(r) else f"<b>{r:+.2f}</b> [{low:+.2f}, {high:+.2f}]"
            badge = seen[str(row["gene_is"].values)] if method == "model" else "fitted on this gene"
            about = f"<small>({badge}; unseen people)</small>"
            lines.append(f"<div data-testid='measured-{method}'>{method}: {told} {about}</div>")
        sample = self._state.sample
        there = sample in row["individual"].values
        lines.append(
            f"<div class='quiet'>{escaped(sample)} {'is marked' if there else 'was not measured'}.</div>"
            if sample
            else ""
        )
        lines.append(self._driver(row))
        return "".join(lines).replace("-0.", "\N{MINUS SIGN}0.")

    def _driver(self, row: xr.Dataset) -> str:
        key = str(row["driver"].values)
        if not key:
            return "<div class='quiet'>No common variant changes the model's prediction.</div>"
        contig, position, _, _ = Variant.of_key(key)
        effect, slope = float(row["driver_effect"]), float(row["driver_slope"])
        address = link_to(
            "explore", self._state, self._runtime.world.contexts, mark=key,
            locus=f"{shown_contig(contig)}:{max(position - _FLANK, 1)}-{position + _FLANK}",
        )  # fmt: skip
        name = str(row["driver_id"].values)
        shown = name if name not in ("", ".") else key
        sign = "the same sign" if effect * slope > 0 else "opposite signs"
        return (
            f"<div>Driver: <a href='{escaped(address)}' data-testid='driver'>{escaped(shown)}</a>, "
            f"per ALT allele {effect:+.4f} predicted, {slope:+.3f} measured: {sign}.</div>"
        )

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job, self._cancel.visible = None, False

    def _fail(self, said: str) -> None:
        self._say(f"<span class='failed' role='alert'>{escaped(said)}</span>")

    def _say(self, html: str) -> None:
        told = f"<div class='quiet' data-testid='measured'>{html}</div>"
        if self._said.object != told:
            self._said.object = told

    def _close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
        self._jobs.close()
        self._folder.close()
        self._job, self._found = None, {}


def _nothing() -> Any:
    return pd.DataFrame({"key": []})

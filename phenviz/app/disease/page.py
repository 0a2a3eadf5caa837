"""The Disease page: through which cell types traits act, and what stands behind each hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import panel as pn
import panel_material_ui as pmui
import xarray as xr

from phenviz.app.disease.disease_exports import FIGURES, FORMATS, disease_file
from phenviz.app.disease.disease_methods import DiseaseMethods
from phenviz.app.disease.disease_parts import (
    embedded_words,
    few_loci_words,
    left_out_words,
    method_part,
    methods_of,
    reweighted_words,
    simulated_words,
)
from phenviz.app.disease.disease_run import TRAIT_PACKS, DiseaseRun, EvidenceRun, source_title
from phenviz.app.disease.disease_source import DiseaseSource
from phenviz.app.disease.disease_state import (
    OWN,
    SIMULATED,
    TESTED,
    VIEWS,
    DiseaseState,
)
from phenviz.app.disease.disease_tables import (
    TABLE_SUFFIXES,
    KeptTable,
    KeptTables,
    TableFolder,
)
from phenviz.app.disease.evidence_view import DiseaseEvidence
from phenviz.app.disease.genes_view import DiseaseGenes
from phenviz.app.disease.trait_map import DiseaseMap
from phenviz.app.shell.exports import REPORT_FORMAT, File
from phenviz.app.shell.formatting import escaped, readable_bytes, readable_seconds
from phenviz.app.shell.page import Page
from phenviz.app.shell.session import words_of
from phenviz.app.widgets.context_picker import ContextPicker
from phenviz.app.widgets.export_menu import ExportMenu
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.parts import words
from phenviz.data.packs import find_pack, has_pack
from phenviz.disease.embedded_hypotheses import SOURCE as EMBEDDED_SOURCE
from phenviz.disease.inputs import FLAT
from phenviz.disease.methods import RECOMMENDED
from phenviz.disease.prose import is_of_people
from phenviz.errors import ResultError

if TYPE_CHECKING:
    pass

_EMPTY = {
    "loading": "Loading the model…",
    "missing": "These traits aren't on this machine yet: fetch them on the left, or choose simulated ones.",
    "empty": "Choose on the left whose fine-mapped variants to test.",
    "reading": "Reading the result…",
    "queued": "Waiting for a run before this one…",
    "running": "Testing: methods appear here as they finish…",
    "failed": "There is nothing to show; the reason stands on the left.",
    "cancelled": "Cancelled before any method was finished.",
}
_VIEW_FIGURE = {"map": "heatmap", "methods": "methods", "qq": "qq"}


class DiseasePage(Page[DiseaseState]):
    """The Disease page of one tab."""

    key = "disease"

    def _prepare(self) -> None:
        from phenviz.disease.methods import methods

        self.uploads, self.tables = TableFolder(), KeptTables()
        self._methods = {name: method.label for name, method in methods().items()}

    def _new_state(self) -> DiseaseState:
        return DiseaseState()

    def _complete(self, state: DiseaseState, arguments: Mapping[str, str]) -> list[str]:
        if not state.source:
            self._choose_source(state, arguments)
        return []

    def _choose_source(self, state: DiseaseState, arguments: Mapping[str, str]) -> None:
        """Open on what was tested last, on real traits that are here or that the package has results of."""
        last = self.runtime.last_hypotheses
        if last and not {"methods", "permutations", "prior"} & set(arguments):
            state.param.update(
                source=last["source"], methods=last["method"], permutations=str(last["permutations"]),
                prior=last["prior"],
            )  # fmt: skip
            return
        if (files := self.runtime.world.project.hypotheses) and "methods" not in arguments:
            state.source = f"{TESTED}{files[0].name}"
            return
        known = self._packs()
        here = [name for name in known if has_pack(name)]
        found = self.runtime.embedded_hypotheses
        if found is not None and (not here or here[0] == EMBEDDED_SOURCE):
            here = [EMBEDDED_SOURCE]
            if "methods" not in arguments:
                state.methods = tuple(name for name in self._methods if name in found["method"].values)
                state.method = state.method or (RECOMMENDED if RECOMMENDED in state.methods else "")
        state.source = here[0] if here else SIMULATED

    def _layout(self) -> pmui.Page:
        runtime, session, state = self.runtime, self.session, self.state
        contexts = runtime.world.contexts
        self.run = DiseaseRun(state, runtime, self.tables)
        self.evidence = EvidenceRun(state, runtime, self.run)
        self.drop = FileDrop(
            self.uploads, self._take_file, suffixes=",".join(TABLE_SUFFIXES), title="Drop a table here",
            hint=f"or press to choose one, up to {readable_bytes(self.uploads.largest)}. It is checked, and "
            "kept on this machine so that its address can be shared.",
            sizing_mode="stretch_width", margin=(4, 0),
        )  # fmt: skip
        self.source = DiseaseSource(session, state, self.run, self.tables, self.drop, self._methods)
        self.source.on_remove = self._offer
        self._offer()
        self._banner, self._report = words(margin=(6, 10)), words(margin=(4, 12), visible=False)
        self._few_loci = words(margin=(0, 10))
        self._reading = words(margin=(0, 40), visible=False)
        self._paragraph = words(margin=(8, 10, 24, 10))
        self._view = pmui.RadioButtonGroup(
            options={title: key for key, title in VIEWS.items()}, value=state.view, size="small",
            margin=(8, 8, 4, 8), sx={"& button": {"textTransform": "none", "whiteSpace": "nowrap"}},
        )  # fmt: skip
        self._figure = pmui.Select(
            options={title: key for key, title in FIGURES.items()}, label="Figure to export", size="small",
            sizing_mode="stretch_width", margin=(4, 12),
        )  # fmt: skip
        self.map = DiseaseMap(session, state, contexts)
        self.methods = DiseaseMethods(state, contexts)
        self.behind = DiseaseEvidence(session, state, runtime, self.run, self.evidence)
        self.genes = DiseaseGenes(session, state, runtime, self.run)
        self._views = {"map": self.map, "methods": self.methods, "qq": self.methods}
        self._empty = words(margin=(60, 40))
        self._holder = pn.Column(self._empty, sizing_mode="stretch_width", margin=0)
        main = pn.Column(
            self._banner, self._few_loci, self._view, self._holder, self._reading, self._paragraph,
            scroll="y-auto", sizing_mode="stretch_both", margin=0,
        )  # fmt: skip
        self._shown: object = None
        self._drawn: xr.Dataset | None = None
        self._offered = "heatmap"
        return self.framed(
            [main],
            sidebar=[self.source, self._report, self._figure, ContextPicker(state, contexts)],
            actions=[
                ExportMenu(
                    session, self._make_file, self.actions, runtime.background, FORMATS | REPORT_FORMAT
                )
            ],
        )

    def _keep_in_step(self) -> None:
        self.run.param.watch(lambda *_events: self._offer_anew(), ["changed"])
        state, session = self.state, self.session
        self._view.param.watch(lambda event: setattr(state, "view", event.new), "value")
        asked = ["methods", "permutations", "prior"]
        state.param.watch(lambda *_events: self._draw(), [*asked, "source", "view", "evidence", "method"])
        self.run.param.watch(lambda *_events: self._draw(), ["changed"])
        session.on_tick(self.run.tick)
        session.on_tick(self.evidence.tick)
        session.on_close(self.run.close)
        session.on_close(self.uploads.close)
        for read in self.runtime.tested_elsewhere().values():
            read.add_done_callback(lambda _read: session.run_soon(self._offer))
        self._draw()

    def _packs(self) -> list[str]:
        # a pack of another assembly has nothing to say here
        return [name for name in TRAIT_PACKS if find_pack(name).assembly == self.runtime.world.assembly]

    def _offer(self) -> None:
        tested = self.runtime.tested_elsewhere()
        known = [*(f"{TESTED}{name}" for name in tested), *self._packs(), SIMULATED]
        if self.state.source not in known:
            known.append(self.state.source)
        self.source.offer([(name, source_title(name, self.tables, tested)) for name in known])

    def _offer_anew(self) -> None:
        """Say of packs that were fetched meanwhile that they are here."""
        if self.run.fetching is not None and self.run.fetching.state == "done":
            self._offer()
            if self.evidence.refusal:
                self.evidence.asked = None

    def _take_file(self, path: Path) -> None:
        self.drop.note = "Checking the table…"
        done = self.runtime.background.submit(self.tables.keep, path, self.runtime.world.reference)
        done.add_done_callback(lambda kept: self.session.run_soon(lambda: self._kept(path, kept)))

    def _kept(self, path: Path, done: Future[KeptTable]) -> None:
        path.unlink(missing_ok=True)
        try:
            kept = done.result()
        except Exception as error:
            self.drop.param.update(note=words_of(error), failed=True)
            return
        self.drop.note = ""
        self.state.param.update(source=f"{OWN}{kept.key}", trait="", evidence="", variant="")
        self._offer()
        self.source.uploaded()

    def _draw(self) -> None:
        state, run = self.state, self.run
        self._say_report()
        wanted = run.asked is not None and run.asked == run.wanted()
        dataset = run.dataset if wanted else None
        names = methods_of(dataset) if dataset is not None else []
        self._reading.visible = bool(self._reading.object) and (dataset is None or not names)
        if dataset is None or not names:
            self._say_empty(self._waiting() if run.status == "waiting" else _EMPTY.get(run.status, ""))
            self._banner.object = self._few_loci.object = self._paragraph.object = ""
            self._view.visible = False
            self._put(self._empty)
            return
        awaited = self._awaited(dataset)
        if not awaited:
            self._look_at(dataset, names)
        self._view.value = state.view
        of_people = is_of_people(dataset)
        behind = "bars" if of_people or self.evidence.lacking else "leave-one-out"
        looked_at = behind if state.evidence else _VIEW_FIGURE[state.view]
        if looked_at != self._offered:
            # what is on screen is what one wants to export; another figure can still be chosen
            self._offered = self._figure.value = looked_at
        if dataset is not self._drawn:
            self._drawn = dataset
            self.map.show(dataset, names)
            self.methods.show(dataset, names)
            self._say_paragraph(dataset)
        self._view.visible = not state.evidence
        behind_it = self.genes if of_people else self.behind
        shown = behind_it if state.evidence else self._views[state.view]
        if awaited and shown is self.map:
            label = self._methods.get(state.method, state.method)
            self._say_empty(f"{label} is still to come; finished methods stand under “{VIEWS['methods']}”.")
            shown = self._empty
        self._put(shown)

    def _awaited(self, known: xr.Dataset) -> bool:
        """Tell whether the method that is looked at, as an address may name it, will be tested yet."""
        method, run = self.state.method, self.run
        to_come = run.status not in ("failed", "cancelled") and not known.attrs.get("complete", 1)
        asked = run.asked.get("method", ()) if run.asked is not None else ()
        return to_come and method in asked and method not in known["method"].values

    def _waiting(self) -> str:
        """Say what a test will do."""
        state, run = self.state, self.run
        names = ", ".join(self._methods[name] for name in state.methods)
        time = f" About {readable_seconds(run.seconds)}." if run.seconds else ""
        weighed = "" if state.counted_prior == FLAT else "; posteriors weighed by predicted effect"
        return (
            "“Test” on the left asks through which cell types these traits act: "
            f"{source_title(state.source, self.tables)}; by {names}; {int(state.permutations):,} draws of "
            f"the null{weighed}.{time}"
        )

    def _say_empty(self, text: str) -> None:
        self._empty.object = f"<div class='empty-card' data-testid='disease-empty'>{escaped(text)}</div>"

    def _look_at(self, known: xr.Dataset, names: list[str]) -> None:
        """Look at something that the result has: its first method, and the pair with the smallest p."""
        state = self.state
        if state.method not in names:
            state.method = names[0]
        part = method_part(known, state.method)
        if state.trait not in part["trait"].values:
            p = np.nan_to_num(part["p_value"].values, nan=2.0)
            z = np.nan_to_num(part["z"].values, nan=-np.inf)
            # among equal p-values the larger z
            row, column = np.unravel_index(int(np.lexsort((-z.ravel(), p.ravel()))[0]), p.shape)
            state.param.update(
                trait=str(part["trait"].values[row]), focus=str(part["context"].values[column]), evidence=""
            )

    def _say_report(self) -> None:
        source = self.state.source
        kept = self.tables.find(source.removeprefix(OWN)) if source.startswith(OWN) else None
        self._report.visible = kept is not None
        self._reading.object = (
            f"<div data-testid='table-reading'>{kept.reading}</div>"
            if kept is not None and kept.reading
            else ""
        )
        if kept is not None:
            lines = "<br>".join(escaped(line) for line in kept.report.splitlines())
            self._report.object = f"<div class='quiet' data-testid='table-report'>{lines}</div>"
        elif source in TRAIT_PACKS:
            pack = find_pack(source)
            said = f"{pack.title}. {pack.description} Licence: {pack.licence}. Cite: {pack.citation}."
            self._report.object = f"<div class='quiet' data-testid='pack-terms'>{escaped(said)}</div>"
            self._report.visible = True

    def _say_paragraph(self, known: xr.Dataset) -> None:
        from phenviz.disease import methods_paragraph

        simulated, left_out = simulated_words(known), left_out_words(known)
        if self.run.from_package:
            left_out = f"{embedded_words(known)}<br>{left_out}"
        self._few_loci.object = reweighted_words(known) + few_loci_words(known)
        packs = [name for name in self._packs() if not has_pack(name)]
        offer = ""
        if simulated and packs and not self.state.tested:
            pack = find_pack(packs[0])
            offer = f" For real ones choose “{escaped(source_title(pack.name, self.tables))}” on the left."
        self._banner.object = f"<div>{simulated}{offer}</div>" if simulated else left_out
        self._paragraph.object = (
            "<details><summary><b>Methods paragraph</b> <span class='quiet'>written from the settings of "
            "this result; also in the export menu</span></summary>"
            "<p style='max-width:900px' data-testid='methods-paragraph'>"
            f"{escaped(methods_paragraph(known))}</p></details>"
        )

    def _put(self, shown: object) -> None:
        if shown is not self._shown:
            self._shown = shown
            self._holder[:] = [shown]

    def _make_file(self, suffix: str) -> Callable[[], File]:
        state, dataset = self.state, self.run.dataset
        if dataset is None:
            raise ResultError("there is nothing to export yet: test some traits first")
        methods = methods_of(dataset)
        # the one that is looked at may be still to come
        method = methods[0] if methods and state.method not in methods else state.method
        if suffix in REPORT_FORMAT.values():
            from phenviz.app.reports.exports import disease_report_file

            return disease_report_file(
                self.runtime, state, dataset, method, self.run.source, self.actions.place
            )
        return disease_file(
            dataset,
            suffix,
            figure=self._figure.value,
            method=method,
            trait=state.trait,
            context=state.evidence or state.focus,
            shown=self.map.part if self._figure.value in ("heatmap", "bars", "forest") else None,
            methods=methods,
            evidence=self.evidence.dataset if state.evidence else None,
        )

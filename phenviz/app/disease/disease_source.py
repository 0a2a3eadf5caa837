"""Which traits are tested and how: data packs, a table of one's own, or simulated ones; start and cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.disease.disease_parts import tested_words
from phenviz.app.disease.disease_run import DiseaseRun
from phenviz.app.disease.disease_state import OWN, PERMUTATIONS, SIMULATED, DiseaseState
from phenviz.app.disease.disease_tables import KeptTables
from phenviz.app.shell.formatting import escaped, readable_bytes, readable_seconds
from phenviz.app.shell.session import Session
from phenviz.app.widgets.file_drop import FileDrop
from phenviz.app.widgets.parts import words
from phenviz.disease.functional_prior import follows_prior
from phenviz.disease.inputs import EFFECT, FLAT
from phenviz.disease.methods import RECOMMENDED, methods

UPLOAD = "upload"
_OF_VARIANTS = "Fine-mapped variants of"
_SAID = {
    SIMULATED: "Made-up traits, to try the page. Not data.",
    UPLOAD: "Columns trait, contig, position (from 1), ref, alt, posterior under their usual names; or the "
    "output of PLINK, REGENIE, SAIGE, BOLT-LMM, METAL, SuSiE, FINEMAP, CAVIAR, PolyFun, GWAS-SSF, FinnGen…",
}


class DiseaseSource(Viewer):
    """The form on the left.

    Parameters
    ----------
    session
        Its timer looks at the job.
    state
        Source, methods and draws are shown and set.
    run
        Started and cancelled.
    tables
        Names and reports of tables that were handed over.
    drop
        Takes a table.
    titles
        Name and title of every method.
    """

    def __init__(
        self,
        session: Session,
        state: DiseaseState,
        run: DiseaseRun,
        tables: KeptTables,
        drop: FileDrop,
        titles: dict[str, str],
    ) -> None:
        super().__init__()
        self._state, self._run, self._tables, self._drop = state, run, tables, drop
        self._uploading = False
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (4, 0)}
        # a label stands on the upper border of its field
        labelled = wide | {"margin": (12, 0, 4, 0)}
        self._source = pmui.Select(options={}, label=_OF_VARIANTS, size="small", **labelled)
        self._said = words(**wide)
        self._methods = pmui.MultiChoice(
            options={_offered(name, title): name for name, title in titles.items()},
            value=list(state.methods),
            label="Methods", chip=False, searchable=True, **labelled,
        )  # fmt: skip
        self._explained = words(**wide)
        self._draws = pmui.Select(
            options={f"{int(draws):,}": draws for draws in PERMUTATIONS}, value=state.permutations,
            label="Draws of the null", size="small", **labelled,
        )  # fmt: skip
        self._prior = pmui.Select(
            options={"as given": FLAT, "weighed by effect": EFFECT}, value=state.prior,
            label="Posteriors", size="small", **labelled,
        )  # fmt: skip
        self._weighed = words(**wide)
        self._fetch = pmui.Button(
            label="Fetch", icon="cloud_download", variant="outlined", size="small", visible=False, **wide,
            sx={"textTransform": "none"},
        )  # fmt: skip
        self._test = pmui.Button(
            label="Test", icon="play_arrow", color="primary", size="small", sizing_mode="stretch_width",
            margin=(2, 4, 2, 0),
        )  # fmt: skip
        self._cancel = pmui.Button(
            label="Cancel", variant="outlined", color="default", size="small", width=84, margin=(2, 0),
        )  # fmt: skip
        self._bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(6, 0, 2, 0)
        )
        self._told = words(min_height=54, **wide)
        self._forget = pmui.Button(
            label="Remove this table from this machine", variant="text", size="small", visible=False, **wide,
            sx={"textTransform": "none"},
        )  # fmt: skip
        self._source.param.watch(self._choose, "value")
        self._methods.param.watch(self._choose_methods, "value")
        self._draws.param.watch(lambda event: setattr(state, "permutations", event.new), "value")
        self._prior.param.watch(lambda event: setattr(state, "prior", event.new), "value")
        self._test.on_click(lambda _event: run.run())
        self._cancel.on_click(lambda _event: run.cancel())
        self._fetch.on_click(lambda _event: run.fetch())
        self._forget.on_click(lambda _event: self._remove())
        state.param.watch(self._follow, ["source", "methods", "permutations", "prior"])
        run.param.watch(self._draw, ["changed"])
        session.on_tick(self._draw)
        self.on_remove: Callable[[], None] = lambda: None

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self._source, self._said, self._drop, self._methods, self._explained, self._draws, self._prior,
            self._weighed, self._fetch,
            pn.Row(self._test, self._cancel, sizing_mode="stretch_width", margin=0),
            self._bar, self._told, self._forget, sizing_mode="stretch_width", margin=(4, 12),
        )  # fmt: skip

    def offer(self, sources: list[tuple[str, str]]) -> None:
        """Set the sources that can be chosen: key and title of each."""
        self._source.options = {title: key for key, title in [*sources, (UPLOAD, "a table of your own…")]}
        self._follow()

    def uploaded(self) -> None:
        """Turn back from the drop zone: a table has been taken."""
        self._uploading = False
        self._follow()

    def _choose(self, event: Any) -> None:
        self._uploading = event.new == UPLOAD
        if event.new and not self._uploading:
            self._state.source = event.new
        self._follow()

    def _choose_methods(self, event: Any) -> None:
        chosen = tuple(name for name in self._methods.options.values() if name in event.new)
        if chosen:
            self._state.methods = chosen
        else:
            self._methods.value = list(self._state.methods)

    def _remove(self) -> None:
        self._tables.forget(self._state.source.removeprefix(OWN))
        self._state.source = SIMULATED
        self.on_remove()

    def _follow(self, *_events: object) -> None:
        state = self._state
        shown = UPLOAD if self._uploading else state.source
        if self._source.value != shown and shown in self._source.options.values():
            self._source.value = shown
        self._drop.visible = self._uploading
        if list(self._methods.value) != list(state.methods):
            self._methods.value = list(state.methods)
        self._explained.object = _explained(state.methods)
        self._draws.value = state.permutations
        self._prior.value = state.prior
        self._weighed.object = _weighed(state) if state.prior != FLAT else ""
        said = _SAID.get(shown, "")
        self._forget.visible = shown.startswith(OWN)
        if shown.startswith(OWN):
            kept = self._tables.find(shown.removeprefix(OWN))
            said = (
                "Kept on this machine; whoever opens this address here sees it."
                if kept is not None
                else "This table isn't kept on this machine: hand it over again."
            )
        self._source.label = "Hypotheses from" if state.tested and not self._uploading else _OF_VARIANTS
        self._said.object = f"<span class='quiet'>{escaped(said)}</span>"
        # of what was tested elsewhere nothing can be chosen
        for part in (self._methods, self._explained, self._draws, self._prior, self._weighed, self._test):
            part.visible = not state.tested
        self._cancel.visible = not state.tested
        self._draw()

    def _draw(self, *_events: object) -> None:
        run = self._run
        status = run.status
        fetching = run.fetching is not None and not run.fetching.over
        busy = status in ("queued", "running")
        self._bar.visible = busy or fetching
        self._cancel.disabled = not busy
        self._test.disabled = status in ("empty", "loading", "missing") or busy
        if run.fetching is not None and fetching:
            self._bar.value = round(100 * run.fetching.progress)
        elif run.job is not None and busy:
            self._bar.value = round(100 * run.job.progress)
        missing = run.missing()
        self._fetch.visible = bool(missing) and not fetching
        if missing:
            size = readable_bytes(sum(pack.bytes for pack in missing))
            self._fetch.label = f"Fetch {' and '.join(pack.name for pack in missing)} ({size})"
        text = self._tested(status) if self._state.tested else self._text(status)
        html = f"<div data-testid='disease-status' data-state='{status}'>{text}</div>"
        if html != self._told.object:
            self._told.object = html

    def _tested(self, status: str) -> str:
        """Say of hypotheses that were tested elsewhere how they were, or why they can't be shown."""
        run = self._run
        if status == "failed":
            return f"<div class='failed' role='alert'><b>Can't be shown.</b> {escaped(run.error)}</div>"
        if run.dataset is None:
            return "<span class='quiet'>Reading the result…</span>"
        said = "Tested elsewhere: nothing is tested here."
        if run.missing():
            said += " Its variants aren't on this machine yet; with them loci can be looked at."
        return f"<div>{said}</div>{tested_words(run.dataset, self._state.tested)}"

    def _text(self, status: str) -> str:
        run = self._run
        fetching = run.fetching
        if fetching is not None and not fetching.over:
            return f"{escaped(fetching.stage.capitalize())}: {fetching.progress:.0%}"
        failed = ""
        if fetching is not None and fetching.state == "failed":
            failed = f"<div class='failed' role='alert'><b>Not fetched.</b> {escaped(fetching.error)}</div>"
        if status == "failed":
            return f"{failed}<div class='failed' role='alert'><b>Failed.</b> {escaped(run.error)}</div>"
        if status in ("queued", "running") and run.job is not None:
            job = run.job
            # what was estimated is over, and how much is left of a method nobody knows
            late = ", longer than estimated" if status == "running" else ""
            left = f", {readable_seconds(job.eta)} left" if job.eta else late
            waits = "Waiting for a run before it" if status == "queued" else escaped(job.stage or "Starting")
            return f"{waits[:1].upper()}{waits[1:]}<br>{job.progress:.0%} of all methods{left}"
        if status == "missing":
            packs = "; ".join(
                f"{escaped(pack.title)}, {readable_bytes(pack.bytes)}" for pack in run.missing()
            )
            return f"{failed}<span class='waiting'>Not on this machine yet: {packs}.</span>"
        cost = f" It takes about {readable_seconds(run.seconds)}." if run.seconds else ""
        return failed + {
            "loading": "<span class='quiet'>Loading the model…</span>",
            "empty": "<span class='quiet'>Choose traits to test.</span>",
            "waiting": f"<span class='waiting'>Press “Test” to start.{cost}</span>",
            "cancelled": "<span class='cancelled'><b>Cancelled.</b> Methods that were finished stay.</span>",
            "done": "<span class='done'><b>Done.</b></span>",
        }.get(status, "")


def _offered(name: str, title: str) -> str:
    """Return how a method is offered."""
    return f"{title} (recommended)" if name == RECOMMENDED else title


def _weighed(state: DiseaseState) -> str:
    """Say what weighing posteriors does in the chosen methods, and which of them keep them as given."""
    kept = [name for name in state.methods if not follows_prior(name)]
    said = "Within each locus, variants of a larger predicted effect count for more; so they do in the null."
    if state.counted_prior == FLAT:
        said = (
            f"The null of {', '.join(kept)} can't be weighed so: posteriors count as given. Add a method "
            "that compares loci with matched ones, such as sequence or variant."
        )
    elif kept:
        said += f" As given in {', '.join(kept)}, whose null can't be weighed so."
    return f"<div class='quiet' data-testid='weighed'>{escaped(said)}</div>"


def _explained(names: tuple[str, ...]) -> str:
    """Say in a sentence each what the chosen methods ask."""
    known = methods()
    said = [(known[name].label, known[name].summary) for name in names if name in known]
    lines = "<br>".join(f"<b>{escaped(label)}</b>: {escaped(text)}" for label, text in said if text)
    return f"<div class='quiet' data-testid='methods-explained'>{lines}</div>"

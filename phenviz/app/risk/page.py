"""The Risk page: scores of a trait for one person beside those of reference people, down to bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import panel as pn
import panel_material_ui as pmui

from phenviz.app.individual.genotype_sources import People
from phenviz.app.individual.person_choice import PersonChoice
from phenviz.app.risk.behind_view import RiskBehind
from phenviz.app.risk.model_view import RiskModelView
from phenviz.app.risk.person_view import RiskPersonView
from phenviz.app.risk.risk_exports import FIGURES, FORMATS, OF_MODEL, RiskOnScreen, risk_file
from phenviz.app.risk.risk_panel import RiskRunPanel
from phenviz.app.risk.risk_parts import simulated_words
from phenviz.app.risk.risk_run import RiskRun
from phenviz.app.risk.risk_state import VIEWS, RiskState
from phenviz.app.risk.subtypes_view import RiskSubtypesView
from phenviz.app.shell.exports import File
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.page import Page
from phenviz.app.widgets.export_menu import ExportMenu
from phenviz.app.widgets.name_box import NameBox
from phenviz.app.widgets.parts import words
from phenviz.errors import ResultError

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel

_FIRST_TRAIT = "MCV"
_NO_MODEL = (
    "This world has no risk model yet: no scores, and nobody to compare with. "
    "<code>phenviz cohort simulate</code>, <code>embed</code>, <code>train</code> and "
    "<code>evaluate --keep</code> make one; name its folder in <code>project.yaml</code> as "
    "<code>risk: FOLDER</code>."
)


class RiskPage(Page[RiskState]):
    """The Risk page of one tab."""

    key = "risk"

    def _prepare(self) -> None:
        self.people = People(self.runtime.world, self.runtime.folder)
        self._opened = False

    def _new_state(self) -> RiskState:
        return RiskState()

    def _complete(self, state: RiskState, arguments: Mapping[str, str]) -> list[str]:
        state.source = state.source or self.people.first
        return []

    def _layout(self) -> pmui.Page:
        runtime, session, state = self.runtime, self.session, self.state
        self.run = RiskRun(state, runtime, self.people)
        self.choice = PersonChoice(session, state, runtime, self.people, self.run)
        self.trait = NameBox(
            # what a component of ours hears comes without the lock that figures need
            lambda text: session.run_soon(lambda: self._search(text)),
            placeholder="Trait", label="Trait", testid="risk-trait", sizing_mode="stretch_width",
            margin=(2, 12, 0, 12),
        )  # fmt: skip
        self.behind = RiskBehind(session, state, runtime)
        self.person, self.model = RiskPersonView(state, self.behind), RiskModelView(state)
        self.subtypes = RiskSubtypesView(state)
        self.panel = RiskRunPanel(session, state, self.run)
        self._banner = words(margin=(6, 8, 2, 8))
        self._view = pmui.RadioButtonGroup(
            options={title: key for key, title in VIEWS.items()}, value=state.view, size="small",
            margin=(6, 8), visible=False, sx={"& button": {"textTransform": "none", "whiteSpace": "nowrap"}},
        )  # fmt: skip
        self._figure = pmui.Select(
            options={title: key for key, title in FIGURES.items()}, label="Figure to export", size="small",
            sizing_mode="stretch_width", margin=(14, 14, 4, 14),
        )  # fmt: skip
        self._empty = words(margin=(60, 40))
        self._shown: object = self._empty
        self._holder = pn.Column(self._empty, sizing_mode="stretch_width", margin=0)
        main = pn.Column(
            self._banner, self._view, self._holder, scroll="y-auto", sizing_mode="stretch_both", margin=0
        )
        return self.framed(
            [main],
            sidebar=[
                words("<h3>Trait</h3>", margin=(12, 12, 0, 12)),
                self.trait,
                # in sight in a narrow window, too, where the right side folds away
                self.panel,
                self.choice.picker,
                self.choice.drop,
                self._figure,
            ],
            actions=[ExportMenu(session, self._make_file, self.actions, runtime.background, FORMATS)],
        )

    def _keep_in_step(self) -> None:
        state, session, run = self.state, self.session, self.run
        self._view.param.watch(lambda event: setattr(state, "view", event.new), "value")
        state.param.watch(lambda *_events: run.ask(), ["source", "sample"])
        state.param.watch(lambda *_events: self._draw(), ["view", "trait"])
        run.param.watch(lambda *_events: self._draw(), ["changed"])
        session.on_tick(run.tick)
        session.on_close(run.close)
        session.on_close(self.people.close)
        # figures in a flexible box that are there from the start never get a size in the browser
        session.run_soon(self._open)
        self.choice.open_source()

    def _join(self, tab: str) -> None:
        self.choice.have(tab)

    def _return(self) -> None:
        self.choice.open_source()

    def _open(self) -> None:
        self._opened = True
        self._draw()

    def _draw(self) -> None:
        state, run = self.state, self.run
        model = run.model
        if model is None or not self._opened:
            self._say_empty(run.status)
            return
        if state.trait not in model.traits:
            if state.trait:
                self.session.say(f"this risk model has no trait {state.trait!r}: another one is shown")
            state.trait = _FIRST_TRAIT if _FIRST_TRAIT in model.traits else model.traits[0]
            return
        self.trait.names = [_trait_line(model, name) for name in model.traits]
        if self.trait.value != state.trait:
            self.trait.show(state.trait)
        self._banner.object = self._banner_words(model)
        self._view.param.update(visible=True, value=state.view)
        own = OF_MODEL.get(state.view)
        if own or self._figure.value in OF_MODEL.values():
            self._figure.value = own or "scores"
        self.model.show(model)
        self.subtypes.show(model)
        self.person.show(model, run.result)
        self._put({"model": self.model, "subtypes": self.subtypes}.get(state.view, self.person))

    def _banner_words(self, model: RiskModel) -> str:
        made_up = "<span class='partial' data-testid='simulated'>SIMULATED</span> " if model.simulated else ""
        return f"<div role='note'>{made_up}{escaped(simulated_words(model))}</div>"

    def _say_empty(self, status: str) -> None:
        text = {
            "no model": f"<span>{_NO_MODEL}</span>",
            "failed": f"<span class='failed' role='alert'>{escaped(self.run.error)}</span>",
        }.get(status, "Reading the risk model…")
        self._empty.object = f"<div class='empty-card' data-testid='risk-empty'>{text}</div>"
        self._banner.object = ""
        self._view.visible = False
        self._put(self._empty)

    def _put(self, shown: object) -> None:
        if shown is not self._shown:
            self._shown = shown
            self._holder[:] = [shown]

    def _search(self, text: str) -> None:
        model = self.run.model
        if model is None:
            return
        typed = text.strip().lower()
        lines = {_trait_line(model, name).lower(): name for name in model.traits}
        found = lines.get(typed) or {name.lower(): name for name in model.traits}.get(typed)
        if found is None:
            near = [name for line, name in lines.items() if typed and typed in line] or list(model.traits)
            self.trait.refuse(f"“{text}” is no trait of this risk model.", near[:8])
            return
        self.state.trait = found
        self.trait.show(found)

    def _make_file(self, suffix: str) -> Callable[[], File]:
        model = self.run.model
        if model is None:
            raise ResultError("there is nothing to export yet: the risk model isn't read")
        screen = RiskOnScreen(
            model, self.state.trait, self.state.sample, self.state.group, self.state.scale, self.run.result,
            self.person.distributions(), self.person.chain, self.behind.leading, *self.model.drawn,
            self.subtypes.cases,
            chosen={"gene": self.state.gene, "context": self.state.context, "variant": self.state.variant},
        )  # fmt: skip
        return risk_file(screen, suffix, self._figure.value)


def _trait_line(model: RiskModel, name: str) -> str:
    label = model.label(name)
    return name if label == name else f"{name}: {label}"

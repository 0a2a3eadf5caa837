"""Choose a method, a target and a window; see the cost; run, watch, cancel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.explore.run_status import RunStatus
from phenviz.app.explore.trait_target import TRAIT_WORDS, choose_trait, request_of_trait
from phenviz.app.shell.formatting import escaped, readable_bytes, readable_seconds
from phenviz.app.shell.run_choices import STEPS
from phenviz.app.shell.runs import Runs
from phenviz.app.shell.session import Session, words_of
from phenviz.app.shell.state import ExploreState
from phenviz.app.widgets.name_box import NameBox
from phenviz.app.widgets.parts import words
from phenviz.errors import JobError, PhenvizError
from phenviz.genome.annotation import Gene
from phenviz.genome.contexts import Context, choose_contexts, offer_contexts, refuse_several
from phenviz.genome.locus import Locus

if TYPE_CHECKING:
    from phenviz.service.explained import Explained

_EXPLANATIONS = {
    "mutagenesis": "Every base changed to every other, exactly: effects in all ticked contexts.",
    "mutagenesis-coarse": "Every base to first order, from one gradient; the eight intervals of 32 bases "
    "that matter most, exactly (tinted; a tilde marks the others in the table).",
    "integrated-gradients": "What each base adds to the prediction, from a baseline to this sequence.",
    "saliency": "The gradient at each base: fast, and local.",
}
_TARGETS = {"Activity": "activity", "Expression": "gene", "Trait": "trait"}
_WINDOWS = {"This view": "view", "Gene ± flank": "gene"}
_BASELINES = {
    "No bases": "zero",
    "Mean of 20 shuffles": "mean-shuffle",
    "10 shuffles, with their spread": "10-shuffles",
}
_STEPS = {"As many as needed" if steps == "auto" else steps: steps for steps in STEPS}
_NARROW = {"fontSize": "12px", "py": "3px", "textTransform": "none"}
# the heading above is no label to a screen reader: what names the radios is only not drawn
_UNSEEN_LABEL = "#radio-group-label { display: none; }"


class RunPanel(Viewer):
    """The form on the right.

    Parameters
    ----------
    session
        Its timer watches the job.
    state
        Method, target, gene and window are shown and set.
    runs
        Estimates, starts and cancels.
    methods
        What can be run, and how it is called: some of `phenviz.app.shell.run_choices.METHODS`.
    gene
        Finds a gene by name, on a contig of the reference, or raises a `PhenvizError`.
    gene_names
        What the gene box completes to.
    nearest_names
        Known names close to what was typed.
    expression_contexts
        What gene expression is predicted for; empty where the world has no gene readout.
    traits
        Traits of the disease model; empty where the world has none.
    contig_length
        Bases of a contig by its name.
    """

    def __init__(
        self,
        session: Session,
        state: ExploreState,
        runs: Runs,
        *,
        methods: Mapping[str, str],
        gene: Callable[[str], Gene],
        gene_names: list[str],
        nearest_names: Callable[[str], list[str]],
        expression_contexts: tuple[Context, ...],
        traits: tuple[str, ...],
        contig_length: Callable[[str], int],
    ) -> None:
        super().__init__()
        self._session, self._state, self._runs = session, state, runs
        self._find_gene, self._nearest_names = gene, nearest_names
        self._contig_length = contig_length
        self._estimated = self._allow = False
        self._priced: tuple[object, bool] = (None, False)
        self._expression_contexts, self._traits = expression_contexts, traits
        self._build(methods, gene_names)
        self._status = RunStatus(runs)
        self._estimate_soon = session.debounced(self._estimate, 250)
        state.param.watch(self._estimate_soon, ["settled", "contexts", "focus"])
        state.param.watch(self._wait_for_view, ["locus"])
        state.param.watch(self._follow, ["method", "steps", "baseline", "target", "gene", "tissue", "trait",
                                         "window", "flank", "focus", "contexts"])  # fmt: skip
        runs.param.watch(self._show_buttons, ["changed", "current"])
        runs.param.watch(self._price_anew, ["changed", "current"])
        session.on_tick(self._first_estimate)
        self._follow()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            words("<h3>Method</h3>", margin=(8, 0, 0, 0)),
            self._method,
            self._explanation,
            self._path,
            words("<h3>Target</h3>", margin=(10, 0, 0, 0)),
            self._target,
            self._trait,
            self._target_words,
            self._tissue,
            words("<h3>Window</h3>", margin=(10, 0, 0, 0)),
            self._window,
            self._gene,
            self._flank,
            self._cost,
            pn.Row(self._run, self._cancel, sizing_mode="stretch_width", margin=(4, 0)),
            self._status,
            sizing_mode="stretch_width",
            margin=(8, 14),
            css_classes=["run-panel"],
        )

    def request(self) -> Explained:
        """Return what the form asks for now; raises a `PhenvizError` where it can't be run."""
        from phenviz.service.explained import explain

        state = self._state
        locus = self._state.settled or state.locus
        gene = None
        if state.window == "gene" or state.target == "gene":
            if not state.gene:
                raise JobError("type a gene: its expression or its surroundings are to be explained")
            gene = self._find_gene(state.gene)
        if state.window == "gene" and gene is not None:
            if self._flank.error_state:
                raise JobError("the flank has to be corrected first")
            wide = gene.locus.widened(state.flank)
            # the gene may lie on another contig than the view
            locus = Locus(wide.contig, wide.start, min(wide.end, self._contig_length(wide.contig)))
        if state.target == "trait":
            return request_of_trait(state, locus, self._traits)
        contexts = self._asked_contexts()
        target = gene.name if gene is not None and state.target == "gene" else None
        if state.method != "integrated-gradients":
            return explain(state.method, locus, contexts, target)
        steps = state.steps if state.steps == "auto" else int(state.steps)
        return explain(state.method, locus, contexts, target, steps, state.baseline)

    def _asked_contexts(self) -> tuple[str, ...]:
        """Return the contexts that are explained: of activity those on the left, of expression its own."""
        state = self._state
        ticked = state.contexts if state.method == "mutagenesis" else (state.focus,)
        if state.target != "gene":
            return ticked
        known = self._expression_contexts
        if state.tissue:
            names = tuple(known[row].name for row in choose_contexts(known, [state.tissue], self._unknown))
            if state.method != "mutagenesis":
                refuse_several(names, state.tissue)
            return names
        # a readout may lack some contexts of the activity
        found = self._with_expression(ticked)
        if ticked and not found:
            raise JobError(
                f"expression isn't predicted in {', '.join(ticked)}: choose where it is explained under "
                "“Expression in”"
            )
        return found

    def _with_expression(self, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {context.name for context in self._expression_contexts}
        return tuple(name for name in names if name in known)

    def _tissue_names(self) -> list[str]:
        names = [word for c in self._expression_contexts for word in (c.label, c.name)]
        return list(dict.fromkeys([*(c.group for c in self._expression_contexts), *names]))

    def _unknown(self, name: str) -> str:
        return f"no expression is predicted in {name!r}: choose among " + offer_contexts(
            self._expression_contexts, name
        )

    def _take_tissue(self, text: str) -> None:
        try:
            if text.strip():
                choose_contexts(self._expression_contexts, [text], self._unknown)
        except PhenvizError as error:
            self._tissue.refuse(str(error), [])
            return
        self._state.tissue = text.strip()
        self._tissue.show(self._state.tissue)

    def _build(self, methods: Mapping[str, str], gene_names: list[str]) -> None:
        state = self._state
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (2, 0)}
        # a label stands on the upper border of its field
        labelled = wide | {"margin": (12, 0, 4, 0)}
        self._method = pmui.RadioBoxGroup(
            options={label: key for key, label in methods.items()},
            value=state.method,
            label="Method",
            stylesheets=[_UNSEEN_LABEL],
            sx={
                "& .MuiFormControlLabel-label": {"fontSize": "13px"},
                "& .MuiRadio-root": {"p": "3px 8px"},
                "& .MuiSvgIcon-root": {"fontSize": "18px"},
            },
            **wide,
        )
        self._target = pmui.RadioButtonGroup(
            options=_TARGETS, value=state.target, size="small", sx={"& button": _NARROW}, **wide
        )
        self._target.disabled = not (self._expression_contexts or self._traits)
        self._trait = pmui.Select(
            options=list(self._traits), value=state.trait if state.trait in self._traits else None,
            label="Trait", size="small", **labelled,
        )  # fmt: skip
        self._window = pmui.RadioButtonGroup(
            options=_WINDOWS, value=state.window, size="small", sx={"& button": _NARROW}, **wide
        )
        self._gene = NameBox(
            self._take_gene, names=gene_names, value=state.gene, placeholder="Gene name", label="Gene",
            testid="gene", **labelled,
        )  # fmt: skip
        self._tissue = NameBox(
            self._take_tissue, names=self._tissue_names(), value=state.tissue, label="Expression in",
            placeholder="Cell type, tissue or organ system", testid="tissue", **labelled,
        )  # fmt: skip
        self._flank = pmui.IntInput(
            value=state.flank, start=0, end=1_000_000, step=500, size="small", label="Flank, bp", **labelled
        )  # fmt: skip
        self._steps = pmui.Select(options=_STEPS, value=state.steps, label="Steps", size="small", **labelled)
        self._baseline = pmui.Select(
            options=_BASELINES, value=state.baseline, label="Baseline", size="small", **labelled
        )
        self._path = pn.Column(self._steps, self._baseline, sizing_mode="stretch_width", margin=0)
        self._explanation = words(**wide)
        self._target_words = words(**wide)
        self._cost = words(min_height=40, **(wide | {"margin": (8, 0, 2, 0)}))
        self._run = pmui.Button(label="Run", icon="play_arrow", color="primary", sizing_mode="stretch_width",
                                margin=(0, 4, 0, 0), css_classes=["run-button"])  # fmt: skip
        self._cancel = pmui.Button(label="Cancel", variant="outlined", color="default", width=92, margin=0,
                                   disabled=True, css_classes=["cancel-button"])  # fmt: skip
        for widget, name in ((self._method, "method"), (self._target, "target"), (self._window, "window"),
                             (self._trait, "trait"), (self._steps, "steps"),
                             (self._baseline, "baseline")):  # fmt: skip
            widget.param.watch(lambda event, name=name: self._set(name, event.new), "value")
        self._flank.param.watch(lambda event: self._take_flank(event.new), "value")
        self._run.on_click(lambda _event: self._start())
        self._cancel.on_click(lambda _event: self._runs.cancel())

    def _set(self, name: str, value: object) -> None:
        if (name, value) == ("target", "trait") and self._state.target != value:
            choose_trait(self._state, self._traits)
        elif value is not None and getattr(self._state, name) != value:
            setattr(self._state, name, value)

    def _take_flank(self, flank: int | None) -> None:
        # an emptied field shows 0
        flank, (least, most) = flank or 0, self._state.param["flank"].bounds
        wrong = not least <= flank <= most
        self._flank.param.update(error_state=wrong, helper_text=f"{least} to {most:,} bp" if wrong else "")
        self._set("flank", None if wrong else flank)
        self._estimate_soon()

    def _take_gene(self, text: str) -> None:
        try:
            self._state.gene = self._find_gene(text).name
        except PhenvizError as error:
            self._gene.refuse(str(error), self._nearest_names(text))
            return
        self._gene.show(self._state.gene)

    def _start(self) -> None:
        try:
            self._runs.start(self.request())
        except PhenvizError as error:
            self._refuse(words_of(error))

    def _follow(self, *_events: object) -> None:
        state = self._state
        # a wrong flank stays to be corrected
        flank = self._flank.value if self._flank.error_state else state.flank
        for widget, value in ((self._method, state.method), (self._target, state.target),
                              (self._trait, state.trait if state.trait in self._traits else None),
                              (self._window, state.window), (self._flank, flank),
                              (self._steps, state.steps), (self._baseline, state.baseline)):  # fmt: skip
            if widget.value != value:
                widget.value = value
        if self._gene.value != state.gene:
            self._gene.show(state.gene)
        self._path.visible = state.method == "integrated-gradients"
        if self._tissue.value != state.tissue:
            self._tissue.show(state.tissue)
        self._tissue.visible = state.target == "gene"
        self._trait.visible = state.target == "trait"
        self._gene.visible = "gene" in (state.window, state.target)
        self._flank.visible = state.window == "gene"
        self._explanation.object = f"<span class='quiet'>{_EXPLANATIONS[state.method]}</span>"
        if state.target == "trait":
            self._target_words.object = f"<span class='quiet'>{TRAIT_WORDS}</span>"
            self._estimate_soon()
            return
        what = (
            f"expression of {escaped(state.gene or 'a gene')}"
            if state.target == "gene"
            else "activity, summed over bins,"
        )
        if state.target == "gene" and state.tissue:
            where = f"<b>{escaped(state.tissue)}</b>"
        elif state.method == "mutagenesis":
            count = len(state.contexts)
            where = "the ticked context" if count == 1 else f"each of the {count} ticked contexts"
            if state.target == "gene":
                where += self._left_out()
        else:
            where = f"<b>{escaped(state.focus)}</b> (the dot in the list on the left)"
        self._target_words.object = f"<span class='quiet'>{what} in {where}</span>"
        self._estimate_soon()

    def _left_out(self) -> str:
        """Say which of the ticked contexts a run leaves out, as their expression isn't predicted."""
        held = self._with_expression(self._state.contexts)
        lacking = [name for name in self._state.contexts if name not in held]
        return f", but for {escaped(', '.join(lacking))}: expression isn't predicted there" if lacking else ""

    def _first_estimate(self) -> None:
        # the cost can be told once the model is there
        if not self._estimated:
            self._estimate()
            if self._estimated:
                self._follow()

    def _wait_for_view(self, _event: object) -> None:
        """Take back the cost of the view that is being left."""
        if self._estimated and self._state.locus != self._state.settled:
            self._refuse("The cost follows once the view stands still.", waiting=True)
        self._estimate_soon()

    def _price_anew(self, *_events: object) -> None:
        """Say what a run costs that was computed meanwhile, wholly or in part."""
        current = self._runs.current
        now = (current, current is not None and current.ended)
        if now != self._priced:
            self._priced = now
            if self._estimated:
                self._estimate_soon()

    def _estimate(self) -> None:
        if self._estimated and self._state.locus != (self._state.settled or self._state.locus):
            return  # it is still moving
        try:
            request = self.request()
            estimate = self._runs.estimate(request)
        except PhenvizError as error:
            self._estimated = "being loaded" not in str(error)
            self._refuse(words_of(error), waiting=not self._estimated)
            return
        self._estimated = True
        if estimate.stored >= 1:
            cost = "already computed: opens at once"
        else:
            about = "" if estimate.seconds < 1 else "about "
            cost = f"{about}{readable_seconds(estimate.seconds)}, {readable_bytes(estimate.bytes)}"
        assert request.locus is not None  # a form always has a view
        self._cost.object = f"<div data-testid='cost'>{request.locus.length:,} bp · {cost}</div>"
        self._allow = True
        self._show_buttons()

    def _refuse(self, words: str, *, waiting: bool = False) -> None:
        kind = "waiting" if waiting else "refused"
        self._cost.object = f"<div data-testid='cost' class='{kind}'>{escaped(words)}</div>"
        self._allow = False
        self._show_buttons()

    def _show_buttons(self, *_events: object) -> None:
        current = self._runs.current
        running = current is not None and not current.ended
        self._run.disabled = not self._allow
        self._cancel.disabled = not running

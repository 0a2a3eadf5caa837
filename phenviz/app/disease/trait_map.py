"""Heat map of all traits, and every cell type of the one that is looked at."""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.disease.disease_names import Names, trait_label
from phenviz.app.disease.disease_parts import (
    arranged,
    cell_words,
    effective_words,
    interval_words,
    method_part,
    shown_contexts,
    thresholds,
    trait_words,
)
from phenviz.app.disease.disease_state import SORTS, DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.session import Session
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.name_box import NameBox
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.contexts import Context
from phenviz.tracks.disease import HypothesisMap, TraitBars, TraitForest

_TRAIT_WIDTH = 470


class DiseaseMap(Viewer):
    """The main view.

    Parameters
    ----------
    session
        Its document is what figures are drawn in.
    state
        Method, trait, context and order are shown and set.
    contexts
        Contexts of the model; those that are ticked are drawn.
    """

    def __init__(self, session: Session, state: DiseaseState, contexts: tuple[Context, ...]) -> None:
        super().__init__()
        self._state, self._contexts = state, contexts
        self._dataset: xr.Dataset | None = None
        self._map = HypothesisMap(state.theme)
        self._bars, self._forest = TraitBars(state.theme), TraitForest(state.theme)
        self._map.on_pick(self._pick)
        for plot in (self._bars, self._forest):
            plot.on_pick(lambda context: self._pick(self._state.trait, context))
        self._about_map, self._about_trait = words(margin=(6, 8, 0, 8)), words(margin=(6, 8, 0, 8))
        self._cell = words(margin=(2, 8, 4, 8))
        self._behind = pmui.Button(
            label="What stands behind this", icon="manage_search", color="primary", variant="outlined",
            size="small", margin=(2, 8), sx={"textTransform": "none"}, disabled=True,
        )  # fmt: skip
        self._behind.on_click(lambda _event: self._open())
        self._order = pmui.Select(
            options={title: key for key, title in SORTS.items()}, value=state.order, label="Order",
            size="small", width=250, margin=(6, 8),
        )  # fmt: skip
        self._trait = pmui.Select(
            options=[], label="Trait", size="small", sizing_mode="stretch_width", margin=(8, 8, 0, 8)
        )
        self._trait.param.watch(self._take_trait, "value")
        self._method = pmui.Select(options={}, label="Method", size="small", width=290, margin=(6, 8))
        self._find = NameBox(
            # what a component of ours hears comes without the lock that figures need
            lambda text: session.run_soon(lambda: self._search(text)),
            placeholder="Trait or cell type: name, synonym, CL:…, EFO:…",
            label="Find a trait or cell type", testid="disease-find", styles={"flex": "1 1 260px"},
            margin=(12, 8, 6, 8),
        )  # fmt: skip
        self._order.param.watch(lambda event: setattr(state, "order", event.new), "value")
        self._method.param.watch(self._take_method, "value")
        state.param.watch(self._follow, ["method", "trait", "focus", "order", "contexts"])
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        heat = FigurePane(
            self._map.layout,
            alt="Heat map of z for traits by cell types; the button behind it shows the numbers",
            sizing_mode="stretch_width",
            margin=0,
        )
        left = pn.Column(
            self._about_map,
            heat,
            FigureTable(heat, "Heat map"),
            styles={"flex": "1 1 560px", "min-width": "0"},
        )
        panes = [
            FigurePane(
                plot.layout,
                alt=f"{what} of this trait in each cell type; the buttons behind them show the numbers",
                sizing_mode="stretch_width",
                margin=0,
                min_width=200,
            )
            for plot, what in ((self._bars, "p-values"), (self._forest, "Effects with intervals"))
        ]
        right = pn.Column(
            self._trait,
            self._about_trait,
            self._cell,
            self._behind,
            pn.Row(*panes, sizing_mode="stretch_width", margin=0),
            pn.Row(FigureTable(panes[0], "P-values"), FigureTable(panes[1], "Effects"), margin=0),
            styles={"flex": f"0 1 {_TRAIT_WIDTH}px", "min-width": "0"},
        )
        # what has no room beside the others falls below them in a narrow window
        tools = pn.FlexBox(self._method, self._order, self._find, sizing_mode="stretch_width", margin=0)
        both = pn.FlexBox(left, right, sizing_mode="stretch_width", margin=0)
        return pn.Column(tools, both, sizing_mode="stretch_width", margin=0)

    def show(self, dataset: xr.Dataset, methods: list[str]) -> None:
        """Draw a result."""
        self._dataset = dataset
        labels = dict(zip(dataset["method"].values, dataset["method_label"].values, strict=True))
        self._method.options = {str(labels[name]): name for name in methods}
        self._names = Names(
            map(str, dataset["trait"].values), self._tested_contexts(dataset), self._state.source
        )
        self._find.names = self._names.lines
        self._trait.options = dataset["trait"].values.astype(str).tolist()
        self._follow()

    @property
    def part(self) -> xr.Dataset | None:
        """The tests on screen, in their order."""
        dataset, state = self._dataset, self._state
        if dataset is None or state.method not in dataset["method"].values:
            return None
        part = method_part(dataset, state.method)
        known = tuple(context.name for context in self._contexts)
        part = shown_contexts(part, state.contexts, known)
        return arranged(part, state.order, state.trait, state.focus)

    def _follow(self, *_events: object) -> None:
        state, dataset, part = self._state, self._dataset, self.part
        if self._order.value != state.order:
            self._order.value = state.order
        if dataset is None or part is None:
            return
        if self._method.value != state.method:
            self._method.value = state.method
        self._map.show(part)
        self._map.choose(state.trait, state.focus)
        self._about_map.object = (
            f"<b>Traits by cell types</b> <span class='quiet'>z, −{self._map.limit:g} (blue) to "
            f"{self._map.limit:g} (red); * q &lt; 0.05, ** 0.01, *** 0.001 · "
            f"{effective_words(dataset, state.method)}</span>"
        )
        self._draw_trait(dataset, part)

    def _draw_trait(self, dataset: xr.Dataset, part: xr.Dataset) -> None:
        state = self._state
        there = state.trait in part["trait"].values
        chosen = there and state.focus in part["context"].values
        self._behind.disabled = not chosen
        if not there:
            return
        if self._trait.value != state.trait:
            self._trait.value = state.trait
        own = part.sel(trait=state.trait)
        bonferroni, bh = thresholds(dataset, state.method)
        self._bars.show(own, bonferroni, bh)
        self._forest.show(own)
        passed = "dashed: Benjamini-Hochberg 5 %" if bh == bh else "no test passes Benjamini-Hochberg at 5 %"
        label = trait_label(state.trait, state.source)
        title = escaped(state.trait) + (
            f" <span class='quiet'>{escaped(label)}</span>" * (label != state.trait)
        )
        self._about_trait.object = (
            f"<b data-testid='disease-trait'>{title}</b><br><span class='quiet'>"
            f"{escaped(trait_words(dataset, state.trait))}. Solid line: Bonferroni 5 %; {passed}. "
            f"Effects: {escaped(str(part['method_units'].values))}; intervals: 95 %, "
            f"{interval_words(state.method)}.</span>"
        )
        found = (
            cell_words(dataset, state.method, state.trait, state.focus) if chosen else "no cell type chosen"
        )
        self._cell.object = (
            f"<div data-testid='disease-cell'><b>{escaped(state.focus)}</b>: "
            f"<span class='number'>{found}</span></div>"
        )

    def _pick(self, trait: str, context: str) -> None:
        self._state.param.update(trait=trait, focus=context, evidence=context, variant="")

    def _open(self) -> None:
        self._pick(self._state.trait, self._state.focus)

    def _take_trait(self, _event: object) -> None:
        if self._trait.value:
            self._state.trait = self._trait.value

    def _take_method(self, event: object) -> None:
        if self._method.value:
            self._state.method = self._method.value

    def _search(self, text: str) -> None:
        if self._dataset is None:
            return
        named = self._names.find(text)
        if named is None:
            near = self._names.nearest(text)
            self._find.refuse(f"“{text}” is neither a trait nor a cell type of this result.", near)
            return
        self._find.show("")
        known = tuple(context.name for context in self._contexts)
        if named.kind == "trait":
            self._state.trait = named.key
        else:
            ticked = {*self._state.contexts, named.key}
            self._state.param.update(contexts=tuple(c for c in known if c in ticked), focus=named.key)

    def _tested_contexts(self, dataset: xr.Dataset) -> list[Context]:
        facts = zip(
            *(
                dataset[name].values.astype(str)
                for name in ("context", "context_label", "curie", "group", "colour")
            ),
            strict=True,
        )
        return [Context(*fact) for fact in facts]

    def _restyle(self, _event: object) -> None:
        for plot in (self._map, self._bars, self._forest):
            plot.set_theme(self._state.theme)

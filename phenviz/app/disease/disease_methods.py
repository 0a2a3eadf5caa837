"""Methods as small multiples: a heat map each, or a QQ plot each."""

from __future__ import annotations

import panel as pn
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.disease.disease_parts import (
    arranged,
    calibrated,
    method_part,
    posterior_words,
    shown_contexts,
)
from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.contexts import Context
from phenviz.tracks.disease import HypothesisMap
from phenviz.tracks.disease_checks import QuantilePlot

_ALT = {
    "methods": "Heat map of z for traits by cell types",
    "qq": "Observed against expected p-values, with the range that chance allows",
}
_WIDTH = {"methods": 400, "qq": 290}
_COLUMN_PX = 13
_QQ_NOTE = (
    "All p-values of a method, sorted, against those expected if nothing acted through any cell type; "
    "grey: where 95 % of them would lie point by point if they were independent. Traits and cell types of "
    "real data are correlated, and real traits aren't null, so points above the band are findings or "
    "inflation: compare with the controls, and with the calibration on random loci in the documentation."
)


class DiseaseMethods(Viewer):
    """One plot a method; a click in a cell looks at that method, trait and cell type.

    Parameters
    ----------
    state
        View, order, contexts and theme are followed; method, trait and focus are set.
    contexts
        Contexts of the model.
    """

    def __init__(self, state: DiseaseState, contexts: tuple[Context, ...]) -> None:
        super().__init__()
        self._state, self._contexts = state, contexts
        self._plots: dict[tuple[str, str], HypothesisMap | QuantilePlot] = {}
        self._note = words(margin=(10, 8, 4, 8))
        self._box = pn.FlexBox(sizing_mode="stretch_width", margin=(0, 4), gap="14px")
        self._dataset: xr.Dataset | None = None
        self._methods: list[str] = []
        self._drawn: tuple[object, ...] = ()
        state.param.watch(self._draw, ["view", "order", "contexts", "trait", "focus"])
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self._note, self._box, sizing_mode="stretch_width", margin=0)

    def show(self, dataset: xr.Dataset, methods: list[str]) -> None:
        """Draw a result."""
        self._dataset, self._methods = dataset, methods
        self._draw()

    def _draw(self, *_events: object) -> None:
        view = self._state.view
        if self._dataset is None or view not in _WIDTH:
            return
        self._note.object = f"<span class='quiet'>{self._words(view)}</span>"
        for name in self._methods:
            part = method_part(self._dataset, name)
            plot = self._plot(view, name)
            if isinstance(plot, HypothesisMap):
                known = tuple(context.name for context in self._contexts)
                part = shown_contexts(part, self._state.contexts, known)
                plot.show(arranged(part, self._state.order, self._state.trait, self._state.focus))
                plot.choose(self._state.trait, self._state.focus)
            else:
                pairs = [f"{t} in {c}" for t in part["trait"].values for c in part["context"].values]
                plot.show(part["p_value"].values.ravel().astype(float), pairs)
        drawn = (view, tuple(self._methods), self._dataset.attrs.get("prior"), self._state.source)
        if drawn != self._drawn:
            self._drawn = drawn
            self._box[:] = [self._cell(view, name) for name in self._methods]

    def _plot(self, view: str, name: str) -> HypothesisMap | QuantilePlot:
        key = (view, name)
        if key not in self._plots:
            if view == "qq":
                self._plots[key] = QuantilePlot(self._state.theme)
            else:
                plot = HypothesisMap(self._state.theme, f"map-{name}")
                plot.on_pick(lambda trait, context: self._pick(name, trait, context))
                self._plots[key] = plot
        return self._plots[key]

    def _cell(self, view: str, name: str) -> pn.viewable.Viewable:
        assert self._dataset is not None
        one = self._dataset.sel({"method": name})
        control = " <span class='partial'>control</span>" if int(one["is_control"]) else ""
        facts = [escaped(name), posterior_words(self._dataset, name)]
        facts.append(calibrated(name) or "calibration not measured")
        title = words(
            f"<b>{escaped(str(one['method_label'].values))}</b>{control} "
            f"<span class='quiet'>{' · '.join(filter(None, facts))}</span>",
            margin=(2, 8),
        )
        pane = FigurePane(
            self._plots[view, name].layout,
            alt=f"{_ALT[view]}; the button behind it shows the numbers",
            sizing_mode="stretch_width",
            margin=0,
        )
        table = FigureTable(pane, "Numbers")
        width = _WIDTH[view]
        if view == "methods":
            # names of many contexts would run into each other
            width = max(width, 60 + _COLUMN_PX * method_part(self._dataset, name).sizes["context"])
        return pn.Column(title, pane, table, width=width, margin=0, css_classes=["disease-method"])

    def _words(self, view: str) -> str:
        if view == "qq":
            return _QQ_NOTE
        more = "" if self._state.tested else "Choose more methods on the left: the "
        return (
            "The same traits and cell types by each method that was run, each on its own scale of z. "
            f"{more or 'Any '}controls know no cell types, so stars there are warnings. A click looks closer."
        )

    def _pick(self, method: str, trait: str, context: str) -> None:
        self._state.param.update(method=method, trait=trait, focus=context, view="map")

    def _restyle(self, _event: object) -> None:
        for plot in self._plots.values():
            plot.set_theme(self._state.theme)

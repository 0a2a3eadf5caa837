"""How good the scores are: cohort, ROC curves, calibration and intervals, in each ancestry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.risk.risk_parts import ALL, line_chip, score_name
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane, side_by_side, words
from phenviz.disease.cohort.expression_score import contexts_words
from phenviz.results.risk_scores import SCORE_NAMES
from phenviz.tracks.risk import CalibrationPlot, RocCurves, score_colour
from phenviz.tracks.theme import get_theme

if TYPE_CHECKING:
    from phenviz.disease.cohort.reference_people import RiskReference
    from phenviz.disease.cohort.saved import RiskModel

_METRICS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "liability_r2": "Liability R²",
    "calibration_slope": "Calibration slope",
    "odds_ratio_per_sd": "Odds ratio per SD",
}
_FEW = 20
_CAPTION = "<caption class='quiet' style='text-align:left'>"


class RiskModelView(Viewer):
    """The judging of one trait's scores.

    Parameters
    ----------
    state
        Trait, group and theme are followed; the group is set.
    """

    def __init__(self, state: RiskState) -> None:
        super().__init__()
        self._state = state
        self._model: RiskModel | None = None
        self._roc, self._calibration = RocCurves(state.theme), CalibrationPlot(state.theme)
        self._cohort, self._table = words(margin=(4, 8)), words(margin=(4, 8))
        self._group = pmui.Select(
            options={}, label="Judged in", size="small", width=260, margin=(12, 8, 4, 8)
        )
        self._group.param.watch(self._take_group, "value")
        self._panes = [
            FigurePane(plot.layout, alt=f"{what}; the button below shows the numbers",
                       sizing_mode="stretch_width", margin=0)
            for plot, what in ((self._roc, "ROC curves, one per score"),
                               (self._calibration, "Predicted risk against the share of cases in tenths"))
        ]  # fmt: skip
        state.param.watch(self._draw, ["trait", "group"])
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        charts = [
            pn.Column(words(f"<b>{title}</b>", margin=(2, 8)), pane, FigureTable(pane, title),
                      sizing_mode="stretch_width", margin=0)
            for title, pane in zip(("ROC curves", "Calibration"), self._panes, strict=True)
        ]  # fmt: skip
        return pn.Column(
            self._cohort,
            self._group,
            pn.Column(*charts, sizing_mode="stretch_width", margin=0, styles=side_by_side(360, 2)),
            self._table,
            sizing_mode="stretch_width",
            margin=0,
        )

    def show(self, model: RiskModel) -> None:
        """Draw a model."""
        if model is not self._model:
            self._model = model
            self._draw()

    @property
    def drawn(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """ROC curves and calibration that are on screen."""
        reference = self._model.reference if self._model is not None else None
        if reference is None:
            return pd.DataFrame(), pd.DataFrame()
        return self._own(reference.roc), self._own(reference.calibration)

    def _draw(self, *_events: object) -> None:
        model, state = self._model, self._state
        if model is None or state.trait not in model.traits:
            return
        self._cohort.object = _cohort_words(model, state.trait)
        reference = model.reference
        if reference is None:
            self._table.object = (
                "<p class='cancelled'>This model was never judged, so there are no curves and nobody to "
                "compare with. <code>phenviz cohort evaluate DIR --model MODEL --keep</code> judges it.</p>"
            )
            return
        self._offer(reference)
        roc, deciles = self.drawn
        metrics = self._own(reference.metrics)
        areas = {
            str(row.score): _estimate(row)
            for row in metrics[metrics["metric"] == "auroc"].itertuples()
        }  # fmt: skip
        self._roc.show(roc, areas)
        self._calibration.show(deciles)
        self._table.object = (
            _table(metrics, state.theme)
            + _differences(metrics)
            + _ancestries(reference.metrics[reference.metrics["trait"] == state.trait])
        )

    def _offer(self, reference: RiskReference) -> None:
        metrics = reference.metrics[reference.metrics["trait"] == self._state.trait]
        groups = [name for name in dict.fromkeys(metrics["ancestry"]) if not name.startswith("distance")]
        self._group.options = {_group_title(metrics, name): name for name in groups}
        if self._state.group not in groups:
            self._state.group = ALL
        self._group.value = self._state.group

    def _own(self, table: pd.DataFrame) -> pd.DataFrame:
        return table[(table["trait"] == self._state.trait) & (table["ancestry"] == self._state.group)]

    def _take_group(self, _event: object) -> None:
        if self._group.value:
            self._state.group = self._group.value

    def _restyle(self, _event: object) -> None:
        for plot in (self._roc, self._calibration):
            plot.set_theme(self._state.theme)
        self._draw()


def _cohort_words(model: RiskModel, trait: str) -> str:
    card = model.card
    kind = "simulated people" if model.simulated else "people"
    people = {name: int(count) for name, count in card["people"].items()}
    own = card["traits"].get(trait, {})
    cases = own.get("cases", {})
    taught = ", ".join(f"{int(count):,} {name}" for name, count in card["trained_in"].items())
    lines = [
        f"<b>{escaped(model.label(trait))}</b> in {sum(people.values()):,} {kind} of cohort "
        f"{escaped(str(card['cohort']))}",
        f"{people.get('train', 0):,} taught ({escaped(taught)}), {int(cases.get('train', 0)):,} cases",
        f"{people.get('validation', 0):,} chose, {int(cases.get('validation', 0)):,} cases",
        f"{people.get('test', 0):,} judge: people who taught nothing",
    ]
    if told := contexts_words(model.contexts(trait)):
        lines.append(escaped(told))
    return f"<div data-testid='risk-cohort'>{' · '.join(lines)}</div>"


def _group_title(metrics: pd.DataFrame, name: str) -> str:
    own = metrics[metrics["ancestry"] == name]
    cases, controls = int(own["cases"].iloc[0]), int(own["controls"].iloc[0])
    title = "all test people" if name == ALL else name
    return f"{title}: {cases:,} cases, {controls:,} controls"


def _table(metrics: pd.DataFrame, theme: str) -> str:
    """Write all measures of all scores; the colours are those of the curves."""
    measured = metrics[metrics["value"].notna()]
    if not len(measured):
        return f"<p class='cancelled'>Fewer than {_FEW} cases or controls: nothing is shown of so few.</p>"
    head = "".join(f"<th scope='col'>{title}</th>" for title in ("Score", *_METRICS.values()))
    rows = []
    for score in SCORE_NAMES:
        own = measured[measured["score"] == score].set_index("metric")
        cells = "".join(
            f"<td>{_estimate(own.loc[name]) if name in own.index else ''}</td>" for name in _METRICS
        )
        name = line_chip(score_colour(score, get_theme(theme))) + score_name(score)
        rows.append(f"<tr><th scope='row' style='opacity:1'>{name}</th>{cells}</tr>")
    return (
        f"<div style='overflow-x:auto'><table class='facts' data-testid='risk-metrics'>{_CAPTION}95 % "
        f"intervals in brackets</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _differences(metrics: pd.DataFrame) -> str:
    own = metrics[(metrics["metric"] == "auroc_difference") & metrics["value"].notna()]
    if not len(own):
        return ""
    rows = "".join(
        f"<tr><td>{_pair(str(row.score))}</td><td>{_estimate(row, sign=True)}</td></tr>"
        for row in own.itertuples()
    )
    return (
        "<table class='facts'><thead><tr><th>Difference of AUROC on the same people</th>"
        f"<th>paired bootstrap</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _ancestries(metrics: pd.DataFrame) -> str:
    """Write the AUROC of each score in each group, and along genetic distance."""
    own = metrics[metrics["metric"] == "auroc"]
    groups = list(dict.fromkeys(own["ancestry"]))
    head = "".join(f"<th scope='col'>{escaped(score_name(score))}</th>" for score in SCORE_NAMES)
    rows = []
    for name in groups:
        of = own[own["ancestry"] == name].set_index("score")
        cells = "".join(
            f"<td>{_estimate(of.loc[score]) if score in of.index else ''}</td>" for score in SCORE_NAMES
        )
        rows.append(f"<tr><th scope='row' style='opacity:1'>{escaped(name)}</th>{cells}</tr>")
    return (
        f"<div style='overflow-x:auto'><table class='facts' data-testid='risk-ancestries'>{_CAPTION}AUROC "
        "in each ancestry, and along genetic distance from the training people (1: as they are among "
        "themselves)</caption>"
        f"<thead><tr><th>People</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _pair(text: str) -> str:
    return " minus ".join(escaped(SCORE_NAMES.get(name, name)) for name in text.split(" - "))


def _estimate(row: object, *, sign: bool = False) -> str:
    value, low, high = (float(getattr(row, name)) for name in ("value", "low", "high"))
    if value != value:
        return "too few"
    form = "+.3f" if sign else ".3f"
    interval = f" ({low:{form}} to {high:{form}})" if low == low else ""
    return f"{value:{form}}{interval}".replace("-", "\N{MINUS SIGN}")

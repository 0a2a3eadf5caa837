"""Groups of a trait's cases: a map of them, and which other traits each group has more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import panel as pn
from panel.viewable import Viewer

from phenviz.app.risk.risk_parts import line_chip
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane, side_by_side, words
from phenviz.tracks.risk import SubtypesMap, subtype_colour
from phenviz.tracks.theme import get_theme

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel
    from phenviz.disease.cohort.subtypes import Subtypes

_NONE = (
    "<p class='cancelled'>Nobody has looked for groups among the cases that this model was judged by. "
    "<code>phenviz cohort evaluate DIR --model MODEL --keep</code> does.</p>"
)
_HOW = (
    "<p class='quiet'>Each dot is a case who taught the model nothing, at what the model says of the case's "
    "other traits (principal components). A gap alone shows nothing: one common variant can leave it in "
    "everybody. So the cases are held against cases drawn from the same people by a single score of the same "
    "numbers. Which other traits the cases have wasn't used, and can be compared between groups.</p>"
)


class RiskSubtypesView(Viewer):
    """Groups among the cases of one trait.

    Parameters
    ----------
    state
        Trait and theme are followed.
    """

    def __init__(self, state: RiskState) -> None:
        super().__init__()
        self._state = state
        self._model: RiskModel | None = None
        self._map = SubtypesMap(state.theme)
        self._said, self._table = words(margin=(4, 8)), words(margin=(4, 8))
        self._pane = FigurePane(
            self._map.layout, alt="Map of the cases; the button below shows the numbers",
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._chart = pn.Column(
            self._pane, FigureTable(self._pane, "Map of cases"), sizing_mode="stretch_width", margin=0
        )
        state.param.watch(self._draw, ["trait"])
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        both = pn.Column(
            self._chart, self._table, sizing_mode="stretch_width", margin=0, styles=side_by_side(360, 2)
        )
        return pn.Column(self._said, both, sizing_mode="stretch_width", margin=0)

    def show(self, model: RiskModel) -> None:
        """Draw a model."""
        if model is not self._model:
            self._model = model
            self._draw()

    @property
    def cases(self) -> pd.DataFrame:
        """The cases that are on screen: group, x, y."""
        found = self._found
        if found is None:
            return pd.DataFrame(columns=["group", "x", "y"])
        return found.people[found.people["trait"] == self._state.trait]

    @property
    def _found(self) -> Subtypes | None:
        reference = self._model.reference if self._model is not None else None
        return reference.subtypes if reference is not None else None

    def _draw(self, *_events: object) -> None:
        from phenviz.disease.cohort.subtypes import in_words

        model, found, cases = self._model, self._found, self.cases
        if model is None or self._state.trait not in model.traits:
            return
        self._chart.visible = bool(len(cases))
        if found is None:
            self._said.object, self._table.object = _NONE, ""
            return
        row = found.tests[found.tests["trait"] == self._state.trait]
        told = in_words(row.iloc[0]) if len(row) else "Nobody was judged for this trait."
        self._said.object = (
            f"<div data-testid='risk-subtypes'><b>{escaped(model.label(self._state.trait))}</b>: "
            f"{escaped(told)}</div>{_HOW}"
        )
        self._map.show(cases)
        own = found.comorbidity[found.comorbidity["trait"] == self._state.trait]
        self._table.object = _table(own, cases, model, self._state.theme) if len(own) else ""

    def _restyle(self, _event: object) -> None:
        self._map.set_theme(self._state.theme)
        self._draw()


def _table(own: pd.DataFrame, cases: pd.DataFrame, model: RiskModel, theme: str) -> str:
    """Write how often each group has each other trait, those that differ most first."""
    sizes = cases["group"].value_counts()
    groups = sorted(own["group"].unique())
    head = "".join(
        f"<th scope='col'>{line_chip(subtype_colour(int(group), get_theme(theme)))}Group {group} "
        f"({sizes.get(group, 0):,})</th>"
        for group in groups
    )
    least = own.groupby("other")["p_value"].min().sort_values(na_position="last", kind="stable")
    by = own.set_index(["other", "group"])
    rows = "".join(
        f"<tr><th scope='row' style='opacity:1'>{escaped(model.label(str(other)))}</th>"
        + "".join(f"<td>{_cell(by.loc[(other, group)])}</td>" for group in groups)
        + "</tr>"
        for other in least.index
    )
    return (
        "<div style='overflow-x:auto'><table class='facts' data-testid='risk-comorbidity'>"
        "<caption class='quiet' style='text-align:left'>Share with each other trait, and odds ratio (OR) "
        "against the other groups, with 95 % interval; q is among all cells</caption>"
        f"<thead><tr><th>Other trait</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(row: pd.Series) -> str:
    if row["p_value"] != row["p_value"]:
        return "too few"
    high = f"{row['high']:.2f}" if row["high"] < 1e3 else "∞"
    return (
        f"{row['share']:.0%}, OR {row['odds_ratio']:.2f} ({row['low']:.2f} to {high}), q {row['q_value']:.2g}"
    )

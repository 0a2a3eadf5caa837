"""One person among others: each score with its percentile, and the chain from changed bases to the trait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import xarray as xr
from numpy.typing import NDArray
from panel.viewable import Viewer

from phenviz.app.risk.behind_view import RiskBehind
from phenviz.app.risk.risk_parts import (
    CHAIN,
    Chain,
    chain,
    line_chip,
    of_trait,
    ordinal,
    own_group,
    reference_groups,
    score_name,
    score_rows,
)
from phenviz.app.risk.risk_state import SCALES, RiskState
from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.figure_table import FigureTable
from phenviz.app.widgets.parts import FigurePane, side_by_side, words
from phenviz.results.risk_scores import group_colours
from phenviz.tracks.risk import ScoreDistribution
from phenviz.tracks.risk_chain import RiskChain
from phenviz.tracks.theme import get_theme, legible

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel

# the scores that the trained model holds side by side, the Phenformer beside the polygenic score
METHODS = ("prs", "phenformer", "ensemble", "expression", "ensemble_linear")
_UNITS = {"raw": "log odds", "adjusted": "standard deviations"}
Groups = dict[str, NDArray[np.float64]]


class RiskPersonView(Viewer):
    """Distributions, chain, and what stands behind a gene.

    Parameters
    ----------
    state
        Trait, scale, gene, context and theme are followed; scale, gene, context and variant are set.
    behind
        What stands behind the gene that is chosen.
    """

    def __init__(self, state: RiskState, behind: RiskBehind) -> None:
        super().__init__()
        self._state, self._behind = state, behind
        self._model: RiskModel | None = None
        self._result: xr.Dataset | None = None
        self.chain: Chain | None = None
        self._plots = {method: ScoreDistribution(method, state.theme) for method in METHODS}
        self._flow = RiskChain(CHAIN, state.theme)
        self._flow.on_pick(self._pick)
        self._head, self._scores = words(margin=(4, 8)), words(margin=(2, 8))
        self._titles = {method: words(margin=(2, 8, 0, 8), min_height=57) for method in METHODS}
        self._scale = pmui.RadioButtonGroup(
            options={title: key for key, title in SCALES.items()}, value=state.scale, size="small", width=270,
            margin=(2, 8), sx={"& button": {"fontSize": "12px", "py": "2px", "textTransform": "none"}},
        )  # fmt: skip
        self._scale.param.watch(lambda event: setattr(state, "scale", event.new), "value")
        self._chain_words = words(margin=(10, 8, 0, 8))
        self._chain_pane = FigurePane(
            self._flow.layout,
            alt="What leads from changed bases over genes and cell types to the score; the button below "
            "shows the numbers",
            sizing_mode="stretch_width",
            margin=0,
            min_width=620,
        )
        self._below = pn.Column(
            self._chain_words,
            pn.Column(self._chain_pane, scroll="x-auto", sizing_mode="stretch_width", margin=0),
            FigureTable(self._chain_pane, "Chain"),
            behind,
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        state.param.watch(self._draw, ["trait", "scale"])
        state.param.watch(self._choose, ["gene", "context", "variant"])
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        cells = []
        for method, plot in self._plots.items():
            pane = FigurePane(
                plot.layout,
                alt=f"{score_name(method)} of reference people and of the person; the table below says it",
                sizing_mode="stretch_width",
                margin=0,
            )
            cells.append(pn.Column(self._titles[method], pane, margin=0, sizing_mode="stretch_width"))
        top = pn.FlexBox(self._head, self._scale, align_items="center", sizing_mode="stretch_width", margin=0)
        shown = pn.Column(
            *cells, sizing_mode="stretch_width", margin=0, styles=side_by_side(145, len(METHODS))
        )
        return pn.Column(top, shown, self._scores, self._below, sizing_mode="stretch_width", margin=0)

    def show(self, model: RiskModel, result: xr.Dataset | None) -> None:
        """Draw a person's result, or only the reference people where there is none yet."""
        if model is not self._model or result is not self._result:
            self._model, self._result = model, result
            self._draw()

    @property
    def part(self) -> xr.Dataset | None:
        """The result of the trait on screen."""
        return of_trait(self._result, self._state.trait) if self._result is not None else None

    def distributions(self) -> dict[str, tuple[Groups, str, float | None]]:
        """Return for each score the reference people by group, the person's group, and the person."""
        model, part, scale = self._model, self.part, self._state.scale
        if model is None:
            return {}
        rows = score_rows(part).set_index("method") if part is not None else pd.DataFrame()
        column = "z" if scale == "adjusted" else "score"
        return {
            method: (
                reference_groups(model, self._state.trait, method, scale),
                own_group(part) if part is not None else "",
                float(rows.loc[method, column]) if method in rows.index else None,
            )
            for method in METHODS
        }

    def _draw(self, *_events: object) -> None:
        state, model, part = self._state, self._model, self.part
        self._scale.value = state.scale
        if model is None or state.trait not in model.traits:
            return
        rows = score_rows(part) if part is not None else pd.DataFrame({"method": []})
        told = rows.set_index("method")
        for method, (groups, group, person) in self.distributions().items():
            self._plots[method].show(groups, group, person, f"score, {_UNITS[state.scale]}")
            where = "adjusted" if state.scale == "adjusted" else "group" if group else "all"
            place = ""
            if method in told.index:
                among = ", adjusted" if where == "adjusted" else f" among {group or 'all'}"
                place = ordinal(float(told.loc[method, where])) + among
            self._titles[
                method
            ].object = f"<b>{escaped(score_name(method))}</b><br><span class='number'>{place}&nbsp;</span>"
        self._head.object = self._headline(part)
        self._scores.object = _score_table(rows, own_group(part)) if part is not None else ""
        self._below.visible = part is not None
        self.chain = None
        if part is not None:
            self._behind.show(part)
            self._choose()

    def _choose(self, *_events: object) -> None:
        """Draw the chain with what is chosen in it."""
        state, part = self._state, self.part
        if part is None:
            return
        self.chain = chain(part, state.trait, state.sample, state.gene, state.context)
        self._flow.show(self.chain.boxes, self.chain.links)
        self._flow.choose(
            {"gene": state.gene, "context": state.context, "variant": state.variant, "trait": state.trait,
             "person": state.sample}
        )  # fmt: skip
        genes = part.sizes["gene"]
        self._chain_words.object = (
            "<b>From changed bases to the person</b> <span class='quiet'>what each adds to the Phenformer's "
            "logit, against the average training person; red adds, blue takes away; the leading of "
            f"{genes:,} genes. Press a box to look closer.</span>"
        )

    def _headline(self, part: xr.Dataset | None) -> str:
        state, model = self._state, self._model
        assert model is not None
        label = escaped(model.label(state.trait))
        reference = model.reference
        among = (
            f"among {reference.people['all']:,} {'simulated ' if model.simulated else ''}reference people"
            if reference is not None
            else "without reference people"
        )
        group = own_group(part) if part is not None else ""
        if reference is not None and reference.ancestries:
            among += f": {self._key(reference.ancestries)}"
        if part is None:
            return f"<div data-testid='risk-head'><b>{label}</b> <span class='quiet'>{among}</span></div>"
        like = f"; filled: {escaped(group)}, whom this person is most like" if group else ""
        return (
            f"<div data-testid='risk-head'><b>{escaped(state.sample)}</b> (bar), {label} "
            f"<span class='quiet'>{among}{like}; genetic distance from the training people "
            f"{float(part['distance']):.2f} times theirs</span></div>"
        )

    def _key(self, groups: Sequence[str]) -> str:
        """Name groups, each behind a piece of its line."""
        theme = get_theme(self._state.theme)
        return " \N{MIDDLE DOT} ".join(
            line_chip(legible(colour, theme, 3.0)) + escaped(name)
            for name, colour in group_colours(groups).items()
        )

    def _pick(self, column: str, key: str) -> None:
        state = self._state
        if column == "gene":
            state.param.update(gene=key, variant="")
        elif column == "context":
            state.context = key
        elif column == "variant":
            gene = self._behind.gene_of(key)
            state.param.update(variant=key, gene=gene or state.gene)

    def _restyle(self, _event: object) -> None:
        for plot in self._plots.values():
            plot.set_theme(self._state.theme)
        self._flow.set_theme(self._state.theme)
        if self._model is not None:
            self._head.object = self._headline(self.part)


def _score_table(rows: pd.DataFrame, group: str) -> str:
    """Write all scores of the person, with raw and adjusted percentiles."""
    names = ("Score", "Log odds", "Percentile among all", f"Among {escaped(group)}" if group else "",
             "Adjusted for ancestry")  # fmt: skip
    head = "".join(f"<th scope='col'>{name}</th>" for name in names if name)
    body = []
    for method in (name for name in METHODS if name in set(rows["method"])):
        row = rows[rows["method"] == method].iloc[0]
        cells = [f"{row['score']:+.3f}".replace("-", "\N{MINUS SIGN}"), ordinal(row["all"])]
        cells += [ordinal(row["group"])] if group else []
        cells.append(ordinal(row["adjusted"]))
        body.append(
            f"<tr><th scope='row' style='opacity:1'>{escaped(score_name(method))}</th>"
            f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        )
    return (
        f"<table class='facts' data-testid='risk-scores'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )

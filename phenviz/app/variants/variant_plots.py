"""Volcano and heat map of the variants in the table; a click in either chooses one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.state import PageState
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.contexts import Context
from phenviz.results.display import VariantsDisplay
from phenviz.tracks import EffectMap, Volcano

_ROWS = 24
_NAME = 18


class VariantPlots(Viewer):
    """Two figures side by side.

    Parameters
    ----------
    state
        Ticked contexts and theme are followed.
    contexts
        All contexts of the model.
    on_pick
        Called with the key of a variant that was clicked.
    """

    def __init__(
        self, state: PageState, contexts: tuple[Context, ...], on_pick: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._state, self._contexts = state, contexts
        self._volcano, self._map = Volcano(state.theme), EffectMap(state.theme)
        self._volcano.on_pick(on_pick)
        self._map.on_pick(on_pick)
        self._rows: tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())
        self._left = words("", margin=(4, 8, 0, 8))
        self._right = words("", margin=(4, 8, 0, 8))
        state.param.watch(self._restyle, ["theme"])

    def __panel__(self) -> pn.viewable.Viewable:
        halves = [
            pn.Column(
                told,
                FigurePane(
                    figure,
                    alt=f"{what}; the table below lists the same variants",
                    sizing_mode="stretch_both",
                    margin=0,
                ),
                sizing_mode="stretch_both",
                margin=0,
                min_width=200,
            )
            for told, figure, what in (
                (self._left, self._volcano.layout, "Effects of variants against how rare they are"),
                (self._right, self._map.layout, "Heat map of the effects of variants by contexts"),
            )
        ]
        # in CSS only: Panel would make all that they lie in as high
        figures = pn.Row(*halves, sizing_mode="stretch_both", margin=0, styles={"min-height": "260px"})
        # they scroll where the page is lower than that: the table below keeps its room
        return pn.Column(
            figures, scroll="y-auto", sizing_mode="stretch_both", margin=0, styles={"min-height": "0"}
        )

    def show(self, table: pd.DataFrame, effects: xr.Dataset | None) -> None:
        """Draw the rows of a table in their order; ``row`` says where each lies in the effects."""
        self._volcano.show(table if len(table) else _nothing())
        note = f" · {self._volcano.note}" if self._volcano.note else ""
        title, what = "Effect and rarity", "share of common variants that are as strong"
        if not self._volcano.ranked:
            title, what = "Effect and activity", "rarity once common variants are scored"
        self._say(self._left, f"<b>{title}</b> <span class='quiet'>{what}{escaped(note)}</span>")
        ticked = [context for context in self._contexts if context.name in self._state.contexts]
        top = table.head(_ROWS)
        self._rows = ((), (), ())
        if effects is None or not len(top) or not ticked:
            self._map.show([], [], [], np.empty((0, 0)))
            self._say(self._right, "<b>Contexts</b> <span class='quiet'>nothing to draw</span>")
            return
        values = effects["effect"].sel(context=[c.name for c in ticked]).isel(variant=top["row"].to_numpy())
        names = [_name(row.id, row.position) for row in top.itertuples(index=False)]
        self._rows = tuple(top["row"].astype(int)), tuple(names), tuple(c.name for c in ticked)
        self._map.show(
            top["key"].tolist(),
            names,
            ticked,
            values.transpose("variant", "context").to_numpy(),
        )
        which = "all of the table" if len(top) == len(table) else f"first {len(top)} of the table"
        self._say(
            self._right,
            f"<b>Contexts</b> <span class='quiet'>{which} · blue to red: −"
            f"{self._map.limit:g} to {self._map.limit:g}</span>",
        )

    def display(self) -> VariantsDisplay:
        """Return what both figures draw, and with which scales."""
        rows, names, contexts = self._rows
        return replace(
            self._volcano.display(), rows=rows, names=names, contexts=contexts, limit=self._map.limit
        )

    def choose(self, key: str) -> None:
        """Point at a variant."""
        self._volcano.choose(key)
        self._map.choose(key)

    def _restyle(self, _event: object) -> None:
        self._volcano.set_theme(self._state.theme)
        self._map.set_theme(self._state.theme)

    def _say(self, pane: pn.pane.HTML, html: str) -> None:
        if pane.object != html:
            pane.object = html


def _name(rsid: str, position: int) -> str:
    return rsid[:_NAME] if rsid else f"{position:,}"


def _nothing() -> pd.DataFrame:
    columns = ["key", "id", "position", "ref", "alt", "gene", "context", "effect", "quantile", "active"]
    return pd.DataFrame({name: [] for name in columns})

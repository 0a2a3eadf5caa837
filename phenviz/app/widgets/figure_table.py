"""The numbers of a figure as a table, made when somebody asks for it."""

from __future__ import annotations

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.parts import FigurePane, words
from phenviz.genome.true_minus import true_minus
from phenviz.tracks.drawn_tables import drawn_tables

_MOST_ROWS = 100


class FigureTable(Viewer):
    """A button under a figure, and the table that it opens.

    Parameters
    ----------
    pane
        The figure.
    what
        What the figure shows, for the button's name.
    """

    def __init__(self, pane: FigurePane, what: str) -> None:
        super().__init__()
        self._pane, self._what = pane, what
        self._button = pmui.Button(
            label=f"{what} as a table", variant="text", size="small", margin=(0, 4), css_classes=["as-table"],
            sx={"textTransform": "none", "fontSize": "12px", "py": "0"},
        )  # fmt: skip
        self._table = words(visible=False, margin=(0, 8))
        self._button.on_click(lambda _event: self._turn())

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self._button, self._table, sizing_mode="stretch_width", margin=0)

    def _turn(self) -> None:
        opened = not self._table.visible
        # what is drawn now: it isn't followed
        self._table.object = self._html() if opened else ""
        self._table.visible = opened
        self._button.label = (
            f"Hide the table of {self._what[:1].lower()}{self._what[1:]}"
            if opened
            else (f"{self._what} as a table")
        )

    def _html(self) -> str:
        tables = drawn_tables(self._pane.object) if self._pane.object is not None else {}
        if not tables:
            return "<p class='quiet'>Nothing is drawn yet.</p>"
        parts = []
        for name, table in tables.items():
            head = "".join(f"<th scope='col'>{escaped(str(column))}</th>" for column in table.columns)
            rows = "".join(
                f"<tr>{''.join(f'<td>{escaped(_written(value))}</td>' for value in row)}</tr>"
                for row in table.head(_MOST_ROWS).itertuples(index=False)
            )
            more = f", the first {_MOST_ROWS} of {len(table):,}" if len(table) > _MOST_ROWS else ""
            caption = f"<caption>{escaped(name.replace('-', ' '))}{more}</caption>"
            parts.append(
                f"<table class='facts' data-testid='figure-table'>{caption}<thead><tr>{head}</tr></thead>"
                f"<tbody>{rows}</tbody></table>"
            )
        return "".join(parts)


def _written(value: object) -> str:
    return true_minus(f"{value:.4g}") if isinstance(value, float) else str(value)

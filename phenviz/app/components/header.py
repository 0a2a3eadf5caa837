"""The top line: which assembly, which model, and the model's card."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from phenviz.app.components.parts import words
from phenviz.app.words import escaped


class Header(Viewer):
    """Assembly, contig and model; the model's name opens its card.

    Parameters
    ----------
    place
        What is looked at: assembly and contig.
    model
        Name of the model.
    card
        Returns the model card as Markdown; asked when it is opened first.
    actions
        Shown on the right.
    """

    def __init__(
        self, place: str, model: str, card: Callable[[], str], *actions: pn.viewable.Viewable
    ) -> None:
        super().__init__()
        self._card = card
        self._actions = actions
        self._place = words(sizing_mode=None, margin=(0, 4, 0, 14), align="center")
        self.set_place(place)
        self._model = pmui.Button(
            label=f"model {model}", icon="article", variant="text", color="default",
            size="small", margin=0, align="center",
            sx={"textTransform": "none", "color": "inherit !important", "fontWeight": 500},
        )  # fmt: skip
        self._text = pn.pane.Markdown("", sizing_mode="stretch_width", css_classes=["model-card"])
        self._dialog = pmui.Dialog(
            self._text, title="Model card", title_variant="h5", width_option="md", close_on_click=True,
            show_close_button=True, styles={"position": "absolute"},
        )  # fmt: skip
        self._model.on_click(self._open)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self._place,
            self._model,
            pn.Spacer(sizing_mode="stretch_width"),
            *self._actions,
            self._dialog,
            sizing_mode="stretch_width",
            margin=0,
            styles={"width": "100%", "align-items": "center"},
        )

    def set_place(self, place: str) -> None:
        """Say which assembly and contig are looked at."""
        self._place.object = f"<span data-testid='place'>{escaped(place)}</span>"

    def _open(self, _event: object) -> None:
        if not self._text.object:
            self._text.object = self._card()
        self._dialog.open = True

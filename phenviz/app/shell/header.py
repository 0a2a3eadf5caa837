"""The top line: the pages, which assembly, which model, and what can be done with what is on screen."""

from __future__ import annotations

from collections.abc import Sequence

import panel as pn
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.widgets.parts import words

Links = Sequence[tuple[str, str, bool]]


class Header(Viewer):
    """Links to the pages, assembly, contig and model; the model's name opens its card in a tab of its own.

    Parameters
    ----------
    place
        What is looked at: assembly and contig.
    model
        Name of the model.
    links
        Title and address of each page, and whether it is this one.
    card
        Address of the model card.
    actions
        Shown on the right.
    """

    def __init__(
        self, place: str, model: str, links: Links, card: str, *actions: pn.viewable.Viewable
    ) -> None:
        super().__init__()
        self._place, self._model, self._links, self._card = place, model, links, card
        self._actions = actions
        self._line = words(margin=(0, 4, 0, 14), align="center", styles={"min-width": "0"})
        self._write()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self._line,
            *self._actions,
            sizing_mode="stretch_width",
            margin=0,
            styles={"width": "100%", "min-width": "0", "align-items": "center"},
        )

    def set_place(self, place: str) -> None:
        """Say which assembly and contig are looked at."""
        self._place = place
        self._write()

    def set_links(self, links: Links, card: str) -> None:
        """Have the links lead to what is looked at now."""
        self._links, self._card = links, card
        self._write()

    def _write(self) -> None:
        pages = "".join(
            f"<a href='{escaped(address)}'{' aria-current=page' if here else ''}>{escaped(title)}</a>"
            for title, address, here in self._links
        )
        card = (
            f"<a href='{escaped(self._card)}' target='_blank' title='Model card: what it was trained on, how "
            f"well it does, what it cannot do'>model {escaped(self._model)}</a>"
        )
        html = (
            f"<div class='head'><nav aria-label='Pages'>{pages}</nav>"
            f"<span data-testid='place'>{escaped(self._place)}</span><span class='card'>{card}</span></div>"
        )
        if html != self._line.object:
            self._line.object = html

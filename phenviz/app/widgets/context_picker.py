"""Which contexts are shown, and which one is explained."""

from __future__ import annotations

import panel as pn
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.shell.state import PageState
from phenviz.app.widgets.parts import script
from phenviz.genome.contexts import Context


class ContextList(JSComponent):
    """Contexts by group with search; `selected` and `focused` are names."""

    items = param.List(default=[])
    selected = param.List(default=[])
    focused = param.String(default="")

    _esm = script("widgets/rows.js", "widgets/context_list.js")

    def _handle_msg(self, message: dict) -> None:
        known = {item["name"] for item in self.items}
        if "selected" in message:
            self.selected = [name for name in message["selected"] if name in known]
        if message.get("focus") in known:
            self.focused = message["focus"]


class ContextPicker(Viewer):
    """Tick contexts to show them; choose the one whose bases are explained.

    Parameters
    ----------
    state
        Its ``contexts`` and ``focus`` are shown and set.
    contexts
        All contexts of the model, in its order.
    """

    def __init__(self, state: PageState, contexts: tuple[Context, ...]) -> None:
        super().__init__()
        self._state = state
        items = [
            {
                "name": c.name,
                "label": c.label,
                "curie": c.curie,
                "group": c.group,
                "colour": c.colour,
                "note": f"{c.units}; {c.description}" if c.description else c.units,
            }
            for c in contexts
        ]
        self._list = ContextList(
            items=items,
            selected=list(state.contexts),
            focused=state.focus,
            sizing_mode="stretch_width",
            margin=(12, 12),
        )
        self._list.param.watch(self._chosen, ["selected", "focused"])
        state.param.watch(self._follow, ["contexts", "focus"])

    def __panel__(self) -> pn.viewable.Viewable:
        return self._list

    def _chosen(self, *_events: object) -> None:
        self._state.param.update(contexts=tuple(self._list.selected), focus=self._list.focused)

    def _follow(self, *_events: object) -> None:
        self._list.param.update(selected=list(self._state.contexts), focused=self._state.focus)

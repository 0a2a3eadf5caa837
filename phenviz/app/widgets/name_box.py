"""A text box that completes names and says in place what was wrong with what was typed."""

from __future__ import annotations

from collections.abc import Callable

import param
from panel.custom import JSComponent

from phenviz.app.widgets.parts import script


class NameBox(JSComponent):
    """Text box with completion; what is entered goes to a callback.

    Parameters
    ----------
    on_enter
        Called with what was typed or chosen.
    """

    value = param.String(default="", doc="What the box shows while nobody types.")
    names = param.List(default=[], item_type=str, doc="What it completes to.")
    placeholder = param.String(default="")
    label = param.String(default="")
    testid = param.String(default="name-box")
    message = param.String(default="", doc="What was wrong; empty for nothing.")
    suggestions = param.List(default=[], item_type=str, doc="Names to click instead.")
    answered = param.Integer(default=0)

    _esm = script("widgets/name_box.js")

    def __init__(self, on_enter: Callable[[str], None], **params: object) -> None:
        super().__init__(**params)
        self._on_enter = on_enter

    def show(self, value: str) -> None:
        """Show a text, and take back any message."""
        self.param.update(value=value, message="", suggestions=[], answered=self.answered + 1)

    def refuse(self, message: str, suggestions: list[str]) -> None:
        """Say what was wrong with what is typed, which stays."""
        self.param.update(message=message, suggestions=suggestions)

    def _handle_msg(self, message: dict) -> None:
        if message.get("dismiss"):
            self.show(self.value)
        else:
            # the same message twice would be no change to the browser
            self.param.update(message="", suggestions=[])
            self._on_enter(str(message["text"])[:200])

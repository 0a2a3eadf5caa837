"""Where am I, and where do I go: locus box, history, zoom and move."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.components.parts import ASSETS, words
from phenviz.app.navigation import History, framed, moved, zoomed
from phenviz.app.state import ExploreState
from phenviz.errors import PhenvizError
from phenviz.genome.locus import Locus
from phenviz.genome.ticks import format_length


class NavigationButtons(JSComponent):
    """Back, forward, zoom and move; tells what was pressed."""

    can_go_back = param.Boolean(default=False)
    can_go_forward = param.Boolean(default=False)
    group = param.Selector(default="history", objects=["history", "zoom"], constant=True)

    _esm = ASSETS / "navigation_buttons.js"

    def __init__(self, on_press: Callable[[str, float], None], **params: object) -> None:
        super().__init__(**params)
        self._on_press = on_press

    def _handle_msg(self, message: dict) -> None:
        self._on_press(str(message["action"]), float(message.get("amount", 0)))


class LocusMessage(JSComponent):
    """What was wrong with the locus that was typed, and names to click instead."""

    message = param.String(default="")
    suggestions = param.List(default=[], item_type=str)

    _esm = ASSETS / "locus_message.js"

    def __init__(self, on_pick: Callable[[str], None], **params: object) -> None:
        super().__init__(**params)
        self._on_pick = on_pick

    def _handle_msg(self, message: dict) -> None:
        if message.get("action") == "close":
            self.param.update(message="", suggestions=[])
        else:
            self._on_pick(str(message["name"]))


class LocusBar(Viewer):
    """Locus box with autocomplete, history, zoom and move buttons.

    Parameters
    ----------
    state
        Its locus is shown and set.
    resolve
        Turns what was typed into a checked locus, or raises a `PhenvizError`.
    nearest_names
        Known names close to what was typed.
    names
        What the box completes to.
    contig_length
        Bases of a contig by its name.
    """

    def __init__(
        self,
        state: ExploreState,
        *,
        resolve: Callable[[str], Locus],
        nearest_names: Callable[[str], list[str]],
        names: list[str],
        contig_length: Callable[[str], int],
    ) -> None:
        super().__init__()
        self._state = state
        self._resolve = resolve
        self._nearest_names = nearest_names
        self._contig_length = contig_length
        self._history = History()
        self._history_buttons = NavigationButtons(self._press, group="history", margin=0)
        self._zoom_buttons = NavigationButtons(self._press, group="zoom", margin=0)
        self._box = pmui.AutocompleteInput(
            options=names,
            lazy_search=True,
            restrict=False,
            case_sensitive=False,
            min_characters=2,
            size="small",
            placeholder="Gene, chr20:1,000-2,000, 20:42.9M-43M or rsID",
            label="",
            width=272,
            margin=(0, 4),
            sx={"& input": {"fontSize": "14px", "py": "2px !important"}},
        )
        self._length = words(width=56, margin=(0, 2), sizing_mode=None)
        self._message = LocusMessage(self.go_to, margin=0, width=0, height=0)
        self._box.param.watch(self._typed, "value")
        state.param.watch(self._follow, ["locus"])
        state.param.watch(self._remember, ["settled"])
        self._follow()
        self._remember()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self._history_buttons,
            pn.Column(self._box, self._message, margin=0),
            self._length,
            self._zoom_buttons,
            sizing_mode="stretch_width",
            margin=0,
            styles={"align-items": "center", "padding": "6px 6px 2px"},
        )

    def go_to(self, text: str) -> None:
        """Show what was typed, or say why it can't be shown and offer names that are close."""
        try:
            found = self._resolve(text)
        except PhenvizError as error:
            self._message.param.update(message=str(error), suggestions=self._nearest_names(text))
            self._box.error_state = True
            return
        self._message.param.update(message="", suggestions=[])
        length = self._contig_length(found.contig)
        # a coordinate range is shown as it was typed; a gene or a single base with some air around
        typed_range = ":" in text or len(text.split()) == 3
        least = 1_000 if found.length == 1 else 200
        view = found if typed_range and found.length > 1 else framed(found, length, least=least)
        self._state.param.update(highlight=found, locus=Locus(view.contig, view.start, view.end))
        self._follow()

    def _typed(self, event: param.parameterized.Event) -> None:
        text = str(event.new or "").strip()
        if text and text != str(self._state.locus):
            self.go_to(text)

    def _press(self, action: str, amount: float) -> None:
        state, length = self._state, self._contig_length(self._state.locus.contig)
        if action == "back":
            state.locus = self._history.back()
        elif action == "forward":
            state.locus = self._history.forward()
        elif action == "zoom":
            state.locus = zoomed(state.locus, amount, length)
        elif action == "move":
            state.locus = moved(state.locus, amount, length)

    def _follow(self, *_events: object) -> None:
        locus = self._state.locus
        self._box.param.update(value=str(locus), error_state=False)
        self._length.object = f"<span data-testid='view-length'>{format_length(locus.length)}</span>"
        self._message.param.update(message="", suggestions=[])

    def _remember(self, *_events: object) -> None:
        if self._state.settled is not None:
            self._history.visit(self._state.settled)
        self._history_buttons.param.update(
            can_go_back=self._history.can_go_back, can_go_forward=self._history.can_go_forward
        )

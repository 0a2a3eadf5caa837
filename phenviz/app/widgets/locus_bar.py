"""Where am I, and where do I go: locus box, history, zoom and move."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import panel as pn
import param
from panel.custom import JSComponent
from panel.viewable import Viewer

from phenviz.app.shell.initial_view import example_locus
from phenviz.app.shell.navigation import History, framed, moved, zoomed
from phenviz.app.shell.session import Session
from phenviz.app.shell.state import PageState
from phenviz.app.widgets.name_box import NameBox
from phenviz.app.widgets.parts import script, words
from phenviz.errors import PhenvizError
from phenviz.genome.locus import Locus, is_rsid
from phenviz.genome.ticks import format_length

if TYPE_CHECKING:
    from phenviz.world import World


class NavigationButtons(JSComponent):
    """Back, forward, zoom and move; tells what was pressed."""

    can_go_back = param.Boolean(default=False)
    can_go_forward = param.Boolean(default=False)
    group = param.Selector(default="history", objects=["history", "zoom"], constant=True)

    _esm = script("widgets/rows.js", "widgets/navigation_buttons.js")

    def __init__(self, on_press: Callable[[str, float], None], **params: object) -> None:
        super().__init__(**params)
        self._on_press = on_press

    def _handle_msg(self, message: dict) -> None:
        self._on_press(str(message["action"]), float(message.get("amount", 0)))


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
    session
        Brings what is pressed and typed to the figures.
    example
        Of a locus that can be typed.
    """

    @classmethod
    def of(cls, state: PageState, world: World, session: Session) -> LocusBar:
        """Make the bar for a world: its genes, contigs and rsIDs."""
        return cls(
            state,
            resolve=world.locus,
            nearest_names=world.annotation.nearest_names,
            names=[str(name) for name in world.annotation.genes["gene_name"]],
            contig_length=world.reference.length,
            session=session,
            example=example_locus(world),
        )

    def __init__(
        self,
        state: PageState,
        *,
        resolve: Callable[[str], Locus],
        nearest_names: Callable[[str], list[str]],
        names: list[str],
        contig_length: Callable[[str], int],
        session: Session,
        example: str,
    ) -> None:
        super().__init__()
        self._state, self._session = state, session
        self._resolve = resolve
        self._nearest_names = nearest_names
        self._contig_length = contig_length
        self._history = History()
        self._history_buttons = NavigationButtons(self._pressed, group="history", margin=0, align="center")
        self._zoom_buttons = NavigationButtons(self._pressed, group="zoom", margin=(2, 0), align="center")
        self._box = NameBox(
            lambda text: session.run_soon(lambda: self.go_to(text)),
            names=names,
            placeholder=f"Gene, {example} or rsID",
            label="Locus",
            testid="locus",
            width=272,
            margin=(0, 4),
            align="center",
        )
        self._length = words(width=60, margin=(0, 2), sizing_mode=None, align="center")
        state.param.watch(self._follow, ["locus"])
        state.param.watch(self._remember, ["settled"])
        self._follow()
        self._remember()

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self._history_buttons,
            self._box,
            self._length,
            self._zoom_buttons,
            sizing_mode="stretch_width",
            margin=0,
            styles={"flex-wrap": "wrap", "padding": "6px 6px 2px"},
        )

    def go_to(self, text: str) -> None:
        """Show what was typed, or say why it can't be shown and offer names that are close."""
        try:
            found = self._resolve(text)
        except PhenvizError as error:
            self._box.refuse(str(error), self._nearest_names(text))
            return
        length = self._contig_length(found.contig)
        typed_range = ":" in text or len(text.split()) == 3
        if (typed_range and found.length > 1) or found.length == length:
            view, place = found, None  # shown as it was typed: there is nothing in it to point at
        else:
            # a gene or a single base gets some air on both sides
            view = framed(found, length, least=1_000 if found.length == 1 else 200)
            place = Locus(found.contig, found.centre, found.centre + 1) if is_rsid(text) else found
        self._state.param.update(highlight=place, locus=Locus(view.contig, view.start, view.end))
        self._box.show(str(self._state.locus))

    def _pressed(self, action: str, amount: float) -> None:
        # what a component of ours hears comes without the lock that figures need
        self._session.run_soon(lambda: self._press(action, amount))

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
        if self._box.value != str(locus):
            self._box.show(str(locus))
        self._length.object = f"<span data-testid='view-length'>{format_length(locus.length)}</span>"

    def _remember(self, *_events: object) -> None:
        if self._state.settled is not None:
            self._history.visit(self._state.settled)
        self._history_buttons.param.update(
            can_go_back=self._history.can_go_back, can_go_forward=self._history.can_go_forward
        )

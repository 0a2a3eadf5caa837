"""What all pages are made of: a session, a state that the address holds, a header, and panels around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import panel as pn
import panel_material_ui as pmui

from phenviz.app.about.model_card import model_in_header
from phenviz.app.pages import PAGES
from phenviz.app.shell.address import Address
from phenviz.app.shell.header import Header
from phenviz.app.shell.initial_view import open_state
from phenviz.app.shell.links import link_to
from phenviz.app.shell.page_actions import PageActions, ShareButton
from phenviz.app.shell.panel_workarounds import (
    keep_early_changes,
    keep_style_sheets_relative,
    lock_events,
    never_busy,
    remember_defaults,
    send_all_that_waits,
)
from phenviz.app.shell.session import Session, report, words_of
from phenviz.app.shell.state import PageState
from phenviz.app.shell.theme import PAGE_SX, THEME_CONFIG
from phenviz.genome.locus import shown_contig

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

pn.extension(notifications=True, exception_handler=report)
keep_early_changes()
keep_style_sheets_relative()
lock_events()
remember_defaults()
send_all_that_waits()

S = TypeVar("S", bound=PageState)

_URL_MS = 400
# what changes too often for the address, or isn't in it
_VOLATILE = ("name", "locus", "highlight")
_LEFT, _RIGHT = 236, 262


class Page(ABC, Generic[S]):
    """Everything of one tab; lives as long as its document.

    Parameters
    ----------
    runtime
        What all tabs share.

    Attributes
    ----------
    key
        Key of the page (`phenviz.app.pages.PAGES`).
    session, state
        This tab, and what it looks at.
    actions
        Hands files to the browser.
    page
        What Panel serves.
    """

    key: ClassVar[str]

    def __init__(self, runtime: Runtime) -> None:
        session = self.session = Session()
        self.runtime = runtime
        self._prepare()
        self.state, problems = self._read(arguments_of_address())
        self.actions = PageActions(
            self._take_width,
            lambda tab: session.run_soon(lambda: self._join(tab)),
            lambda text: session.run_soon(lambda: self._address.go_to(text)),
            width=0,
            height=0,
            margin=0,
        )
        self._address = Address(session, self.state, self._query, self.actions)
        self._address.on_return(self._read, self._return)
        self.page = self._layout()
        self._watch()
        self._keep_in_step()
        for problem in problems:
            session.say(problem)

    @classmethod
    def open(cls, runtime: Runtime) -> pmui.Page:
        """Build the page for one tab; where that fails, one that says why instead of an empty window."""
        try:
            return cls(runtime).page
        except Exception as error:
            words = pmui.Alert(
                object=words_of(error), title="This page can't be shown", severity="error", margin=40
            )
            return pmui.Page(title="PhenViz", main=[words], theme_config=THEME_CONFIG, sx=PAGE_SX)

    # what a page says of itself

    @abstractmethod
    def _new_state(self) -> S:
        """Make a state as it is before an address says anything."""

    @abstractmethod
    def _layout(self) -> pmui.Page:
        """Make the widgets, and lay them out by `framed`."""

    def _prepare(self) -> None:
        """Make what the state is completed with."""

    def _complete(self, state: S, arguments: Mapping[str, str]) -> list[str]:
        """Fill in what the address leaves open; returns what of it couldn't be taken over, in words."""
        return []

    def _keep_in_step(self) -> None:
        """Watch the state, and what is computed for it."""

    def _join(self, tab: str) -> None:
        """Take up what the browser's tab of this name had before a reload, or on another page."""

    def _return(self) -> None:
        """Look at the state that Back or Forward has brought."""

    # what all have

    def framed(
        self,
        main: Sequence[Any],
        *,
        sidebar: Sequence[Any] = (),
        panel: Sequence[Any] = (),
        actions: Sequence[Any] = (),
    ) -> pmui.Page:
        """Lay out the page.

        Parameters
        ----------
        main
            From top to bottom, in the middle.
        sidebar, panel
            On the left and on the right; the right one folds away in a narrow window.
        actions
            At the right end of the header.
        """
        self.header = Header(
            self._place(),
            model_in_header(self.runtime.world),
            *self._links(),
            ShareButton(margin=0),
            *actions,
        )
        entry = next(entry for entry in PAGES if entry.key == self.key)
        framed = pmui.Page(
            title="PhenViz",
            meta_title=entry.tab_title,
            header=[self.header],
            # a persistent bar that isn't there would still push the page out of the window
            sidebar=list(sidebar),
            sidebar_width=_LEFT,
            sidebar_open=bool(sidebar),
            sidebar_variant="auto" if sidebar else "temporary",
            contextbar=list(panel),
            contextbar_width=_RIGHT,
            contextbar_open=bool(panel),
            contextbar_variant="persistent" if panel else "temporary",
            contextbar_resizable=True,
            main=[pn.Column(*main, self.actions, sizing_mode="stretch_both", margin=0)],
            busy_indicator=None,
            dark_theme=self.state.theme == "dark",
            theme_config=THEME_CONFIG,
            sx=PAGE_SX,
        )
        never_busy(framed)
        return framed

    def _read(self, arguments: Mapping[str, str]) -> tuple[S, list[str]]:
        """Turn an address into a state; also returns what couldn't be taken over, in words."""
        state, world = self._new_state(), self.runtime.world
        problems = open_state(state, world, arguments, state.take(arguments, world.contexts))
        return state, problems + self._complete(state, arguments)

    def _query(self) -> dict[str, str]:
        return self.state.query(self.runtime.world.contexts)

    def _watch(self) -> None:
        state = self.state
        state.param.watch(lambda _event: self.header.set_place(self._place()), ["locus"])
        watched = [name for name in state.param if name not in _VOLATILE]
        state.param.watch(self.session.debounced(self._write_address, _URL_MS), watched)
        self.page.param.watch(self._take_theme, "dark_theme")

    def _write_address(self) -> None:
        self.header.set_links(*self._links())
        self._address.write()

    def _take_theme(self, _event: object) -> None:
        self.state.theme = "dark" if self.page.dark_theme else "light"

    def _take_width(self, narrow: bool) -> None:
        if self.page.contextbar:
            self.session.run_soon(lambda: setattr(self.page, "contextbar_open", not narrow))

    def _place(self) -> str:
        return f"{self.runtime.world.assembly} · {shown_contig(self.state.locus.contig)}"

    def _links(self) -> tuple[list[tuple[str, str, bool]], str]:
        state, contexts = self.state, self.runtime.world.contexts
        pages = [
            (entry.title, link_to(entry.key, state, contexts), entry.key == self.key)
            for entry in PAGES
            if entry.linked
        ]
        return pages, link_to("about", state, contexts)


def arguments_of_address() -> dict[str, str]:
    """Return the values of the address that the tab was opened with."""
    return {name: values[-1].decode() for name, values in pn.state.session_args.items() if values}

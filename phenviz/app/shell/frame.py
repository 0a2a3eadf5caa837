"""What every page has: header with links, theme, address, and panels that leave room for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui

from phenviz.app.about.model_card import model_in_header
from phenviz.app.pages import PAGES
from phenviz.app.shell.address import Address
from phenviz.app.shell.header import Header
from phenviz.app.shell.links import link_to
from phenviz.app.shell.page_actions import PageActions, ShareButton
from phenviz.app.shell.panel_workarounds import (
    keep_style_sheets_relative,
    lock_events,
    never_busy,
    remember_defaults,
)
from phenviz.app.shell.session import Session, report, words_of
from phenviz.app.shell.state import PageState
from phenviz.app.shell.theme import PAGE_SX, THEME_CONFIG
from phenviz.genome.locus import shown_contig

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime

pn.extension(notifications=True, exception_handler=report)
keep_style_sheets_relative()
lock_events()
remember_defaults()

_URL_MS = 400
# what changes too often for the address, or isn't in it
_VOLATILE = ("name", "locus", "highlight")
_LEFT, _RIGHT = 236, 262


def arguments_of_address() -> dict[str, str]:
    """Return the values of the address that the tab was opened with."""
    return {name: values[-1].decode() for name, values in pn.state.session_args.items() if values}


def guarded(build: Callable[[], pmui.Page]) -> pmui.Page:
    """Build a page; where that fails, say why there is nothing to see instead of showing an empty window."""
    try:
        return build()
    except Exception as error:
        words = pmui.Alert(
            object=words_of(error), title="This page can't be shown", severity="error", margin=40
        )
        return pmui.Page(title="PhenViz", main=[words], theme_config=THEME_CONFIG, sx=PAGE_SX)


class PageFrame:
    """The frame of one tab.

    Parameters
    ----------
    key
        Key of the page (`phenviz.app.pages.PAGES`).
    runtime
        What all tabs share.
    session
        This tab.
    state
        Its theme is shown and set, and its locus and contexts go into the links to other pages.
    query
        Returns what the address is to hold.
    on_tab
        Called with the name of the browser's tab, which outlives a reload.
    """

    def __init__(
        self,
        key: str,
        runtime: Runtime,
        session: Session,
        state: PageState,
        query: Callable[[], Mapping[str, str]],
        on_tab: Callable[[str], None] = lambda tab: None,
    ) -> None:
        self._key, self._runtime, self._session, self._state = key, runtime, session, state
        self.actions = PageActions(
            self._take_width,
            lambda tab: session.run_soon(lambda: on_tab(tab)),
            lambda text: session.run_soon(lambda: self.address.go_to(text)),
            width=0,
            height=0,
            margin=0,
        )
        self.address = Address(session, state, query, self.actions)

    def page(
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
            model_in_header(self._runtime.world),
            *self._links(),
            ShareButton(margin=0),
            *actions,
        )
        entry = next(entry for entry in PAGES if entry.key == self._key)
        self._page = pmui.Page(
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
            dark_theme=self._state.theme == "dark",
            theme_config=THEME_CONFIG,
            sx=PAGE_SX,
        )
        never_busy(self._page)
        self._keep_in_step()
        return self._page

    def _keep_in_step(self) -> None:
        state = self._state
        state.param.watch(lambda _event: self.header.set_place(self._place()), ["locus"])
        watched = [name for name in state.param if name not in _VOLATILE]
        state.param.watch(self._session.debounced(self._write_address, _URL_MS), watched)
        self._page.param.watch(self._take_theme, "dark_theme")

    def _write_address(self) -> None:
        self.header.set_links(*self._links())
        self.address.write()

    def _take_theme(self, _event: object) -> None:
        self._state.theme = "dark" if self._page.dark_theme else "light"

    def _take_width(self, narrow: bool) -> None:
        if self._page.contextbar:
            self._session.run_soon(lambda: setattr(self._page, "contextbar_open", not narrow))

    def _place(self) -> str:
        return f"{self._runtime.world.assembly} · {shown_contig(self._state.locus.contig)}"

    def _links(self) -> tuple[list[tuple[str, str, bool]], str]:
        state, contexts = self._state, self._runtime.world.contexts
        pages = [
            (entry.title, link_to(entry.key, state, contexts), entry.key == self._key)
            for entry in PAGES
            if entry.linked
        ]
        return pages, link_to("about", state, contexts)

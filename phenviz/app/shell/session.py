"""One browser tab: its document, its timers, its messages, and what has to be let go when it closes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import panel as pn

from phenviz.app.shell.panel_workarounds import forget, start_busy_timer
from phenviz.app.shell.process_memory import HOUSEKEEPING
from phenviz.errors import PhenvizError

LOG = logging.getLogger("phenviz.app")
_TICK_MS = 250
_STYLE_SHEETS = "static/extensions/panel/"
_MESSAGE_MS = 6_000


class Session:
    """What belongs to one browser tab.

    Made while the page is built: the document is known then, and in no other thread later.
    """

    def __init__(self) -> None:
        self.document: Any = pn.state.curdoc
        self._notifications = pn.state.notifications
        self._on_tick: list[Callable[[], object]] = []
        self._on_close: list[Callable[[], None]] = []
        self._closed = False
        self._thread = threading.current_thread()
        # until the page is drawn, and without a browser until the next tick; other threads add to it
        self._waiting: deque[Callable[[], None]] = deque()
        self._starting = threading.Lock()
        self._loaded = not self.in_browser
        if self.in_browser:
            # a browser that comes late finds its session dropped and gets one without a rendered page: Panel
            # would then send it to the network for style sheets
            self.document.template_variables.setdefault("dist_url", _STYLE_SHEETS)
            start_busy_timer()
            HOUSEKEEPING.page_opened(self)
            # what changes while the browser is still drawing the page would be lost there
            pn.state.onload(self._start)
            pn.state.on_session_destroyed(lambda _context: self._end())

    @property
    def in_browser(self) -> bool:
        """Whether a browser shows the page, not a test or a notebook."""
        return self.document is not None and self.document.session_context is not None

    def on_tick(self, function: Callable[[], object]) -> None:
        """Call a function a few times a second, on the document's own thread.

        Jobs run in other threads; looking at them from here needs no lock and no push between threads.
        """
        self._on_tick.append(function)

    def on_close(self, function: Callable[[], None]) -> None:
        """Call a function when the tab is gone: the place to drop large arrays."""
        self._on_close.append(function)

    def close(self) -> None:
        """Stop the timers and let everything go."""
        if self._closed:
            return
        self._closed = True
        for function in self._on_close:
            try:
                function()
            except Exception:
                LOG.exception("closing a session: %r failed", function)
        self._on_tick.clear()
        self._on_close.clear()
        self._waiting.clear()

    def debounced(self, function: Callable[[], None], milliseconds: int) -> Callable[..., None]:
        """Return a function that, when called many times in a row, runs once after the last call."""
        pending: list[Any] = []

        def fire() -> None:
            pending.clear()
            if not self._closed and not self._waits(function):
                self.safely(function)

        def call(*_events: object) -> None:
            if not self.in_browser:
                function()  # a test or a notebook has no event loop of its own to wait in
                return
            if pending:
                self.document.remove_timeout_callback(pending.pop())
            pending.append(self.document.add_timeout_callback(fire, milliseconds))

        return call

    def run_soon(self, function: Callable[[], None]) -> None:
        """Run a function on the document's thread; may be called from any thread.

        It isn't run if the page has been closed meanwhile: it would start anew what was let go.
        """
        if self._closed:
            return
        if not self.in_browser:
            if threading.current_thread() is self._thread:
                self.safely(function)
            else:
                self._waiting.append(function)
        elif not self._waits(function):
            self.document.add_next_tick_callback(lambda: None if self._closed else self.safely(function))

    def safely(self, function: Callable[[], object]) -> None:
        """Run a function; what goes wrong reaches the user in words and the log in full."""
        try:
            function()
        except Exception as error:
            self.show_error(error)

    def say(self, text: str) -> None:
        """Show a short message."""
        if self._notifications is not None:
            self._notifications.info(text, duration=_MESSAGE_MS)

    def show_error(self, error: Exception) -> None:
        """Show what went wrong, in words; a traceback goes to the log only."""
        text = words_of(error)
        if self._notifications is not None:
            self._notifications.error(text, duration=2 * _MESSAGE_MS)

    def _waits(self, function: Callable[[], None]) -> bool:
        """Keep a function for when the page is drawn; False if it is already."""
        with self._starting:
            if not self._loaded:
                self._waiting.append(function)
            return not self._loaded

    def _end(self) -> None:
        self.close()
        forget(self.document)
        HOUSEKEEPING.page_closed(self)

    def _start(self) -> None:
        with self._starting:
            self._loaded = True
        # Panel's own periodic callback never began in 2 of 12 pages that a busy machine opened
        self.document.add_periodic_callback(self._tick, _TICK_MS)
        while self._waiting:
            self.run_soon(self._waiting.popleft())

    def _tick(self) -> None:
        if self._closed:
            return
        while self._waiting:
            self.safely(self._waiting.popleft())
        for function in list(self._on_tick):
            self.safely(function)


def words_of(error: BaseException) -> str:
    """Say in words what went wrong, and keep the whole story in the log."""
    if isinstance(error, PhenvizError):
        # its words may name a person or a variant of theirs
        LOG.info("told the user of a %s", type(error).__name__)
        return str(error)
    LOG.error("unexpected error", exc_info=error)
    return (
        f"Something went wrong that shouldn't ({type(error).__name__}). Your view is kept; "
        "the details are in the server's log."
    )


def report(error: Exception) -> None:
    """Tell the session whose callback failed: Panel's handler of what nobody caught."""
    text = words_of(error)
    if pn.state.notifications is not None:
        pn.state.notifications.error(text, duration=2 * _MESSAGE_MS)

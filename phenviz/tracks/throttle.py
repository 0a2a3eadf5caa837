"""Calls that come too often, made seldom enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class _Document(Protocol):
    """The part of a Bokeh document that keeps time."""

    def add_timeout_callback(self, callback: Callable[[], None], timeout_milliseconds: int) -> Any: ...
    def remove_timeout_callback(self, callback_obj: Any) -> None: ...


class Throttle:
    """Calls an action once in an interval, the first time one interval after it was asked for.

    Parameters
    ----------
    document
        Returns the document that keeps time, or None outside a server: then the call is made at once.
    milliseconds
        The interval.
    action
        What is called, in the document's thread.
    """

    restart = False

    def __init__(
        self, document: Callable[[], _Document | None], milliseconds: int, action: Callable[[], None]
    ) -> None:
        self._document = document
        self._milliseconds = milliseconds
        self._action = action
        self._pending: Any = None

    def __call__(self) -> None:
        """Ask for a call."""
        document = self._document()
        if document is None:
            self._action()
            return
        if self._pending is not None:
            if not self.restart:
                return
            document.remove_timeout_callback(self._pending)
        self._pending = document.add_timeout_callback(self._fire, self._milliseconds)

    def cancel(self) -> None:
        """Forget a call that was asked for."""
        document = self._document()
        if self._pending is not None and document is not None:
            document.remove_timeout_callback(self._pending)
        self._pending = None

    def _fire(self) -> None:
        self._pending = None
        self._action()


class Debounce(Throttle):
    """Calls an action once nobody has asked for it during an interval."""

    restart = True

"""Memory of the server's process: what stays is set aside, what closed pages leave goes back."""

from __future__ import annotations

import ctypes
import gc
import platform
import threading
import weakref

from tornado.ioloop import IOLoop

# Panel collects the garbage of a closed page after 5 s (`panel.io.document.GC_DEBOUNCE`)
_AFTER_SECONDS = 10.0


class Housekeeping:
    """Tidies up behind pages; one per process.

    Half a million objects stay for as long as the server runs: those of torch, pandas, Bokeh and the world.
    When a page is closed, Python's collector looks through all of them, for 0.3 s in which no page answers,
    unless they are set aside. And glibc keeps what was freed between pieces that are still in use.
    """

    def __init__(self) -> None:
        self._pages: weakref.WeakSet[object] = weakref.WeakSet()
        self._due = False
        self._more_to_come = False

    def page_opened(self, page: object) -> None:
        """Note that a page is there: its objects don't stay."""
        self._pages.add(page)

    def page_closed(self, page: object) -> None:
        """Give back what a page had, a little later; called in the thread of the event loop."""
        self._pages.discard(page)
        if not self._due:
            self._due = True
            IOLoop.current().call_later(_AFTER_SECONDS, self._tidy)

    def set_aside(self) -> None:
        """Set aside what is there now, if no page is open or was so a moment ago; else once none is."""
        # what is set aside is never looked through again: nothing of a page may be among it
        self._more_to_come = bool(self._pages) or self._due
        if not self._more_to_come:
            gc.collect()
            gc.freeze()

    def _tidy(self) -> None:
        self._due = False
        if self._more_to_come:
            self.set_aside()
        # it takes no lock of Python's, so pages go on
        threading.Thread(target=trim, name="phenviz-trim", daemon=True).start()


def trim() -> None:
    """Give free memory back to the system, where the C library needs to be told."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


HOUSEKEEPING = Housekeeping()

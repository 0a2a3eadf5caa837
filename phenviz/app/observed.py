"""Observed accessibility peaks: shown where their data pack is, offered where it isn't."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from phenviz.app.formatting import readable_bytes
from phenviz.app.session import Session, words_of

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.app.runtime import Runtime

LOG = logging.getLogger("phenviz.app")


class PeaksOfTheView:
    """Reads the peaks in the background and hands them to the tracks.

    Parameters
    ----------
    session
        Brings the table back to the page's thread.
    runtime
        World and background threads.
    show
        Takes the peaks.
    offer
        Tells that they could be fetched: note, label of a button, what it does.
    """

    def __init__(
        self,
        session: Session,
        runtime: Runtime,
        show: Callable[[pd.DataFrame], None],
        offer: Callable[[str, str, Callable[[], None]], None],
    ) -> None:
        self._session, self._runtime, self._show, self._offer = session, runtime, show, offer
        self._fetching = False

    def start(self) -> None:
        """Read the peaks, if they are here."""
        future = self._runtime.background.submit(self._runtime.peaks)
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take(done.result())))

    def _take(self, peaks: pd.DataFrame | None) -> None:
        if peaks is not None:
            self._show(peaks)
            self._offer("", "", lambda: None)
            return
        pack = self._runtime.world.project.peaks
        if isinstance(pack, str) and pack:
            self._offer(self._note(pack), "Fetch now", lambda: self._fetch(pack))

    def _note(self, pack: str) -> str:
        from phenviz.data.manifests import find_pack

        size = readable_bytes(find_pack(pack).bytes)
        return f"Observed peaks are in the data pack {pack} ({size}), which isn't on this machine yet."

    def _fetch(self, pack: str) -> None:
        if self._fetching:
            return
        self._fetching = True
        self._offer(f"Fetching {pack}…", "", lambda: None)
        future = self._runtime.background.submit(self._fetch_and_read, pack)
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._fetched(pack, done)))

    def _fetch_and_read(self, pack: str) -> pd.DataFrame | None:
        from phenviz.data.packs import fetch_pack

        fetch_pack(pack)
        return self._runtime.peaks()

    def _fetched(self, pack: str, done: Future[pd.DataFrame | None]) -> None:
        self._fetching = False
        try:
            self._take(done.result())
        except Exception as error:
            self._offer(words_of(error), "Try again", lambda: self._fetch(pack))

"""What a track takes from data packs: shown where they are, offered where they aren't."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from phenviz.app.shell.formatting import readable_bytes
from phenviz.app.shell.session import Session, words_of

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.app.shell.runtime import Runtime

LOG = logging.getLogger("phenviz.app")


class PacksOfTrack:
    """Reads a table from data packs in the background and hands it to the tracks.

    Parameters
    ----------
    session
        Brings the table back to the page's thread.
    runtime
        Background threads.
    what
        Is in the table, as a sentence begins with it: ``Observed peaks``.
    packs
        Names of the packs that hold it, whether they are here or not.
    read
        Reads the table from the packs that are here, anew if told so; None where none is.
    show
        Takes the table.
    offer
        Tells that packs could be fetched: note, label of a button, what it does.
    """

    def __init__(
        self,
        session: Session,
        runtime: Runtime,
        what: str,
        packs: Callable[[], list[str]],
        read: Callable[[bool], pd.DataFrame | None],
        show: Callable[[pd.DataFrame], None],
        offer: Callable[[str, str, Callable[[], None]], None],
    ) -> None:
        self._session, self._runtime, self._what = session, runtime, what
        self._packs, self._read, self._show, self._offer = packs, read, show, offer
        self._fetching = False

    def start(self) -> None:
        """Read what is here."""
        self._in_background(lambda: self._read(False))

    def _in_background(self, work: Callable[[], pd.DataFrame | None]) -> None:
        future = self._runtime.background.submit(work)
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take(done)))

    def _take(self, done: Future[pd.DataFrame | None]) -> None:
        self._fetching = False
        try:
            table = done.result()
        except Exception as error:
            LOG.warning("%s can't be shown: %s", self._what, error)
            self._offer(f"{self._what} can't be shown: {words_of(error)}", "Try again", self._fetch)
            return
        if table is not None:
            self._show(table)
        missing = self._missing()
        self._offer(self._note(missing), "Fetch now" if missing else "", self._fetch)

    def _missing(self) -> list[str]:
        from phenviz.data.packs import has_pack

        return [name for name in self._packs() if not has_pack(name)]

    def _note(self, missing: list[str]) -> str:
        from phenviz.data.manifests import find_pack

        if not missing:
            return ""
        listed = ", ".join(f"{name} ({readable_bytes(find_pack(name).bytes)})" for name in missing)
        if len(missing) == 1:
            return f"{self._what} are in the data pack {listed}, which isn't on this machine yet."
        return f"{self._what} are in the data packs {listed}, which aren't on this machine yet."

    def _fetch(self) -> None:
        if self._fetching:
            return
        self._fetching = True
        self._offer(f"Fetching: {self._what.lower()}…", "", lambda: None)
        self._in_background(self._fetch_and_read)

    def _fetch_and_read(self) -> pd.DataFrame | None:
        from phenviz.data.packs import fetch_pack

        for name in self._missing():
            fetch_pack(name)
        return self._read(True)

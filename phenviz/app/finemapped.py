"""Fine-mapped variants for the tracks: of the data packs that are here; others are offered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from phenviz.app.disease_run import TRAIT_PACKS
from phenviz.app.formatting import readable_bytes
from phenviz.app.session import Session, words_of
from phenviz.data.packs import fetch_pack, find_pack, has_pack

if TYPE_CHECKING:
    import pandas as pd

    from phenviz.app.runtime import Runtime

LOG = logging.getLogger("phenviz.app")


def read_finemapped(runtime: Runtime) -> pd.DataFrame | None:
    """Read the fine-mapped variants of all packs that are here; None where there is none."""
    import pandas as pd

    from phenviz.disease.reading import read_trait_pack

    names = [name for name in _packs(runtime) if has_pack(name)]
    tables = [read_trait_pack(name, runtime.world.reference).table.assign(source=name) for name in names]
    return pd.concat(tables, ignore_index=True) if tables else None


def _packs(runtime: Runtime) -> list[str]:
    # a pack of another assembly has nothing to say here
    return [name for name in TRAIT_PACKS if find_pack(name).assembly == runtime.world.assembly]


class FineMappedVariants:
    """Reads fine-mapped variants in the background and hands them to the tracks.

    Parameters
    ----------
    session
        Brings the table back to the page's thread.
    runtime
        World and background threads.
    show
        Takes the variants.
    offer
        Tells which packs could be fetched: note, label of a button, what it does.
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
        """Read the variants of the packs that are here."""
        future = self._runtime.background.submit(self._runtime.finemapped)
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take(done)))

    def _take(self, done: Future[pd.DataFrame | None]) -> None:
        self._fetching = False
        try:
            table = done.result()
        except Exception as error:
            LOG.warning("fine-mapped variants can't be shown: %s", error)
            self._offer(f"Fine-mapped variants can't be shown: {words_of(error)}", "Try again", self._fetch)
            return
        if table is not None:
            self._show(table)
        missing = self._missing()
        packs = ", ".join(f"{name} ({readable_bytes(find_pack(name).bytes)})" for name in missing)
        commands = " ".join(missing)
        note = f"Fine-mapped variants are also in the data packs {packs}: `phenviz data fetch {commands}`."
        self._offer(note if missing else "", "Fetch now" if missing else "", self._fetch)

    def _missing(self) -> list[str]:
        return [name for name in _packs(self._runtime) if not has_pack(name)]

    def _fetch(self) -> None:
        if self._fetching:
            return
        self._fetching = True
        self._offer("Fetching fine-mapped variants…", "", lambda: None)
        future = self._runtime.background.submit(self._fetch_and_read)
        future.add_done_callback(lambda done: self._session.run_soon(lambda: self._take(done)))

    def _fetch_and_read(self) -> pd.DataFrame | None:
        for name in self._missing():
            fetch_pack(name)
        return self._runtime.finemapped(anew=True)

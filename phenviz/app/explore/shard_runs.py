"""Runs of shards that the server was told to show, whoever began them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING

import panel as pn
from panel.viewable import Viewer

from phenviz.app.shell.formatting import escaped
from phenviz.app.shell.session import Session, words_of
from phenviz.app.widgets.parts import words

if TYPE_CHECKING:
    from phenviz.distributed.shard_folder import RunState

_SECONDS_BETWEEN_LOOKS = 5.0


class ShardRuns(Viewer):
    """How far runs are that commands began, on this machine or a cluster; to look at only.

    Parameters
    ----------
    session
        Its timer looks at them.
    places
        Folders or URLs of unfinished work.
    background
        Reads them: a file system of a cluster may be slow.
    """

    def __init__(self, session: Session, places: Sequence[str], background: Executor) -> None:
        super().__init__()
        self._places, self._background = tuple(places), background
        self._looking: Future[str] | None = None
        self._next_look = 0.0
        self._words = words(margin=(0, 14, 14, 14), visible=False)
        if places:
            session.on_tick(self._look)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._words

    def _look(self) -> None:
        if self._looking is not None:
            if self._looking.done():
                looked, self._looking = self._looking, None
                if (told := looked.result()) != self._words.object:
                    self._words.param.update(object=told, visible=True)
        elif time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            self._looking = self._background.submit(_read, self._places)


def _read(places: Sequence[str]) -> str:
    lines = [f"<p>{escaped(_told(place))}</p>" for place in places]
    return f"<h3>Runs of shards</h3>{''.join(lines)}"


def _told(place: str) -> str:
    from phenviz.distributed.shard_folder import last_begun

    try:
        folder = last_begun(place)
        return f"{place}: nothing was begun yet" if folder is None else in_words(folder.state())
    except Exception as error:  # whatever a file system of somebody else's raises: the other runs are told
        return f"{place}: {words_of(error)}"


def in_words(state: RunState) -> str:
    """Say how far a run is."""
    if state.joined:
        return f"{state.name}: done"
    of = "" if state.total is None else f" of {state.total:,}"
    told = f"{state.name}: {state.done:,}{of} shards"
    if state.set_aside:
        told += f"; {state.set_aside:,} set aside ({'; '.join(state.reasons)})"
    return told

"""A task that is open in one process: it computes shards, keeps them, and says what became of each."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from phenviz.distributed.identity import check_same
from phenviz.distributed.shard_folder import ShardFolder, is_full
from phenviz.distributed.shards import Attempt, State
from phenviz.errors import Cancelled, PhenvizError
from phenviz.progress import Progress

if TYPE_CHECKING:
    from phenviz.distributed.shards import OpenTask, Shard, Task

_LONGEST_ERROR = 400


class ShardWorker:
    """A task in this process; opened for the first shard, and kept for all others.

    Parameters
    ----------
    task
        What is to be computed.
    folder
        Where shards are kept. Its identity is that of the process that gives out work.
    opened
        The open task, if there is one already; it isn't closed here.
    """

    def __init__(self, task: Task, folder: ShardFolder, opened: OpenTask | None = None) -> None:
        self._task, self._folder = task, folder
        self._opened, self._own = opened, opened is None
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def compute(self, shard: Shard) -> Attempt:
        """Compute a shard and keep it; whatever goes wrong is told in the outcome."""
        begun = time.monotonic()
        state, error = self._attempt(shard)
        outcome = Attempt(shard.name, shard.units, state, time.monotonic() - begun, worker_name(), error)
        if state == "done":
            try:
                self._folder.record(outcome)
            except PhenvizError as refused:
                return replace(outcome, state=_kind(refused), error=str(refused))
        return outcome

    def stop(self) -> None:
        """End what is being computed, within the shard, and close the task."""
        self._stop.set()
        if self._own and self._opened is not None:
            self._opened.close()

    def _attempt(self, shard: Shard) -> tuple[State, str]:
        try:
            opened = self._open()
        except Exception as error:  # a worker that can't open the task must say why, not die
            return "refused", self._words(error)
        try:
            self._folder.save(shard.name, opened.compute(shard, Progress(cancel_event=self._stop)))
        except Exception as error:  # one shard must not end the others, whatever is wrong with it
            cancelled = isinstance(error, Cancelled) or self._stop.is_set()
            return ("cancelled" if cancelled else _kind(error)), self._words(error)
        return "done", ""

    def _open(self) -> OpenTask:
        # shards may come from several threads
        with self._lock:
            if self._opened is None:
                opened = self._task.open()
                check_same(opened.identity, self._folder.identity, worker_name())
                self._opened = opened
            return self._opened

    def _words(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        if not isinstance(error, PhenvizError):
            text = f"{type(error).__name__}: {text}" if text else type(error).__name__
        return without_names(text, () if self._opened is None else self._opened.samples)[:_LONGEST_ERROR]


def without_names(text: str, samples: Collection[str]) -> str:
    """Take the names of people out of a message."""
    for name in samples:
        if name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(a person)", text)
    return text


def worker_name() -> str:
    """Name this machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _kind(error: Exception) -> State:
    return "disk full" if is_full(error) else "failed"

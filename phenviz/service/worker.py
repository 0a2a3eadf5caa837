"""One thread that works on what waits: the work with least left goes first, one chunk at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from phenviz.service.shared_task import Work

logger = logging.getLogger(__name__)


class Worker:
    """A thread and the work that waits for it.

    After each chunk the work with the least time left is taken next: a view that needs half a second doesn't
    wait behind attributions of an hour, which go on afterwards. What is patient goes last, however short.

    Parameters
    ----------
    name
        Of the thread.
    step
        Does one chunk of a work, and tells whether the work stays with this worker. Must not raise.
    prepare
        Called in the thread before anything else.
    """

    def __init__(
        self, name: str, step: Callable[[Work], bool], prepare: Callable[[], None] = lambda: None
    ) -> None:
        self._name = name
        self._step = step
        self._prepare = prepare
        self._waiting: list[Work] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting)

    def add(self, work: Work) -> None:
        """Let a work wait for its turn; the thread starts with the first one."""
        with self._changed:
            if self._closed:
                return
            self._waiting.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def remove(self, work: Work) -> None:
        """Take a work out, if it is there."""
        with self._changed:
            if work in self._waiting:
                self._waiting.remove(work)

    def is_current(self) -> bool:
        """Tell whether the caller runs in this worker's thread."""
        return threading.current_thread() is self._thread

    def close(self, timeout: float) -> None:
        """End the thread after the chunk that it is at."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None and not self.is_current():
            self._thread.join(timeout)

    def _run(self) -> None:
        self._prepare()
        while (work := self._next()) is not None:
            try:
                stays = self._step(work)
            except BaseException:
                # a worker that dies would leave all later jobs waiting for ever
                logger.exception("a step of %s wasn't handled", work.request.kind)
                stays = False
            if not stays:
                self.remove(work)
            del work

    def _next(self) -> Work | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            return min(self._waiting, key=lambda work: (work.patient, work.seconds_left))

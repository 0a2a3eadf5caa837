"""A job: one asker's view of work that several may share."""

from __future__ import annotations

import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

import xarray as xr

from phenviz.errors import Cancelled, JobError
from phenviz.service.job_types import Request
from phenviz.service.shared_task import TERMINAL, Finished, State, Work

_SECONDS_BETWEEN_CALLS = 0.1

# a bar that is gone at once is a nuisance
_QUICK = 0.5
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"

logger = logging.getLogger(__name__)


class Job:
    """A computation that was asked for.

    Jobs that ask for the same thing at the same time share the work. Each can be cancelled on its own: the
    work itself stops when the last of them is cancelled.

    Attributes
    ----------
    id
        Name of this job, unique in the process.
    created
        When it was asked for (UTC).
    holder
        Who asked (a session's name), if that was said.
    """

    def __init__(self, work: Work, release: Callable[[Job], bool], holder: str | None = None) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.created = datetime.now(UTC)
        self.holder = holder
        self._work = work
        self._release = release
        self._withdrawn: datetime | None = None
        self._left: Finished | None = None  # when it was left to others
        self._lock = threading.Lock()
        self._watchers: dict[object, Callable[[Job], None]] = {}
        self._told = 0.0

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.kind} {self.state} {self.progress:.0%}>"

    @property
    def key(self) -> str:
        """Content address of the result: equal for jobs that ask for the same thing."""
        return self._work.key

    @property
    def private(self) -> bool:
        """Whether it is about people: kept in memory for its holder only."""
        return self._work.private

    @property
    def request(self) -> Request:
        """What was asked for, checked and complete; its ``title`` and ``address`` say it."""
        return self._work.request

    @property
    def kind(self) -> str:
        """What is computed (``predict``, ``mutagenesis``, ``attribute``, ...)."""
        return self.request.kind

    @property
    def params(self) -> dict[str, Any]:
        """Parameters, checked and complete (``locus`` is a `Locus`, ``contexts`` are short names)."""
        return {field.name: getattr(self.request, field.name) for field in fields(cast(Any, self.request))}

    @property
    def held_bytes(self) -> int:
        """Memory that the result takes, or what there is of it."""
        return self._work.held_bytes

    @property
    def state(self) -> State:
        """``queued``, ``running``, ``done``, ``failed`` or ``cancelled``."""
        return "cancelled" if self._left is not None else self._work.state

    @property
    def over(self) -> bool:
        """Whether the job is done, failed or cancelled."""
        return self.state in TERMINAL

    @property
    def cancelled(self) -> bool:
        """Whether its asker gave it up; the state follows once the batch at hand is through."""
        return self._withdrawn is not None

    @property
    def progress(self) -> float:
        """Fraction of the whole job, 0 to 1."""
        return self._work.progress if self._left is None else self._left.progress

    @property
    def stage(self) -> str:
        """What is being done, in a word or two."""
        return "cancelled" if self.state == "cancelled" else self._work.stage

    @property
    def eta(self) -> float:
        """Seconds of computing left, at the speed observed so far; 0 when the job is over."""
        return 0.0 if self.over else self._work.seconds_left

    @property
    def error(self) -> str | None:
        """What went wrong, in words; None if nothing did."""
        return str(self._work.error) if self._work.error is not None else None

    @property
    def started(self) -> datetime | None:
        """When computing began (UTC)."""
        return self._work.started

    @property
    def finished(self) -> datetime | None:
        """When the job ended in any way (UTC)."""
        return self._withdrawn if self._left is not None else self._work.finished

    @property
    def partials(self) -> tuple[xr.Dataset, ...]:
        """Finished tiles so far, in the order of the genome; kept after a cancel. The result once done."""
        seen = self._left or self._work.look()
        return (seen.result,) if seen.result is not None else (*seen.settled, *seen.tiles)

    def partial_result(self) -> xr.Dataset | None:
        """Join the finished tiles (None without any); attribute ``complete`` is 0 unless the job is done."""
        seen = self._left or self._work.look()
        joined = seen.result if seen.result is not None else seen.buffer.join(seen.tiles)
        return None if joined is None else joined.assign_attrs(complete=int(seen.result is not None))

    def cancel(self) -> None:
        """Give the job up: at once if it waits, within a batch if it runs; others that share it keep it."""
        with self._lock:
            if self._withdrawn is not None or self._work.over:
                return
            self._withdrawn = datetime.now(UTC)
        left = self._work.look()
        if self._release(self):
            self._left = left
        with self._work.changed:
            self._work.changed.notify_all()
        self._tell(at_once=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job is over; tell whether it is."""
        with self._work.changed:
            return self._work.changed.wait_for(lambda: self.over, timeout)

    def _watched(self, timeout: float | None) -> bool:
        """Wait as `wait` does, with a bar in a notebook, and cancel where the wait is interrupted."""
        try:
            if not _in_notebook() or self.wait(_QUICK if timeout is None else min(timeout, _QUICK)):
                return self.wait(timeout)
            from tqdm import tqdm

            with tqdm(total=100, desc=self.kind, bar_format=_BAR) as bar:
                end = None if timeout is None else time.monotonic() + timeout - _QUICK
                while not (over := self.wait(_QUICK)) and (end is None or time.monotonic() < end):
                    bar.set_description(self.stage or self.kind, refresh=False)
                    bar.update(100 * self.progress - bar.n)
            return over
        except KeyboardInterrupt:
            self.cancel()
            raise

    def result(self, timeout: float | None = None) -> xr.Dataset:
        """Wait for the result; interrupting the wait, as of a notebook's cell, cancels the job.

        One that is too long for memory stays in the store: its arrays are read from there chunk by chunk, as
        far as they are looked at (``result.isel(position=slice(1000))``), and are never kept.

        Parameters
        ----------
        timeout
            Longest time to wait, in seconds.

        Raises
        ------
        PhenvizError
            What the job failed with; `Cancelled` if it was cancelled; `JobError` if the time is up.
        """
        if not self._watched(timeout):
            raise JobError(
                f"{self.kind} isn't finished after {timeout:g} s ({self.progress:.0%} done): wait longer"
            )
        if self.state == "cancelled":
            raise Cancelled(f"this {self.kind} was cancelled; partial_result() has what was finished")
        if self._work.error is not None:
            raise self._work.error.with_traceback(None)
        result = self._work.result
        if result is None:
            raise JobError(f"this {self.kind} is private and went with its session: ask for it again")
        # a copy of the frame, not of the numbers: attributes that one user sets are no other user's business
        return result.copy(deep=False)

    def subscribe(self, callback: Callable[[Job], None]) -> Callable[[], None]:
        """Have a function called as ``callback(job)`` when something changed; returns how to end that.

        It is called from threads of the service (or from the one that cancels), about ten times a second at
        most, and always when the job is over. What it raises is logged and hurts nobody.
        """
        token = object()
        with self._lock:
            over = self.over
            if not over:
                self._watchers[token] = callback
        if over:
            self._call(callback)

        def unsubscribe() -> None:
            with self._lock:
                self._watchers.pop(token, None)

        return unsubscribe

    def _tell(self, at_once: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            if not at_once and now - self._told < _SECONDS_BETWEEN_CALLS:
                return
            self._told = now
            callbacks = tuple(self._watchers.values())
            if self.over:
                # nothing follows, and the job may be remembered for much longer than who watched it
                self._watchers.clear()
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[Job], None]) -> None:
        try:
            callback(self)
        except Exception:
            logger.exception("a subscriber of job %s failed", self.id)


def _in_notebook() -> bool:
    """Tell whether a notebook's kernel waits, without importing what isn't there."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell" and (
        threading.current_thread() is threading.main_thread()
    )

"""What a server takes from its users: the largest file, jobs at a time, memory; the one place of all."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import panel as pn

from phenviz.data.cache import MEMORY
from phenviz.errors import DataError, JobError

if TYPE_CHECKING:
    from phenviz.service import Job, ModelService, Request

# what says each where `phenviz serve` has no option for it
VARIABLES = {
    "upload": "PHENVIZ_MAX_UPLOAD",
    "jobs": "PHENVIZ_MAX_JOBS",
    "memory": "PHENVIZ_MAX_MEMORY",
}
# less is a unit that was forgotten
_LEAST_BYTES = 2**20
_MOST_JOBS = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server.

    Parameters
    ----------
    upload
        Bytes of one file from a browser; tables of hypotheses are smaller yet.
    jobs
        Jobs that one user may have waiting or running: who has logged in, or without a login one tab.
    memory
        Bytes of what is kept of results and of predicted activity, for all users together.
    """

    upload: int = 512 * 2**20
    jobs: int = 64
    memory: int = 2 * 2**30


def read_limits(upload: str | None = None, jobs: str | None = None, memory: str | None = None) -> Limits:
    """Read limits as they are written by an administrator: ``2GB``, ``8``, ``512 MiB``.

    Parameters
    ----------
    upload, jobs, memory
        As in `Limits`; by default what the environment says (`VARIABLES`), else the usual.

    Raises
    ------
    DataError
        If one makes no sense; names the option, or the variable.
    """
    given = {"upload": upload, "jobs": jobs, "memory": memory}
    found = {}
    for name, variable in VARIABLES.items():
        text = given[name] if given[name] is not None else os.environ.get(variable, "").strip() or None
        if text is not None:
            where = f"--max-{name}" if given[name] is not None else f"environment variable {variable}"
            found[name] = (_count if name == "jobs" else _size)(text, where)
    return Limits(**found)


def _size(text: str, where: str) -> int:
    from phenviz.service.store import parse_size

    try:
        size = parse_size(text)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    if size < _LEAST_BYTES:
        raise DataError(f"{where}: {text!r} is less than 1 MiB: write its unit, as 500MB or 4GiB")
    return size


def _count(text: str, where: str) -> int:
    if not (text.strip().isdecimal() and 1 <= int(text) <= _MOST_JOBS):
        raise DataError(
            f"{where}: {text!r} is no number of jobs: write a whole number from 1 to {_MOST_JOBS:,}"
        )
    return int(text)


class _Asked:
    """Stands for a job until the service has made it."""

    over = False


class _Keeper:
    """Keeps the limits of a process."""

    def __init__(self) -> None:
        self.limits = Limits()
        self._lock = threading.Lock()
        # the service holds jobs that aren't over; nothing else of a user shall outlive the session
        self._jobs: dict[str, WeakSet[Job | _Asked]] = {}

    def set(self, limits: Limits) -> None:
        """Go by other limits from now on."""
        self.limits = limits
        MEMORY.limit = limits.memory

    def submit(self, user: str, service: ModelService, kind: str | Request, /, **params: Any) -> Job:
        """Ask a service for a job, as its own `submit` does, in the name of a user.

        Parameters
        ----------
        user
            As `current_user` says; "" isn't limited.
        service, kind, **params
            See `phenviz.service.ModelService.submit`.

        Raises
        ------
        JobError
            If the user has as many already as one may have.
        """
        if not user:
            return service.submit(kind, **params)
        asked = _Asked()
        with self._lock:
            self._jobs = {name: own for name, own in self._jobs.items() if _live(own)}
            mine = self._jobs.setdefault(user, WeakSet())
            if (live := _live(mine)) >= self.limits.jobs:
                raise JobError(
                    f"{live} jobs of yours are waiting or running, and this server takes no more from "
                    "one user at a time: wait until one is done, or cancel one"
                )
            mine.add(asked)
        try:
            job = service.submit(kind, **params)
            with self._lock:
                self._jobs.setdefault(user, WeakSet()).add(job)
            return job
        finally:
            with self._lock:
                mine.discard(asked)


def _live(jobs: WeakSet[Job | _Asked]) -> int:
    return sum(not job.over for job in jobs)


KEEPER = _Keeper()


def current_user() -> str:
    """Return who asks: the name that was logged in with, else the tab; "" outside of a browser."""
    document = pn.state.curdoc
    context = document.session_context if document is not None else None
    return (pn.state.user or str(context.id)) if context is not None else ""

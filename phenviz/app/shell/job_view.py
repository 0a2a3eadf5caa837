"""What is done for one thing on screen: files being read, then one or several jobs of the service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import param

from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.session import words_of
from phenviz.errors import Cancelled, JobError
from phenviz.progress import Progress, fraction_of

if TYPE_CHECKING:
    from phenviz.app.shell.runtime import Runtime
    from phenviz.service import Job

LOG = logging.getLogger("phenviz.app")
ENDED = ("done", "failed", "cancelled")
RESULT = "result"
_SECONDS_BETWEEN_PARTIALS = 1.0
# Reading and drawing what there is of a megabase takes a moment, in which the page can't do anything else: it
# gets a tenth of the time at most.
_REST = 9.0


class JobView(param.Parameterized):
    """State, progress and results of what a session asked for, whatever it is done by.

    Attributes
    ----------
    jobs
        Jobs that are followed, by the name of what they find.
    found
        What is there: handed out by whoever reads, and results of jobs (of one that isn't done, the part that
        is there, where that was asked for).
    """

    dataset = param.Parameter(doc="What the job called `RESULT` has found.")
    changed = param.Integer(default=0, doc="Counts up when there is anything new to show.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._clear()

    def _clear(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.found: dict[str, Any] = {}
        self._version = 0
        self._with_parts: set[str] = set()
        self._seen: dict[str, int] = {}
        self._looked_at, self._rest = 0.0, _SECONDS_BETWEEN_PARTIALS
        self._told: tuple[Any, ...] = ()
        self._reading: Future[None] | None = None
        self._reader, self._stage, self._read, self._error = "done", "", 0.0, ""
        self._cancel = threading.Event()
        self._steps = 1

    # what it is

    @property
    def _states(self) -> list[str]:
        reader = [self._reader] if self._reading is not None else []
        return [*reader, *(job.state for job in self.jobs.values())]

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return all(state in ENDED for state in self._states)

    @property
    def state(self) -> str:
        """``empty``, ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``, all taken together."""
        states = self._states
        if not states:
            return "empty"
        if self.over:
            return next((state for state in ("failed", "cancelled") if state in states), "done")
        return "queued" if set(states) == {"queued"} else "running"

    @property
    def busy(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    @property
    def stage(self) -> str:
        """What is being done, in a word or two."""
        if self._reading is not None and self._reader not in ENDED:
            return self._stage
        return next((job.stage for job in self.jobs.values() if not job.over), self.state)

    @property
    def progress(self) -> float:
        """Fraction of the whole, 0 to 1."""
        if self.state == "done":
            return 1.0
        read = self._read if self._reading is not None else 0.0
        return min((read + sum(job.progress for job in self.jobs.values())) / self._steps, 1.0)

    @property
    def eta(self) -> float:
        """Seconds of computing left, as far as that is known."""
        return sum(job.eta for job in self.jobs.values())

    @property
    def error(self) -> str:
        """What went wrong, in words; "" if nothing did."""
        return self._error or next((job.error for job in self.jobs.values() if job.error), "")

    # what is done with it

    def attach(self, name: str, job: Job, *, parts: bool = False) -> None:
        """Show a job, too; may be called while reading.

        Parameters
        ----------
        name
            What its result is called in `found`.
        job
            The job.
        parts
            Whether what is finished of it is shown before the end.
        """
        if parts:
            self._with_parts.add(name)
        self.jobs = self.jobs | {name: job}
        if self._cancel.is_set():
            job.cancel()

    def read(
        self,
        plan: Callable[[JobView, Progress], None],
        executor: Executor,
        *,
        jobs: int = 0,
        stages: Mapping[str, float] | None = None,
    ) -> JobView:
        """Do in a thread what needs no model, such as reading a file; and ask for the jobs that follow.

        Parameters
        ----------
        plan
            ``plan(view, progress)``: does it; calls `add` and `attach`.
        executor
            Gives the thread.
        jobs
            How many jobs will follow.
        stages
            Relative length of the stages that are reported.
        """
        self._steps, self._reader, self._stage = 1 + jobs, "queued", "waiting"

        def report(stage: str, fraction: float) -> None:
            self._stage = stage
            self._read = max(self._read, fraction_of(stages or {}, stage, fraction))

        def run() -> None:
            self._reader = "running"
            try:
                plan(self, Progress(on_change=report, cancel_event=self._cancel))
            except Cancelled:
                self._reader = "cancelled"
            except Exception as error:
                self._error, self._reader = words_of(error), "failed"
            else:
                self._read, self._reader = 1.0, "done"

        self._reading = executor.submit(run)
        return self

    def add(self, name: str, value: Any) -> None:
        """Hand something out."""
        self.found = self.found | {name: value}
        self._version += 1
        if name == RESULT:
            # what watches it draws it, before this returns
            self.dataset = value

    def cancel(self) -> None:
        """Stop; what is finished stays."""
        self._cancel.set()
        if self._reading is not None and self._reading.cancel():
            self._reader = "cancelled"
        for job in self.jobs.values():
            job.cancel()

    def forget(self) -> None:
        """Let go of everything; what runs for others, or is to be found again, goes on."""
        self._clear()
        with param.parameterized.discard_events(self):
            self.dataset = None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all has ended; tell whether it has."""
        try:
            if self._reading is not None:
                self._reading.result(timeout)
        except Exception:
            LOG.debug("reading didn't end well", exc_info=True)
        return all(job.wait(timeout) for job in list(self.jobs.values()))

    def tick(self) -> bool:
        """Look at it, and tell whether anything is new; called a few times a second."""
        for name, job in self.jobs.items():
            self._take(name, job)
        now = (
            tuple(self.jobs.values()), self.state, self.stage, round(self.progress, 4), round(self.eta),
            self._version,
        )  # fmt: skip
        if now == self._told:
            return False
        self._told = now
        self.changed += 1
        return True

    def _take(self, name: str, job: Job) -> None:
        """Take what a job has found since the last look, but of parts not more than there is time for."""
        if job.state == "done":
            if self._seen.get(name) != -1:
                self._seen[name] = -1
                self.add(name, job.result())
            return
        if name not in self._with_parts:
            return
        count, began = len(job.partials), time.monotonic()
        if count > self._seen.get(name, 0) and (began - self._looked_at > self._rest or job.over):
            self._seen[name] = count
            self.add(name, job.partial_result())
            self._looked_at = time.monotonic()
            self._rest = max(_SECONDS_BETWEEN_PARTIALS, _REST * (self._looked_at - began))


def fetch_packs(names: Sequence[str], executor: Executor) -> JobView:
    """Fetch data packs in a thread, with progress."""
    from phenviz.data.packs import fetch_pack, find_pack

    def fetch(view: JobView, progress: Progress) -> None:
        for name in names:
            fetch_pack(name, progress=progress)

    stages = {f"fetching {name}": float(find_pack(name).bytes) for name in names}
    return JobView().read(fetch, executor, stages=stages)


class PrivateJobs:
    """Jobs about people that one page asks for: kept in memory for it alone, and forgotten with it.

    Parameters
    ----------
    runtime
        Gives the service.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._holder, self._user = uuid4().hex, current_user()
        self._closed = False

    def submit(self, kind: str, **params: Any) -> Job:
        """Ask the service, see `phenviz.service.ModelService.submit`; may be called from any thread."""
        service = self._runtime.service
        if service is None:
            raise JobError("the model is still being loaded: try again in a few seconds")
        job = KEEPER.submit(self._user, service, kind, holder=self._holder, private=True, **params)
        if self._closed:
            # the page went while a thread of it was still reading
            self.forget()
        return job

    def forget(self) -> None:
        """Forget all of them until now."""
        if self._runtime.service is not None:
            self._runtime.service.forget(self._holder)

    def close(self) -> None:
        """Forget all of them, and those that are still asked for."""
        self._closed = True
        self.forget()

"""The runs of one session: which were started, which is on screen, and what it has found so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import param

from phenviz.app.shell.formatting import readable_share
from phenviz.app.shell.job_view import RESULT, JobView
from phenviz.app.shell.limits import KEEPER, current_user
from phenviz.app.shell.session import words_of
from phenviz.app.shell.state import ExploreState
from phenviz.errors import JobError, MemoryLimitError, PhenvizError

if TYPE_CHECKING:
    from phenviz.genome.locus import Locus
    from phenviz.service import Estimate, Job, ModelService
    from phenviz.service.explained import Explained


# results of older runs that a tab holds; beyond, they are found in the store again
_HELD_BYTES = 2**28


@dataclass(frozen=True)
class LetGo:
    """What the list of runs says of a job whose result isn't held any more."""

    id: str
    state: str = "done"
    progress: float = 1.0
    over: bool = True


@dataclass(frozen=True, eq=False)
class Run:
    """One job of the service as this session sees it."""

    request: Explained
    job: Job | LetGo

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will come."""
        return self.job.over


class Runs(JobView):
    """Starts, watches, cancels and reopens runs; what is followed is the one on screen.

    Jobs live in the process-wide service and go on when the tab is closed; here are only references.

    Parameters
    ----------
    state
        Its ``shown`` request is set by what is started or reopened.
    service
        Returns the model service, or None while the model is loading.
    """

    current = param.ClassSelector(class_=Run, doc="The run on screen.")
    motifs = param.List(default=[], doc="Known motifs in the result on screen (`MotifMatch`).")
    all = param.List(default=[], item_type=Run, doc="All runs of this session, newest first.")

    def __init__(self, state: ExploreState, service: Callable[[], ModelService | None]) -> None:
        super().__init__()
        self._state = state
        self._service = service
        self._holder: str | None = None
        self._user = current_user()

    @property
    def partial(self) -> bool:
        """Tell whether the result on screen is only a part."""
        return self.dataset is not None and self.current is not None and self.current.job.state != "done"

    def estimate(self, request: Explained) -> Estimate:
        """Return what a request will cost; raises a `PhenvizError` if it would be refused."""
        service = self._ready()
        estimate = service.estimate(request)
        from phenviz.service.device import free_bytes

        free = free_bytes(service.device)
        if estimate.stored < 1 and estimate.bytes > free:
            raise MemoryLimitError(
                f"this run needs about {estimate.bytes / 1e9:.0f} GB of memory, and "
                f"{free / 1e9:.0f} GB are free: zoom in, or tick fewer contexts"
            )
        return estimate

    def start(self, request: Explained) -> Run:
        """Ask the service for a run and show it."""
        run = Run(request, KEEPER.submit(self._user, self._ready(), request, holder=self._holder))
        again = [other for other in self.all if isinstance(other.job, LetGo) and other.request == run.request]
        others = [other for other in self.all if other.job is not run.job and other not in again]
        self.all = [run, *others]
        self.show(run)
        return run

    def open(self, run: Run) -> str | None:
        """Put a run of the list on screen; what it has found may be in the store only, as after `restore`.

        Returns
        -------
        str or None
            Why it isn't shown, in words.
        """
        if not isinstance(run.job, LetGo):
            self.show(run)
            return None
        self.hide()
        self._state.shown = run.request
        return self.restore()

    def adopt(self, holder: str) -> None:
        """List the jobs that this tab asked for before it was reloaded, and ask in its name from now on."""
        self._holder = holder
        self.remember()

    def remember(self) -> None:
        """List the jobs of this tab that aren't listed yet; does nothing before the model is loaded.

        One that goes on in view is shown, unless the address names a run.
        """
        service = self._service()
        if service is None or self._holder is None:
            return
        from phenviz.service.explained import Explained

        known = {run.job.id for run in self.all}
        jobs = [job for job in service.jobs if job.holder == self._holder and job.id not in known]
        # those that a user asks for by hand have an address
        older = [(job.request, job) for job in jobs if job.request.address]
        by_hand = [Run(request, job) for request, job in older if isinstance(request, Explained)]
        self.all = [*self.all, *by_hand]
        if self.current is None and self._state.shown is None:
            going_on = [run for run in by_hand if not run.job.over and _in_view(run, self._state.locus)]
            if going_on:
                self.show(going_on[0])

    def show(self, run: Run) -> None:
        """Put a run on screen: its result if it has ended, its progress otherwise."""
        assert not isinstance(run.job, LetGo)  # `open` finds its result again
        self._clear()
        self.param.update(current=run, dataset=None)
        self._state.shown = run.request
        self.attach(RESULT, run.job, parts=True)
        self.tick()
        self._let_go()

    def hide(self) -> None:
        """Take the run off the screen; it goes on."""
        self._clear()
        self._state.shown = None
        self.param.update(current=None, dataset=None, changed=self.changed + 1)

    def cancel(self) -> None:
        """Stop the current run; what is finished stays."""
        if self.busy:
            super().cancel()
            self.tick()

    def restore(self) -> str | None:
        """Show the run that the address names, if this tab has asked for it or its result is still kept.

        Returns
        -------
        str or None
            Why it isn't shown, in words.
        """
        request = self._state.shown
        if request is None or (self.current is not None and self.current.request == request):
            return None
        for run in self.all:
            # after a reload, or on the way back: it may still be running
            if run.request == request and not isinstance(run.job, LetGo):
                self.show(run)
                return None
        try:
            stored = self.estimate(request).stored
            if stored >= 1:
                self.start(request)
                return None
        except PhenvizError as error:
            return words_of(error)
        if stored > 0:
            return (
                f"{readable_share(stored)} of the run of this address is kept: press Run to go on from there."
            )
        return "The result of this address isn't kept any more: press Run to compute it again."

    def drop(self) -> None:
        """Let go of everything large, without telling the page, which is being taken down."""
        self.forget()
        with param.parameterized.discard_events(self):
            self.param.update(current=None, all=[])

    def _let_go(self) -> None:
        """Hold no more than so many bytes of runs that aren't on screen: a tab may stay open for weeks."""
        held, runs = 0, []
        for run in self.all:
            if run is not self.current and run.job.state == "done" and not isinstance(run.job, LetGo):
                held += run.job.held_bytes
                if held > _HELD_BYTES:
                    run = Run(run.request, LetGo(run.job.id))
            runs.append(run)
        self.all = runs

    def _ready(self) -> ModelService:
        service = self._service()
        if service is None:
            raise JobError("the model is still being loaded: try again in a few seconds")
        return service


def _in_view(run: Run, view: Locus | None) -> bool:
    locus = run.request.locus
    return view is not None and locus is not None and locus.overlaps(view)

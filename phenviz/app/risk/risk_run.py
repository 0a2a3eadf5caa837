"""What is computed on the Risk page: the scores of one person, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import param
import xarray as xr

from phenviz.app.individual.genotype_sources import WORLD, People
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.job_view import RESULT, JobView, PrivateJobs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.session import words_of
from phenviz.errors import JobError

if TYPE_CHECKING:
    from phenviz.disease.cohort.saved import RiskModel
    from phenviz.progress import Progress

# a longer run waits to be asked for
_AT_ONCE_SECONDS = 30.0
_COST = "seconds"


class RiskRun(param.Parameterized):
    """Follows the state: scores the person that is chosen, for all traits at once.

    Parameters
    ----------
    state
        Whose scores.
    runtime
        World, models and threads.
    people
        Says where genotypes lie.
    """

    changed = param.Integer(default=0, doc="Counts up when there is anything new to show.")
    nobody = param.String(default="", doc="Why nobody is shown, in words: never somebody else instead.")

    def __init__(self, state: RiskState, runtime: Runtime, people: People) -> None:
        super().__init__()
        self._state, self._runtime, self._people = state, runtime, people
        self._jobs = PrivateJobs(runtime)
        self._asked: tuple[str, str] | None = None
        self._read = False
        self.work: JobView | None = None

    @property
    def model(self) -> RiskModel | None:
        """The risk model; None while it is being read, and where there is none."""
        reading = self._runtime.risk_model()
        return reading.result() if reading.done() and reading.exception() is None else None

    @property
    def status(self) -> str:
        """``loading``, ``no model``, ``empty``, ``waiting`` (to be asked for), or the computation's state."""
        reading, work = self._runtime.risk_model(), self.work
        if reading.done() and reading.exception() is None and reading.result() is None:
            return "no model"
        if self._runtime.failure is not None or (reading.done() and reading.exception() is not None):
            return "failed"
        if not reading.done() or self._runtime.service is None:
            return "loading"
        if not self._state.sample or self.nobody:
            return "empty"
        if work is None:
            return "loading"
        return "waiting" if work.state == "done" and not work.jobs else work.state

    @property
    def error(self) -> str:
        """What went wrong, in words."""
        reading = self._runtime.risk_model()
        failure = self._runtime.failure or (reading.exception() if reading.done() else None)
        if failure is not None:
            return words_of(failure)
        return self._people.in_words(self.work.error) if self.work is not None else ""

    @property
    def seconds(self) -> float:
        """What a run costs, as far as it has been estimated."""
        return float(self.work.found.get(_COST, 0.0)) if self.work is not None else 0.0

    @property
    def result(self) -> xr.Dataset | None:
        """Scores of the person that is chosen; None until they are there."""
        return self.work.found.get(RESULT) if self.work is not None and not self.nobody else None

    def ask(self) -> None:
        """Score the person that the state names, unless that is there or on its way."""
        wanted = (self._state.source, self._state.sample)
        if not wanted[1] or self.nobody:
            self._forget()
        elif self.model is not None and self._runtime.service is not None and wanted != self._asked:
            self._forget()
            self._start(wanted, confirmed=False)
        self.changed += 1

    def start(self) -> None:
        """Score the person, whatever it costs; also anew, after a failure or a cancel."""
        self._forget()
        self._start((self._state.source, self._state.sample), confirmed=True)
        self.changed += 1

    def cancel(self) -> None:
        """Stop."""
        if self.work is not None and not self.work.over:
            self.work.cancel()

    def tick(self) -> None:
        """Look at the computation; called a few times a second."""
        if not self._read and self._runtime.risk_model().done():
            self._read = True
            self.changed += 1
        if self._asked is None and self._state.sample and not self.nobody and self.model is not None:
            if self._runtime.service is not None:
                self.ask()
        if self.work is not None and self.work.tick():
            self.changed += 1

    def close(self) -> None:
        """Let go of everything."""
        self._forget()
        self._jobs.close()

    def _forget(self) -> None:
        self.cancel()
        self._asked = self.work = None
        self._jobs.forget()

    def _start(self, asked: tuple[str, str], *, confirmed: bool) -> None:
        self._asked = asked
        self.work = JobView().read(
            lambda view, progress: self._plan(asked, confirmed, view, progress),
            self._runtime.personal,
            jobs=1,
        )

    def _plan(self, asked: tuple[str, str], confirmed: bool, view: JobView, progress: Progress) -> None:
        progress.stage("reading genotypes")
        service, (source, sample) = self._runtime.service, asked
        if service is None:
            raise JobError("the model is still being loaded: try again in a few seconds")
        path = None
        if source != WORLD:
            path = self._people.individual(source, sample).individuals.paths[0]
        how: dict[str, Any] = {"samples": [sample], "individuals": path}
        seconds = service.estimate("risk", **how).seconds
        view.add(_COST, seconds)
        if confirmed or seconds <= _AT_ONCE_SECONDS:
            view.attach(RESULT, self._jobs.submit("risk", **how))

"""A computation of one session that leaves no trace: nothing of it goes into the result store on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from phenviz.app.session import words_of
from phenviz.errors import Cancelled
from phenviz.progress import Progress

LOG = logging.getLogger("phenviz.app")
ENDED = ("done", "failed", "cancelled")


class Computation:
    """Work on personal genomes, with progress and cancel, whose results live as long as the session.

    What is learnt about a person must not outlast the tab, so this doesn't go through the model service,
    which keeps results for all.

    Parameters
    ----------
    compute
        ``compute(progress, tell)``: does the work; ``tell(name, value)`` hands out what is finished.
    stages
        Relative length of each stage that the work reports, in their order.
    executor
        Where it runs.

    Attributes
    ----------
    state
        ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
    found
        What has been handed out so far.
    """

    def __init__(
        self,
        compute: Callable[[Progress, Callable[[str, Any], None]], None],
        stages: Mapping[str, float],
        executor: Executor,
    ) -> None:
        self.state, self.stage, self.error = "queued", "waiting", ""
        self.progress = 0.0
        self.found: dict[str, Any] = {}
        self.version = 0
        self._stages = dict(stages)
        self._cancel = threading.Event()
        self._began = time.monotonic()
        self._future = executor.submit(self._run, compute)

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    @property
    def eta(self) -> float:
        """Seconds left, as far as the time so far tells; 0 while that is little."""
        if self.over or self.progress < 0.05:
            return 0.0
        return (time.monotonic() - self._began) * (1 - self.progress) / self.progress

    def cancel(self) -> None:
        """Stop at the next batch; what was handed out stays."""
        self._cancel.set()
        if self._future.cancel():
            self.state = "cancelled"

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work has ended; tell whether it has."""
        try:
            self._future.result(timeout)
        except Exception:
            LOG.debug("a computation didn't end well", exc_info=True)
        return self.over

    def _run(self, compute: Callable[[Progress, Callable[[str, Any], None]], None]) -> None:
        self.state, self._began = "running", time.monotonic()
        progress = Progress(on_change=self._report, cancel_event=self._cancel)
        try:
            compute(progress, self.add)
        except Cancelled:
            self.state = "cancelled"
        except Exception as error:
            self.error = words_of(error)
            self.state = "failed"
        else:
            self.progress, self.state = 1.0, "done"

    def add(self, name: str, value: Any) -> None:
        """Hand something out."""
        self.found = self.found | {name: value}
        self.version += 1

    def _report(self, stage: str, fraction: float) -> None:
        self.stage = stage
        if stage not in self._stages:
            return
        names = list(self._stages)
        before = sum(self._stages[name] for name in names[: names.index(stage)])
        done = (before + fraction * self._stages[stage]) / sum(self._stages.values())
        self.progress = max(self.progress, min(done, 1.0))

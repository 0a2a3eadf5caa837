"""How a long computation reports where it is, and learns that it should stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from phenviz.errors import Cancelled

if TYPE_CHECKING:
    import xarray as xr


class Progress:
    """Stage, fraction done and partial results of one computation; and the wish to cancel it.

    A computation calls :meth:`stage` once for each part of its work and :meth:`advance` after each
    batch. Whoever watches passes callbacks; a computation that nobody watches gets `NO_PROGRESS`.

    Parameters
    ----------
    on_change
        Called as ``on_change(stage, fraction)`` after each stage and batch; ``fraction`` is of the stage.
    on_partial
        Called with each finished part of the result (a Dataset of the result's own schema).
    cancel_event
        When set, the next :meth:`advance` or :meth:`check` raises `Cancelled`.
    """

    def __init__(
        self,
        on_change: Callable[[str, float], None] | None = None,
        on_partial: Callable[[xr.Dataset], None] | None = None,
        cancel_event: threading.Event | None = None,
    ) -> None:
        self._on_change = on_change
        self._on_partial = on_partial
        self._cancel_event = cancel_event
        self._name = ""
        self._total = 1.0
        self._done = 0.0

    def stage(self, name: str, total: float = 1.0) -> None:
        """Begin a part of the work that takes ``total`` units (bases, batches, genes...)."""
        self.check()
        self._name, self._total, self._done = name, max(float(total), 1e-12), 0.0
        self._report()

    def advance(self, amount: float = 1.0) -> None:
        """Add finished units; raise `Cancelled` if the user asked to stop."""
        self._done += amount
        self._report()
        self.check()

    def partial(self, dataset: xr.Dataset) -> None:
        """Hand out a finished part of the result."""
        if self._on_partial is not None:
            self._on_partial(dataset)

    def without_partials(self) -> Progress:
        """Return the same for a step whose partial results aren't those of the whole computation."""
        return Progress(self._on_change, None, self._cancel_event)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        if self._cancel_event is not None and self._cancel_event.is_set():
            raise Cancelled(
                f"cancelled during '{self._name or 'start'}'; nothing was lost that had been finished"
            )

    def _report(self) -> None:
        if self._on_change is not None:
            self._on_change(self._name, min(self._done / self._total, 1.0))


NO_PROGRESS = Progress()


def fraction_of(stages: Mapping[str, float], stage: str, done: float) -> float:
    """Turn the fraction of one stage that is done into that of all.

    Parameters
    ----------
    stages
        Relative length of each stage, in their order; none where there is one only.
    stage
        The present one; 0 is done where it isn't among several.
    done
        Fraction of it, 0 to 1.
    """
    if stage not in stages:
        return 0.0 if stages else done
    names = list(stages)
    before = sum(stages[name] for name in names[: names.index(stage)])
    return (before + done * stages[stage]) / sum(stages.values())

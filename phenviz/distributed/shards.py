"""What long work is made of: a task that every worker opens once, and shards that it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import xarray as xr

    from phenviz.progress import Progress

# what became of a shard; after the last three nothing more is begun
State = Literal["done", "failed", "cancelled", "refused", "disk full"]


@dataclass(frozen=True, eq=False)
class Shard:
    """A part of long work that needs no other one.

    Parameters
    ----------
    name
        The same on every run, and the name of its file; says nothing about who the people are.
    content
        What the task computes it from: small, and picklable.
    units
        Its work, in any unit that is the same for all shards.
    """

    name: str
    content: Any
    units: float = 1.0


class OpenTask(Protocol):
    """A task with its world and models, in one process."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What the results depend on, as this process has it; see `identity_of`."""

    @property
    def samples(self) -> tuple[str, ...]:
        """Names that must not stand in a log."""

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Compute a shard; stop by `Cancelled` when ``progress.check`` says so, or after `close`."""

    def close(self) -> None:
        """End what runs, and let go of the models."""


class Task(Protocol):
    """What is to be computed: small and picklable, such as paths and options."""

    def open(self) -> OpenTask:
        """Load world and models."""


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt at a shard; a row of the manifest.

    Parameters
    ----------
    shard, units
        Of the `Shard`.
    state
        What became of it.
    seconds
        Time that it took.
    worker
        Machine and process.
    error
        What went wrong, without names of people.
    attempts
        How often it was begun.
    """

    shard: str
    units: float
    state: State
    seconds: float
    worker: str
    error: str = ""
    attempts: int = 1


@dataclass
class RunSummary:
    """What a run did.

    Parameters
    ----------
    total
        Shards of this run.
    resumed
        That an earlier run, or another process, had finished.
    computed
        That were computed now.
    set_aside
        That failed on every attempt.
    """

    total: int = 0
    resumed: int = 0
    computed: int = 0
    set_aside: list[Attempt] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all shards of this run are there."""
        return self.resumed + self.computed == self.total

    def reasons(self) -> dict[str, int]:
        """Count the shards that were set aside by what went wrong."""
        found: dict[str, int] = {}
        for outcome in self.set_aside:
            found[outcome.error] = found.get(outcome.error, 0) + 1
        return found

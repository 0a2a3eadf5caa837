"""Compute shards: each once, wherever there is room, whatever happens to a worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phenviz.distributed.shard_worker import ShardWorker
from phenviz.distributed.shards import Attempt, RunSummary, Shard
from phenviz.errors import Cancelled, JobError
from phenviz.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from distributed import Client

    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.distributed.shards import OpenTask, Task

TRIES = 3
_GO_ON = "finished shards are kept, and the same command goes on"


def run(
    shards: Sequence[Shard],
    task: Task,
    client: Client | None = None,
    *,
    folder: ShardFolder,
    opened: OpenTask | None = None,
    tries: int = TRIES,
    progress: Progress = NO_PROGRESS,
) -> RunSummary:
    """Compute the shards that aren't finished yet.

    Parameters
    ----------
    shards
        All of them, or those that are this process's.
    task
        What computes them.
    client
        Of a Dask cluster; None for this process.
    folder
        Where they are kept. What is finished there isn't computed again.
    opened
        The task as it is open in this process, if it is.
    tries
        How often a shard is begun before it is set aside, with its error in the manifest.
    progress
        Advances with each shard, in its units; the stage says how many, how fast, and what failed.

    Returns
    -------
    RunSummary
        What was done. Shards that were set aside don't raise.

    Raises
    ------
    JobError
        If a worker has other versions, models or inputs, the disk is full, or the scheduler is lost.
    Cancelled
        If the user asked to stop. Finished shards are kept in any case.
    """
    folder.prepare()
    there = folder.done()
    missing = [shard for shard in shards if shard.name not in there]
    tally = _Tally(RunSummary(len(shards), len(shards) - len(missing)), missing, folder, tries, progress)
    if not missing:
        return tally.summary
    tally.show()
    if client is None:
        session = ShardWorker(task, folder, opened)
        try:
            for shard in missing:
                while tally.again(shard, session.compute(shard)):
                    pass
        finally:
            session.stop()
    else:
        from phenviz.distributed.cluster import compute_on

        compute_on(client, missing, task, folder, tally.again, tally.progress.check)
    return tally.summary


class _Tally:
    """Counts outcomes, decides what is tried again, and tells the user."""

    def __init__(
        self,
        summary: RunSummary,
        missing: Sequence[Shard],
        folder: ShardFolder,
        tries: int,
        progress: Progress,
    ) -> None:
        self.summary, self.progress = summary, progress
        self._folder, self._tries = folder, tries
        self._attempts: dict[str, int] = {}
        self._units, self._done_units = sum(shard.units for shard in missing), 0.0
        self._begun = time.monotonic()

    def again(self, shard: Shard, outcome: Attempt) -> bool:
        """Note what became of a shard; tell whether it is to be begun again."""
        if outcome.state == "cancelled":
            raise Cancelled(f"cancelled; {_GO_ON}")
        if outcome.state == "refused":
            raise JobError(f"{outcome.error}; {_GO_ON}")
        if outcome.state == "disk full":
            raise JobError(
                f"no room is left in {self._folder.place} on {outcome.worker}: free some; {_GO_ON}"
            )
        if outcome.state == "done":
            self.summary.computed += 1
        else:
            count = self._attempts[shard.name] = self._attempts.get(shard.name, 0) + outcome.attempts
            if count < self._tries:
                return True
            aside = replace(outcome, attempts=count)
            self._folder.record(aside)
            self.summary.set_aside.append(aside)
        self._done_units += shard.units
        self.show()
        return False

    def show(self) -> None:
        summary = self.summary
        minutes = (time.monotonic() - self._begun) / 60
        told = f"shard {summary.resumed + summary.computed:,} of {summary.total:,}"
        if summary.computed:
            told += f", {summary.computed / minutes:.3g} a minute"
        if summary.set_aside:
            reasons = "; ".join(f"{count:,} x {why[:60]}" for why, count in summary.reasons().items())
            told += f", {len(summary.set_aside):,} set aside ({reasons})"
        self.progress.stage(told, self._units)
        self.progress.advance(self._done_units)

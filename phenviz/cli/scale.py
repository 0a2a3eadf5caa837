"""Commands whose work is cut into shards: ``--scheduler``, ``--shard K/N``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from phenviz.cli.common import progress_bar
from phenviz.distributed.shards import OpenTask

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from phenviz.disease.cohort.folder import Cohort
    from phenviz.distributed import RunSummary, Shard, ShardFolder, Task
    from phenviz.progress import Progress
    from phenviz.service.cohort_embedding import Embedded
    from phenviz.world import World

_Joined = TypeVar("_Joined")


class ResultTask(OpenTask, Protocol):
    """An open task whose shards make one result."""

    def shards(self, folder: ShardFolder) -> list[Shard]:
        """Cut the work."""

    def join(
        self, shards: Sequence[Shard], folder: ShardFolder, output: Path, progress: Progress
    ) -> tuple[xr.Dataset, tuple[Path, ...]]:
        """Put finished shards together, and write them."""


@dataclass(frozen=True)
class Sharding:
    """What the options of a command ask for.

    Parameters
    ----------
    scheduler
        Who computes.
    shard
        Which of how many processes this is; None if it is the only one.
    shards_at
        Where unfinished work is kept; None beside the output.
    """

    scheduler: str = "none"
    shard: tuple[int, int] | None = None
    shards_at: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether the work is to be cut into shards at all."""
        return self.scheduler != "none" or self.shard is not None or self.shards_at is not None

    def place(self, output: Path) -> str:
        """Return where the shards are kept, as all workers see it."""
        if self.shards_at is not None:
            return self.shards_at if "://" in self.shards_at else str(Path(self.shards_at).absolute())
        return str(output.absolute().with_name(f"{output.name}.shards"))


def compute_shards(
    task: Task,
    opened: OpenTask,
    shards: Sequence[Shard],
    folder: ShardFolder,
    scale: Sharding,
    world: World,
    join: Callable[[Progress], _Joined],
) -> _Joined | None:
    """Compute what is missing, tell what was done, and join all shards if this process is to.

    Returns
    -------
    What ``join`` returned; None where that is left to another process.

    Raises
    ------
    JobError
        If shards were set aside, or as `phenviz.distributed.run`.
    """
    from phenviz.distributed import open_client, run
    from phenviz.distributed.shard_folder import TOTAL
    from phenviz.errors import JobError

    folder.settled(TOTAL, len(shards))
    number, count = scale.shard or (1, 1)
    own = shards[number - 1 :: count]
    with (
        open_client(scale.scheduler, world.project.jobqueue) as client,
        progress_bar("cancelled; finished shards are kept, and the same command goes on") as progress,
    ):
        summary = run(own, task, client, folder=folder, opened=opened, progress=progress)
    click.echo(_told(summary, folder), err=True)
    if summary.set_aside:
        reasons = "; ".join(f"{count:,} x {why}" for why, count in summary.reasons().items())
        raise JobError(
            f"{len(summary.set_aside):,} of {summary.total:,} shards failed three times and were set aside "
            f"({reasons}); all others are kept: mend the cause, and the same command does only these"
        )
    if scale.shard is not None:
        return None
    with progress_bar("cancelled; finished shards are kept, and the same command goes on") as progress:
        return join(progress)


def _told(summary: RunSummary, folder: ShardFolder) -> str:
    resumed = f", {summary.resumed:,} were there already" if summary.resumed else ""
    return f"{summary.computed:,} of {summary.total:,} shards computed{resumed} ({folder.place})"


def embed_in_shards(
    world: World, cohort: Cohort, output: Path | None, scale: Sharding, device: str, how: Mapping[str, Any]
) -> Embedded | None:
    """Make the tokens of a cohort in shards; None where others are still to do theirs."""
    from phenviz.disease.cohort.folder import TOKENS
    from phenviz.distributed import ShardFolder
    from phenviz.distributed.cohort_tokens import TokenTask
    from phenviz.distributed.world_address import WorldAddress
    from phenviz.results.tokens import TokenStore
    from phenviz.service.cohort_embedding import Embedded

    path = cohort.folder / TOKENS if output is None else output
    task = TokenTask(WorldAddress.of(world), cohort.folder.absolute(), device, **how)
    opened = task.open(world, cohort)
    try:
        folder = ShardFolder(scale.place(path), opened.identity)
        folder.prepare()
        if folder.joined(path):
            store = TokenStore(path)
            click.echo("0 shards computed: all tokens are there", err=True)
            return Embedded(len(store.samples), len(store.genes), len(store.features), len(store.genes))
        shards = opened.shards(folder)

        def join(progress: Progress) -> Embedded:
            done = opened.join(shards, folder, path, progress)
            folder.join_into(path)
            return done

        return compute_shards(task, opened, shards, folder, scale, world, join)
    finally:
        opened.close()


def result_in_shards(
    task: Task, opened: ResultTask, output: Path, scale: Sharding, world: World
) -> tuple[xr.Dataset, tuple[Path, ...]] | None:
    """Compute a result in shards, and write it.

    Returns
    -------
    tuple
        The result, and its files; None where others are still to do their shards, or all is there already.
    """
    from phenviz.distributed import ShardFolder

    try:
        folder = ShardFolder(scale.place(output), opened.identity)
        folder.prepare()
        if folder.joined(output):
            click.echo(f"0 shards computed: {output} holds all of them", err=True)
            return None
        shards = opened.shards(folder)

        def join(progress: Progress) -> tuple[xr.Dataset, tuple[Path, ...]]:
            result, files = opened.join(shards, folder, output, progress)
            folder.join_into(output, files)
            return result, files

        return compute_shards(task, opened, shards, folder, scale, world, join)
    finally:
        opened.close()


def variants_in_shards(
    world: World,
    source: Path,
    output: Path,
    scale: Sharding,
    device: str,
    contexts: tuple[str, ...] | None,
    gene: str | None,
    tables: Callable[[], Iterator[pd.DataFrame]],
    notes: Callable[[], Sequence[str]],
) -> tuple[list[str], dict[str, int]] | None:
    """Score the variants of a file in shards; None where others are still to do theirs.

    Returns
    -------
    tuple
        Lines about what was left out of the file, and how many variants have which status.
    """
    from phenviz.distributed.variant_effects import VariantTask
    from phenviz.distributed.world_address import WorldAddress

    place = scale.place(output)
    task = VariantTask(WorldAddress.of(world), source, contexts, gene, place, device)
    opened = task.open(world)
    try:
        folder = opened.folder
        folder.prepare()
        if folder.joined(output):
            click.echo("0 shards computed: all variants are scored", err=True)
            return [], {}
        shards = opened.shards(tables, notes)

        def join(progress: Progress) -> dict[str, int]:
            counts = opened.join(shards, output, progress)
            folder.join_into(output)
            return counts

        told = folder.known("notes") or []
        counts = compute_shards(task, opened, shards, folder, scale, world, join)
        return None if counts is None else (told, counts)
    finally:
        opened.close()

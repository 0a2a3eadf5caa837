"""Effects of the variants of a large file in shards: some tables of neighbouring records each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from phenviz.distributed.identity import identity_of
from phenviz.distributed.shard_folder import ShardFolder
from phenviz.distributed.shards import Shard
from phenviz.distributed.world_address import WorldAddress, wait_for
from phenviz.effects import join_scores
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.variants import variants_file
from phenviz.service import ModelService

if TYPE_CHECKING:
    from phenviz.world import World

SHARD_SECONDS = 60.0
# of 8,192 records each; the results of a shard are in memory together
_MOST_TABLES = 16


@dataclass(frozen=True)
class VariantTask:
    """Which variants are scored, and how.

    Parameters
    ----------
    world
        Where the world lies.
    source
        File of variants.
    contexts, gene
        As for the job ``variant_effects``.
    shards_at
        Place of the `ShardFolder`, which also holds the records that each shard is computed from.
    device
        Where each worker's models run.
    """

    world: WorldAddress
    source: Path
    contexts: tuple[str, ...] | None = None
    gene: str | None = None
    shards_at: str = ""
    device: str = "auto"

    def open(self, world: World | None = None) -> OpenVariants:
        """Open the world, or take the one that is open."""
        return OpenVariants(self, self.world.open() if world is None else world)


class OpenVariants:
    """A `VariantTask` in one process.

    Parameters
    ----------
    task
        What is to be scored.
    world
        As it is open here.
    """

    def __init__(self, task: VariantTask, world: World) -> None:
        self.task, self.world = task, world
        self.service = ModelService(world, task.device)
        self.samples: tuple[str, ...] = ()
        self.identity = identity_of(world, [task.source], contexts=task.contexts, gene=task.gene)
        self.folder = ShardFolder(task.shards_at, self.identity)

    def shards(
        self, tables: Callable[[], Iterator[pd.DataFrame]], notes: Callable[[], Sequence[str]]
    ) -> list[Shard]:
        """Read the file once, and cut it.

        Parameters
        ----------
        tables
            Reads it, some records at a time.
        notes
            Says afterwards what was left out of it.
        """
        rows = self.folder.known("inputs/rows")
        if rows is None:
            # a worker that reads its own records needs no file but its shard's
            rows = []
            for number, table in enumerate(tables()):
                self.folder.write_table(_name(number), table)
                rows.append(len(table))
            self.folder.settled("notes", list(notes()))
            rows = self.folder.settled("inputs/rows", rows)
        step = self.folder.settled("tables", self._tables_together(rows))
        found = []
        for first in range(0, len(rows), step):
            last = min(first + step, len(rows))
            found.append(
                Shard(f"tables-{first + 1}-{last}", (first, last), float(max(sum(rows[first:last]), 1)))
            )
        return found

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Score the variants of a shard."""
        scores = []
        for number in range(*shard.content):
            job = self.service.submit(
                "variant_effects", variants=self.folder.read_table(_name(number)), **self._how
            )
            scores.append(wait_for(job, progress))
            # shards are the store here; memory stays flat
            self.service.forget(None)
        return join_scores(scores)

    def join(self, shards: Sequence[Shard], output: Path, progress: Progress = NO_PROGRESS) -> dict[str, int]:
        """Write the results of all shards into one file, in the order of the records; count their status."""
        counts: dict[str, int] = {}
        with variants_file(output, join_scores) as append:
            for part in self.folder.load_all(shards, progress):
                names, found = np.unique(part["status"].values.astype(str), return_counts=True)
                for name, count in zip(names.tolist(), found.tolist(), strict=True):
                    counts[name] = counts.get(name, 0) + count
                append(part)
        return counts

    def close(self) -> None:
        """End what runs."""
        self.service.close()

    @property
    def _how(self) -> Mapping[str, Any]:
        contexts = self.task.contexts
        return {
            "contexts": None if contexts is None else list(contexts),
            "gene": self.task.gene,
            "private": True,
        }

    def _tables_together(self, rows: Sequence[int]) -> int:
        if not rows:
            return 1
        table = self.folder.read_table(_name(0))
        seconds = self.service.estimate("variant_effects", variants=table, **self._how).seconds
        return int(np.clip(SHARD_SECONDS / max(seconds, 1e-3), 1, _MOST_TABLES))


def _name(number: int) -> str:
    return f"table-{number:06d}"

"""Activity over a long locus, such as a whole chromosome, in shards: neighbouring intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from phenviz.distributed.identity import identity_of
from phenviz.distributed.shards import Shard
from phenviz.distributed.world_address import WorldAddress, wait_for
from phenviz.formats import FIGURE, suffix_of
from phenviz.genome import Locus
from phenviz.genome.codes import N_CODE
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.saving import save
from phenviz.service import ModelService, grid, standard
from phenviz.service.job_params import chunk_intervals, find_contexts

if TYPE_CHECKING:
    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.world import World

# few, so that two workers share a chromosome of a minute
SHARD_SECONDS = 30.0
# of a shard's result, which is in memory a few times over while it is written
_MOST_BYTES = 2**28


@dataclass(frozen=True)
class PredictionTask:
    """What is predicted; see the job ``predict``.

    Parameters
    ----------
    world
        Where the world lies.
    locus
        As a user types it.
    contexts
        As for the job.
    device
        Where each worker's models run.
    """

    world: WorldAddress
    locus: str
    contexts: tuple[str, ...] | None = None
    device: str = "auto"

    def open(self, world: World | None = None) -> OpenPrediction:
        """Open the world, or take the one that is open."""
        return OpenPrediction(self, self.world.open() if world is None else world)


class OpenPrediction:
    """A `PredictionTask` in one process.

    Parameters
    ----------
    task
        What is to be predicted.
    world
        As it is open here.
    """

    def __init__(self, task: PredictionTask, world: World) -> None:
        self.task, self.world = task, world
        self.locus = world.locus(task.locus)
        self.contexts = find_contexts(world, task.contexts)
        self.service = ModelService(world, task.device)
        self.samples: tuple[str, ...] = ()
        self.identity = identity_of(world, (), locus=repr(self.locus), contexts=self.contexts)

    def shards(self, folder: ShardFolder) -> list[Shard]:
        """Cut the work along the grid of the job's own chunks, so that each bin is that of one process."""
        chunks = folder.settled("chunks", self._chunks_together())
        return [
            Shard(f"{where.contig}-{where.start}-{where.end}", where, where.length)
            for where in self._intervals(chunks)
        ]

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Predict an interval."""
        return wait_for(
            self.service.submit("predict", locus=shard.content, contexts=list(self.contexts)), progress
        )

    def join(
        self,
        shards: Sequence[Shard],
        folder: ShardFolder,
        output: Path,
        progress: Progress = NO_PROGRESS,
    ) -> tuple[xr.Dataset, tuple[Path, ...]]:
        """Put finished shards together in one result, and write it."""
        joined = grid.join(self.locus, list(folder.load_all(shards, progress)))
        drawn = suffix_of(output, tuple(FIGURE)) is not None
        how: dict[str, Any] = {"annotation": self.world.annotation} if drawn else {"progress": progress}
        return joined, save(joined, output, **how)

    def close(self) -> None:
        """End what runs."""
        self.service.close()

    def _intervals(self, chunks: int) -> Iterator[Locus]:
        locus = self.locus
        known = self.world.reference.fetch_codes(locus.contig, locus.start, locus.end) != N_CODE
        last = locus.end - int(np.argmax(known[::-1]))
        start = locus.start
        for cell in chunk_intervals(self.world, locus, standard.PREDICT_CHUNK * chunks):
            # nobody can ask for a prediction where no base is known: a gap goes with what is beside it
            if cell.end < last and known[start - locus.start : cell.end - locus.start].any():
                yield Locus(locus.contig, start, cell.end)
                start = cell.end
        yield Locus(locus.contig, start, locus.end)

    def _chunks_together(self) -> int:
        locus, bin_size = self.locus, self.world.backbone.bin_size
        seconds = self.service.estimate("predict", locus=locus, contexts=list(self.contexts)).seconds
        chunk = max(standard.PREDICT_CHUNK // bin_size, 1) * bin_size
        count = -(-locus.length // chunk)
        fits = _MOST_BYTES // max(chunk // bin_size * len(self.contexts) * 4, 1)
        # all of one length, so that no worker waits long for the last one
        wanted = math.ceil(max(seconds, 1e-3) / SHARD_SECONDS)
        return int(np.clip(-(-count // wanted), 1, max(fits, 1)))

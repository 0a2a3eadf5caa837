"""Predicted beside measured expression, in shards: some genes, in all people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from phenviz.distributed.identity import identity_of
from phenviz.distributed.shards import Shard
from phenviz.distributed.world_address import WorldAddress, wait_for
from phenviz.effects.measured import join_measured
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.results.measured import without_people
from phenviz.saving import save
from phenviz.service import ModelService
from phenviz.service.measured import MeasuredRequest, pair_measured

if TYPE_CHECKING:
    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.world import World

SHARD_SECONDS = 60.0


@dataclass(frozen=True)
class MeasuredTask:
    """What is compared with what; see the job ``measured``.

    Parameters
    ----------
    world
        Where the world lies.
    source, genes, individuals, panel, contexts, unphased, seed
        As for the job; paths as all workers see them.
    names
        Pairs: name in the table, name among the individuals.
    device
        Where each worker's models run.
    """

    world: WorldAddress
    source: str
    genes: tuple[str, ...] | None = None
    individuals: tuple[str, ...] = ()
    panel: str | None = None
    names: tuple[tuple[str, str], ...] = ()
    contexts: tuple[str, ...] | None = None
    unphased: str = "as listed"
    seed: int = 0
    device: str = "auto"

    def open(self, world: World | None = None) -> OpenMeasured:
        """Open the world, or take the one that is open."""
        return OpenMeasured(self, self.world.open() if world is None else world)


class OpenMeasured:
    """A `MeasuredTask` in one process.

    Parameters
    ----------
    task
        What is compared.
    world
        As it is open here.
    """

    def __init__(self, task: MeasuredTask, world: World) -> None:
        self.task, self.world = task, world
        self.service = ModelService(world, task.device)
        asked = self._request
        people = pair_measured(world, asked.source, asked.individuals, asked.panel, dict(asked.names))
        # in a table of one's own the same people may have other names
        self.samples = tuple(dict.fromkeys([*people.names, *(name for pair in task.names for name in pair)]))
        # where files lie doesn't matter, and a pack's content goes with its name
        told = ("source", "individuals", "panel", "content")
        chosen = {name: value for name, value in asdict(asked).items() if name not in told}
        paths = [path for path in map(Path, filter(None, (asked.source, asked.panel))) if path.exists()]
        files = [*people.individuals.paths, *paths]
        self.identity = identity_of(world, files, **chosen, source=Path(asked.source).name)

    @cached_property
    def _request(self) -> MeasuredRequest:
        return MeasuredRequest.of(self.world, **self._how)

    @property
    def _how(self) -> Mapping[str, Any]:
        task = self.task
        return {
            "source": task.source, "genes": task.genes, "individuals": list(task.individuals),
            "panel": task.panel, "names": dict(task.names), "contexts": task.contexts,
            "unphased": task.unphased, "seed": task.seed,
        }  # fmt: skip

    def shards(self, folder: ShardFolder) -> list[Shard]:
        """Cut the work: genes in their order along the genome."""
        genes = self._request.genes
        step = folder.settled("genes", self._genes_together())
        return [
            Shard(f"genes-{first + 1}-{min(first + step, len(genes))}", own, float(len(own)))
            for first in range(0, len(genes), step)
            if (own := genes[first : first + step])
        ]

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Judge some genes; what is told of each person isn't kept."""
        found = wait_for(self.service.submit("measured", judged=shard.content, **self._how), progress)
        self.service.forget(None)
        return without_people(found)

    def join(
        self,
        shards: Sequence[Shard],
        folder: ShardFolder,
        output: Path,
        progress: Progress = NO_PROGRESS,
    ) -> tuple[xr.Dataset, tuple[Path, ...]]:
        """Put finished shards together in one table, and write it."""
        parts = list(folder.load_all(shards, progress))
        joined = join_measured(parts).assign_attrs(parts[0].attrs)
        return joined, save(joined, output)

    def close(self) -> None:
        """End what runs."""
        self.service.close()

    def _genes_together(self) -> int:
        genes = self._request.genes
        seconds = self.service.estimate("measured", **self._how).seconds
        self.service.forget(None)
        return int(np.clip(SHARD_SECONDS / max(seconds / len(genes), 1e-3), 1, len(genes)))

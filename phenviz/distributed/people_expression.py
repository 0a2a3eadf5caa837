"""Expression of many genes from the haplotypes of many people, in shards: one gene, some people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from phenviz.distributed.identity import digest_of, identity_of
from phenviz.distributed.shards import Shard
from phenviz.distributed.world_address import WorldAddress, wait_for
from phenviz.effects.joined_expression import join_genes, join_people
from phenviz.errors import DataError
from phenviz.progress import NO_PROGRESS, Progress
from phenviz.saving import save
from phenviz.service import ModelService
from phenviz.service.chosen_people import people

if TYPE_CHECKING:
    from phenviz.distributed.shard_folder import ShardFolder
    from phenviz.world import World

# the more, the more surroundings of variants they share; a worker holds about 0.6 MB of each
PEOPLE_TOGETHER = 2_000


@dataclass(frozen=True)
class ExpressionTask:
    """Whose expression is predicted, of which genes; see the job ``expression``.

    Parameters
    ----------
    world
        Where the world lies.
    genes, samples
        Names.
    individuals
        File of genotypes; None for the world's own.
    contexts, unphased, seed
        As for the job.
    kept_at
        Folder where haplotypes are kept from run to run.
    device
        Where each worker's models run.
    """

    world: WorldAddress
    genes: tuple[str, ...]
    samples: tuple[str, ...]
    individuals: Path | None = None
    contexts: tuple[str, ...] | None = None
    unphased: str = "refuse"
    seed: int = 0
    kept_at: Path | None = None
    device: str = "auto"

    def open(self, world: World | None = None) -> OpenExpression:
        """Open the world, or take the one that is open."""
        return OpenExpression(self, self.world.open() if world is None else world)


class OpenExpression:
    """An `ExpressionTask` in one process.

    Parameters
    ----------
    task
        What is to be predicted.
    world
        As it is open here.
    """

    def __init__(self, task: ExpressionTask, world: World) -> None:
        self.task, self.world = task, world
        path = None if task.individuals is None else str(task.individuals)
        files = people(world, path).paths
        self.service, self.samples = ModelService(world, task.device), task.samples
        self.identity = identity_of(
            world, files, genes=task.genes, samples=task.samples, contexts=task.contexts,
            unphased=[task.unphased, task.seed],
        )  # fmt: skip
        # of whoever has them: a haplotype is what it changes of the reference
        whole = digest_of(identity_of(world, contexts=task.contexts))
        self.kept = None if task.kept_at is None else task.kept_at / whole

    def shards(self, folder: ShardFolder) -> list[Shard]:
        """Cut the work: all genes of the first people, then of the next, who share haplotypes with them."""
        found = []
        for start in range(0, len(self.samples), PEOPLE_TOGETHER):
            stop = min(start + PEOPLE_TOGETHER, len(self.samples))
            for number in range(len(self.task.genes)):
                name = f"people-{start + 1}-{stop}-gene-{number + 1}"
                found.append(Shard(name, (start, stop, number), float(stop - start)))
        return found

    def compute(self, shard: Shard, progress: Progress) -> xr.Dataset:
        """Predict the expression of one gene in some people."""
        start, stop, number = shard.content
        task = self.task
        job = self.service.submit(
            "expression", genes=task.genes[number], samples=task.samples[start:stop],
            individuals=task.individuals, unphased=task.unphased, seed=task.seed, kept=self.kept,
            contexts=None if task.contexts is None else list(task.contexts),
        )  # fmt: skip
        found = wait_for(job, progress)
        self.service.forget(None)
        return found

    def join(
        self,
        shards: Sequence[Shard],
        folder: ShardFolder,
        output: Path,
        progress: Progress = NO_PROGRESS,
    ) -> tuple[xr.Dataset, tuple[Path, ...]]:
        """Put finished shards together in one result, and write it."""
        by_people: dict[tuple[int, int], list[xr.Dataset]] = {}
        for shard, part in zip(shards, folder.load_all(shards, progress), strict=True):
            by_people.setdefault(shard.content[:2], []).append(part)
        joined = join_people([join_genes(parts) for parts in by_people.values()])
        return joined, save(joined, output)

    def close(self) -> None:
        """End what runs."""
        self.service.close()


def read_names(path: Path, what: str) -> tuple[str, ...]:
    """Read a list of names, one per line; blank lines and those that begin with # are left out.

    Parameters
    ----------
    path
        The file.
    what
        What they name, such as "genes", for messages.

    Raises
    ------
    DataError
        If it can't be read, holds none, or a line holds several.
    """
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} can't be read ({error}): give a text file with one of the {what} per line"
        ) from error
    names = []
    for number, line in enumerate(lines, 1):
        if (text := line.strip()) and not text.startswith("#"):
            if "\t" in text or "," in text:
                raise DataError(
                    f"{path}, line {number}: {text!r} holds several columns: keep one name per line"
                )
            names.append(text)
    if not names:
        raise DataError(f"{path} names no {what}: write one per line")
    return tuple(dict.fromkeys(names))

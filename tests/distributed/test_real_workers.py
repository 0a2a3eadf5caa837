"""Two worker processes with the embedded model: one is killed, one shard raises, and no bit changes."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import phenviz
from phenviz.disease.cohort.folder import open_cohort, write_card
from phenviz.disease.cohort.simulate import genes_within
from phenviz.distributed import ShardFolder, cohort_tokens, open_client, run
from phenviz.distributed.cohort_tokens import TokenTask
from phenviz.distributed.world_address import WorldAddress
from phenviz.genome import Locus
from phenviz.progress import Progress
from phenviz.results.tokens import TokenStore
from phenviz.service import ModelService
from phenviz.service.cohort_embedding import embed_cohort
from phenviz.variation import open_individuals

# Dask warns about connections that end with a killed worker
pytestmark = pytest.mark.filterwarnings("ignore")

PEOPLE, TOGETHER, GENES, WINDOW = 60, 20, 20, 8_192
RAISES = "people-1-20-genes-2-2"


@dataclass(frozen=True)
class RaisingTwice:
    """The tokens of a cohort; the first two attempts at one shard raise."""

    task: TokenTask
    notes: Path

    def open(self):
        opened = self.task.open()
        usual = opened.compute

        def compute(shard, progress):
            count = len(list(self.notes.iterdir()))
            if shard.name == RAISES and count < 2:
                (self.notes / str(count)).touch()
                raise ValueError(f"no genotypes of {opened.samples[0]}")
            return usual(shard, progress)

        opened.compute = compute
        return opened


@pytest.fixture
def people(tmp_path):
    """Write a cohort of 60 of the embedded, real people; their trait is made up."""
    project = phenviz.open_world().project
    genotypes = open_individuals(project.individuals, phenviz.open_world().reference)
    names = genotypes.samples["sample"].tolist()[:PEOPLE]
    folder = tmp_path / "people"
    folder.mkdir()
    pd.DataFrame({"sample": names, "T": np.arange(PEOPLE) % 2}).to_csv(
        folder / "people.tsv", sep="\t", index=False
    )
    write_card(folder, {"genotypes": str(project.individuals[0]), "people": "people.tsv"})
    return folder


class Killer:
    """Once a shard is finished, kills the worker that is in the middle of another one."""

    def __init__(self, folder, workers):
        self.folder, self.workers, self.killed = folder, workers, []

    def __call__(self, stage, fraction):
        finished = {int(name.rsplit(":", 1)[1]) for name in self.folder.manifest()["worker"]}
        if finished and not self.killed:
            self.killed.append(min(self.workers - finished, default=min(finished)))
            os.kill(self.killed[0], signal.SIGKILL)


def test_a_killed_worker_and_a_raising_shard_change_no_bit_of_real_tokens(people, tmp_path, monkeypatch):
    monkeypatch.setattr(cohort_tokens, "PEOPLE_TOGETHER", TOGETHER)
    world = phenviz.open_world()
    cohort = open_cohort(people, world.reference)
    genes = tuple(genes_within(world.annotation, Locus("20", 1_000_000, 4_000_000))[:GENES])
    task = TokenTask(WorldAddress.of(world), people, "cpu", genes=genes, window=WINDOW)
    notes = tmp_path / "notes"
    notes.mkdir()
    opened = task.open(world, cohort)
    folder = ShardFolder(tmp_path / "two.zarr.shards", opened.identity)
    folder.prepare()
    folder.settled("groups", 1)
    shards = opened.shards(folder)
    assert len(shards) == 6 and RAISES in [shard.name for shard in shards]

    with open_client("local:2") as client:
        killer = Killer(folder, set(client.run(os.getpid).values()))
        done = run(shards, RaisingTwice(task, notes), client, folder=folder, progress=Progress(killer))
        left = set(client.run(os.getpid).values())
        again = run(shards, RaisingTwice(task, notes), client, folder=folder)
    assert len(killer.killed) == 1 and not left & set(killer.killed)
    assert done.complete and (done.computed, again.computed, again.resumed) == (6, 0, 6)
    assert len(list(notes.iterdir())) == 2
    assert not any(name in folder.manifest().to_csv() for name in cohort.people.samples)

    opened.join(shards, folder, tmp_path / "two.zarr")
    opened.close()
    with ModelService(world, device="cpu") as service:
        embed_cohort(service, cohort, tmp_path / "one.zarr", genes=genes, window=WINDOW)
    one, two = TokenStore(tmp_path / "one.zarr"), TokenStore(tmp_path / "two.zarr")
    assert (one.samples, one.genes, one.features) == (two.samples, two.genes, two.features)
    for name in ("difference", "scale", "reference"):
        np.testing.assert_array_equal(getattr(one.read(), name), getattr(two.read(), name))

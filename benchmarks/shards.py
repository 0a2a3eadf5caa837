"""Shards: what a worker makes of more people, what a second worker is worth, what a shard costs by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import xarray as xr

from benchmarks.child import forget_peak, peak
from benchmarks.cohort import first_genes, write_cohort
from benchmarks.measure import Series
from benchmarks.report import Section
from benchmarks.world import open_bench
from phenviz.data.cache import CACHE_VARIABLE
from phenviz.disease.cohort.folder import EFFECTS, open_cohort
from phenviz.distributed import Shard, ShardFolder, open_client
from phenviz.distributed import run as run_shards
from phenviz.distributed.cohort_tokens import TokenTask
from phenviz.distributed.locus_prediction import PredictionTask
from phenviz.distributed.world_address import WorldAddress
from phenviz.progress import NO_PROGRESS

GENES, EMPTY_SHARDS = 8, 200
# of the shards that PhenViz makes
SHARD_SECONDS = 60.0
FIRST, AGAIN = "effects of variants, then genotypes", "genotypes alone"


def run(repeats: int, quick: bool) -> Section:
    rows: list[Sequence[str]] = []
    for people in (100, 1_000) if quick else (100, 1_000, 10_000):
        with TemporaryDirectory() as folder:
            cohort = write_cohort(Path(folder) / "cohort", people, GENES)
            found = [_in_a_process(cohort) for _ in range(repeats)]
        for name in (FIRST, AGAIN):
            taken = Series([one[name] for one in found])
            memory = float(np.median([one[f"{name}: peak"] for one in found]))
            each = f"{people * GENES / taken.median:,.0f} tokens in a second"
            rows.append([f"{people:,} people: {name}", taken.spread(), each, f"{memory / 1e6:,.0f} MB"])
    rows += _two_workers(4_200_000 if quick else 33_600_000, repeats)
    rows.append(_empty_shards(repeats))
    notes = [
        f"Additive tokens of {GENES} genes, with 23 variants in each kb whatever the number of people, in "
        "seconds of the processor; memory is the peak above the models. Workers predict a chromosome in 16 "
        "shards, with an empty store. *Busy* is the share of their time in which they compute shards; the "
        "efficiency of two is busy, times the seconds of the processor of one, over those of both."
    ]
    header = ["", "seconds: median (range)", "", "peak memory"]
    return Section("Shards", header, rows, notes)


def _in_a_process(cohort: Path) -> dict[str, float]:
    shutil.rmtree(cohort / EFFECTS, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.shards", str(cohort)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {cohort}: {found}", file=sys.stderr, flush=True)
    return found


def one_worker(folder: Path) -> dict[str, float]:
    """Make tokens twice in this process, as a worker does; at first no effects of variants are known."""
    world = open_bench().world
    task = TokenTask(WorldAddress.of(world), folder, "cpu", genes=first_genes(GENES))
    opened = task.open(world, open_cohort(folder, world.reference))
    found: dict[str, float] = {}
    with TemporaryDirectory() as place:
        kept = ShardFolder(place, opened.identity)
        kept.prepare()
        shards = opened.shards(kept)
    for name in (FIRST, AGAIN):
        before, began = forget_peak(), time.process_time()
        for shard in shards:
            opened.compute(shard, NO_PROGRESS)
        found[name], found[f"{name}: peak"] = time.process_time() - began, peak() - before
    opened.close()
    return found


def _two_workers(length: int, repeats: int) -> list[Sequence[str]]:
    wall, cpu, busy = ({1: Series(), 2: Series()} for _ in range(3))
    for _ in range(repeats):
        for count in (1, 2):
            with TemporaryDirectory() as folder, patch.dict(os.environ, {CACHE_VARIABLE: f"{folder}/cache"}):
                taken, used, share = _predict(count, length, Path(folder))
            wall[count].values.append(taken)
            cpu[count].values.append(used)
            busy[count].values.append(share)
            print(f"  {count} workers: {taken:.1f} s, {used:.1f} s of the processor, {share:.3f} busy",
                  file=sys.stderr, flush=True)  # fmt: skip
    worth = [one / two * share for one, two, share in zip(
        cpu[1].values, cpu[2].values, busy[2].values, strict=True)]  # fmt: skip
    rows = [
        [f"{length / 1e6:.0f} Mb predicted by {count} worker{'s' if count > 1 else ''}", wall[count].spread(),
         f"{cpu[count].median:.3g} s of the processor, {busy[count].median:.1%} busy", ""]
        for count in (1, 2)
    ]  # fmt: skip
    return [*rows, ["efficiency of two workers", "", Series(worth).spread(), ""]]


def _predict(count: int, length: int, folder: Path) -> tuple[float, float, float]:
    task = PredictionTask(WorldAddress.of(open_bench().world), f"20:1-{length}", device="cpu")
    opened = task.open(open_bench().world)
    kept = ShardFolder(folder / "shards", opened.identity)
    kept.prepare()
    # a sixteenth of it each, in chunks of a quarter of a megabase
    kept.settled("chunks", max(length // 16 // 2**18, 1))
    shards = opened.shards(kept)
    with open_client(f"local:{count}") as client:
        # what a worker imports once counts for nothing in a run of hours
        run_shards(shards[:count], task, client, folder=kept)
        before, began = sum(client.run(time.process_time).values()), time.perf_counter()
        run_shards(shards, task, client, folder=kept)
        taken = time.perf_counter() - began
        used = sum(client.run(time.process_time).values()) - before
    opened.close()
    own = {shard.name for shard in shards[count:]}
    rows = kept.manifest()
    return taken, used, float(rows.loc[rows["shard"].isin(own), "seconds"].sum()) / (count * taken)


@dataclass(frozen=True)
class EmptyTask:
    """Nothing to compute: what is left is what a shard costs by itself."""

    samples: tuple[str, ...] = ()
    identity: dict[str, str] = field(default_factory=dict)

    def open(self) -> EmptyTask:
        """Return itself."""
        return self

    def compute(self, shard: Shard, progress: object) -> xr.Dataset:
        """Return its number."""
        return xr.Dataset({"number": ((), shard.content)})

    def close(self) -> None:
        """Do nothing."""


def _empty_shards(repeats: int) -> Sequence[str]:
    shards = [Shard(f"shard-{number}", number) for number in range(EMPTY_SHARDS)]
    each = Series()
    with open_client("local:1") as client:
        for _ in range(repeats):
            with TemporaryDirectory() as folder:
                kept = ShardFolder(folder, {})
                began = time.perf_counter()
                run_shards(shards, EmptyTask(), client, folder=kept)
                each.values.append((time.perf_counter() - began) / EMPTY_SHARDS)
    share = f"{each.median / SHARD_SECONDS:.2%} of a shard of a minute"
    return ["a shard without work", each.spread(), share, ""]


if __name__ == "__main__":
    print(json.dumps(one_worker(Path(sys.argv[1]))))

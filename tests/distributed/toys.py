"""A task of small sums that can be told to fail, to die or to wait."""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from phenviz.distributed import Shard

IDENTITY = {"phenviz": "1", "model": "a"}
PERSON = "Marker-Person-7F3A"


@dataclass(frozen=True)
class ToyTask:
    """Random numbers of a seed; ``wrong`` says which shards misbehave, and how often."""

    folder: Path
    wrong: dict[str, tuple[str, int]] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=lambda: dict(IDENTITY))

    def open(self):
        self._note("opened", str(os.getpid()))
        return OpenToy(self)

    def _note(self, kind, name):
        """Write down what happened, once for each time: tests in other processes are counted by it."""
        number = len(list(self.folder.glob(f"{kind}-{name}-*")))
        (self.folder / f"{kind}-{name}-{number}").touch()
        return number


class OpenToy:
    def __init__(self, task):
        self.task, self.identity, self.samples, self.closed = task, task.identity, (PERSON, "12"), False

    def compute(self, shard, progress):
        before = self.task._note("computed", shard.name)
        how, times = self.task.wrong.get(shard.name, ("", 0))
        if before < times:
            if how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "raise":
                raise ValueError(f"no genotypes of {PERSON} at 1,000")
            if how == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            if how == "interrupt":
                raise KeyboardInterrupt
            deadline = time.monotonic() + 60
            while how == "wait" and time.monotonic() < deadline:
                progress.check()
                time.sleep(0.05)
        values = np.random.default_rng(shard.content).normal(size=(3, 4))
        return xr.Dataset({"sum": (("person", "gene"), values)}, attrs={"number": shard.content})

    def close(self):
        self.closed = True


def shards_of(count):
    return [Shard(f"shard-{number:03d}", number, 1.0 + number % 3) for number in range(count)]


def computed(folder, name="*"):
    """Count the attempts at a shard, or at all."""
    return len(list(folder.glob(f"computed-{name}-*")))

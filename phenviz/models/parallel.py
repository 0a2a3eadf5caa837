"""Tiles computed side by side on a CPU: one thread per tile, not all threads on every operation.

The operations of a tile are short. With all cores on each of them, a core that is busy elsewhere (a browser,
the dashboard itself) makes all others wait, thousands of times a second: measured on two busy cores, tiles in
threads of their own were more than six times as fast.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import TypeVar

import torch
import xarray as xr

from phenviz.progress import Progress

T = TypeVar("T")
R = TypeVar("R")


@cache
def cpu_workers() -> int:
    """Return how many tiles run side by side on the CPU: as many as PyTorch was given threads at first."""
    return torch.get_num_threads()


def tile_size(total: int, largest: int, smallest: int, device: torch.device) -> int:
    """Choose a size of tiles so that every worker gets one, between the smallest and the largest that pay."""
    workers = cpu_workers() if device.type == "cpu" else 1
    return max(min(largest, -(-total // workers)), min(smallest, largest), 1)


def over_tiles(tiles: Iterable[T], run: Callable[[T], R], device: torch.device) -> Iterator[R]:
    """Run tiles and yield their results in order; on a CPU side by side, elsewhere one by one.

    Parameters
    ----------
    tiles
        What ``run`` takes; not more than a few are taken ahead of the result that is waited for.
    run
        Called from several threads.
    device
        Where the model is.
    """
    workers = cpu_workers() if device.type == "cpu" else 1
    if workers == 1:
        for tile in tiles:
            yield run(tile)
        return
    waiting: deque[Future[R]] = deque()
    remaining = iter(tiles)
    threads = torch.get_num_threads()
    # the number of threads is each thread's own, but new threads start with what was set last
    with ThreadPoolExecutor(workers, "phenviz-tile", initializer=lambda: torch.set_num_threads(1)) as pool:
        try:
            waiting.extend(pool.submit(run, tile) for tile in islice(remaining, workers + 1))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(run, tile) for tile in islice(remaining, 1))
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(threads)


class SharedProgress(Progress):
    """Reports what several threads did to one `Progress`; after a cancel nothing more is reported.

    Parameters
    ----------
    progress
        The one that is watched.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress, self._lock = progress, threading.Lock()

    def stage(self, name: str, total: float = 1.0) -> None:
        """See `Progress.stage`."""
        with self._lock:
            self._progress.stage(name, total)

    def advance(self, amount: float = 1.0) -> None:
        """See `Progress.advance`."""
        with self._lock:
            self._progress.check()
            self._progress.advance(amount)

    def check(self) -> None:
        """See `Progress.check`."""
        self._progress.check()

    def partial(self, dataset: xr.Dataset) -> None:
        """See `Progress.partial`."""
        with self._lock:
            self._progress.partial(dataset)

"""What a job will cost, learnt from the jobs that this machine has finished."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import threading
import uuid
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from pathlib import Path

from phenviz.data.cache import cache_dir

logger = logging.getLogger(__name__)

# Each older run counts less, as machines are changed; but slowly enough that two runs beside a busy neighbour
# never outweigh the rest.
_FADING = 0.9
_REMEMBERED_RUNS = 16
# kinds with their methods, devices and models: the number of draws is part of some names, which a user types
_REMEMBERED_NAMES = 500
# a little below the middle, as a busy machine only ever adds time
_MIDDLE = 0.45
# of two runs, before their difference says what a unit of work takes
_LENGTH_RATIO = 1.5
# What a run as short as this took is partly what every first run takes (loading, warming up): for work of
# more than so many times its size, only half of it, in powers of ten, is believed.
_TELLING_SECONDS = 30.0
_BEYOND = 10
# shorter runs say more about the clock than about the work
_SHORTEST_SECONDS = 0.02
_FIXED_SECONDS = 0.05

Run = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will cost.

    Parameters
    ----------
    seconds
        Time of computing, without waiting for other jobs; what the store holds already costs nothing.
    bytes
        Memory at its peak, above the loaded model.
    stored
        Fraction of the work that the store holds already, 0 to 1.
    """

    seconds: float
    bytes: int
    stored: float = 0.0


class CostBook:
    """Times of finished runs for each kind, device and model, kept in a small JSON file.

    The last 16 runs are remembered. A straight line is laid through them by medians (Theil and Sen): what
    every run takes, and what a unit takes. So one run on a busy machine doesn't spoil the estimates; and as
    a busy machine only ever adds time, the faster one of two equally likely values counts.

    Parameters
    ----------
    path
        The file; ``run_times.json`` in PhenViz' cache by default. A damaged one is begun anew.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path) if path is not None else cache_dir() / "run_times.json"
        self._lock = threading.Lock()
        self._runs = self._read()

    def seconds(self, name: str, units: float, default: float) -> float:
        """Predict the time of ``units`` of work.

        Parameters
        ----------
        name
            Kind, device and model that the times hold for.
        units
            Work, in the kind's own unit.
        default
            Seconds per unit where nothing was learnt yet.
        """
        if units <= 0:
            return 0.0
        with self._lock:
            runs = list(self._runs.get(name, ()))
        if not runs:
            return units * default + _FIXED_SECONDS
        fixed, rate = _line(runs)
        near = units
        if all(seconds < _TELLING_SECONDS for _, seconds in runs):
            near = min(units, _BEYOND * max(size for size, _ in runs))
        return fixed + rate * near + math.sqrt(rate * min(rate, default)) * (units - near)

    def learn(self, name: str, units: float, seconds: float) -> None:
        """Remember that ``units`` of work took ``seconds``."""
        if units <= 0 or seconds < _SHORTEST_SECONDS:
            return
        with self._lock:
            runs = [*self._runs.pop(name, ()), (float(units), float(seconds))]
            # at the end, so that what wasn't learnt for longest is first
            self._runs[name] = runs[-_REMEMBERED_RUNS:]
            while len(self._runs) > _REMEMBERED_NAMES:
                del self._runs[next(iter(self._runs))]
            self._write()

    def _read(self) -> dict[str, list[Run]]:
        try:
            return {
                str(name): [_checked(*run) for run in runs][-_REMEMBERED_RUNS:]
                for name, runs in json.loads(self._path.read_text()).items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("%s can't be read (%s): run times are learnt anew", self._path, error)
            return {}

    def _write(self) -> None:
        part = self._path.with_name(f".{self._path.name}-{uuid.uuid4().hex}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._runs, indent=1))
            os.replace(part, self._path)
        except OSError as error:
            logger.warning("run times can't be kept in %s: %s", self._path, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _checked(units: float, seconds: float) -> Run:
    run = float(units), float(seconds)
    if not all(math.isfinite(value) and value > 0 for value in run):
        raise ValueError(f"{run} is no run")
    return run


def _line(runs: Sequence[Run]) -> tuple[float, float]:
    """Lay a line through runs, the newest last: seconds that every run takes, and seconds a unit."""
    weights = [_FADING**age for age in range(len(runs) - 1, -1, -1)]
    slopes = []
    for (one, weight), (other, another) in combinations(zip(runs, weights, strict=True), 2):
        (short, fast), (long, slow) = sorted((one, other))
        if long > _LENGTH_RATIO * short and slow > fast:
            slopes.append(((slow - fast) / (long - short), weight * another))
    in_proportion = _median([(seconds / units, w) for (units, seconds), w in zip(runs, weights, strict=True)])
    if not slopes:
        return 0.0, in_proportion
    rate = _median(slopes)
    fixed = _median([(seconds - rate * units, w) for (units, seconds), w in zip(runs, weights, strict=True)])
    # a line that no run can have
    return (fixed, rate) if fixed >= 0 else (0.0, in_proportion)


def _median(weighted: Sequence[tuple[float, float]]) -> float:
    """Return the weighted median of (value, weight); of two about equally likely values the lower one."""
    enough = _MIDDLE * sum(weight for _, weight in weighted)
    values, weights = zip(*sorted(weighted), strict=True)
    return values[bisect_left([*accumulate(weights)], enough)]

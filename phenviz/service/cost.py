"""What a job will cost, learnt from the jobs that this machine has finished."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from phenviz.data.cache import cache_dir

logger = logging.getLogger(__name__)

# How much of what was known a new run leaves standing: machines get busy and free again, so old runs fade.
_KEPT = 0.7
# shorter runs say more about the clock than about the work
_SHORTEST_SECONDS = 0.02
_FIXED_SECONDS = 0.05


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


@dataclass(frozen=True, slots=True)
class _Line:
    """Faded sums over runs of weights, units u and seconds s, from which a straight line is fitted.

    A run has the weight 1 / u^2, as relative errors count: short runs show what every run takes, long ones
    what a unit takes.
    """

    weight: float = 0.0
    u: float = 0.0
    uu: float = 0.0
    s: float = 0.0
    us: float = 0.0

    def with_run(self, units: float, seconds: float) -> _Line:
        w = units**-2
        new = (w, w * units, w * units**2, w * seconds, w * units * seconds)
        old = (self.weight, self.u, self.uu, self.s, self.us)
        return _Line(*(_KEPT * before + (1 - _KEPT) * now for before, now in zip(old, new, strict=True)))

    def seconds(self, units: float) -> float:
        spread = self.weight * self.uu - self.u**2
        if spread > 1e-6 * self.weight * self.uu:
            rate = (self.weight * self.us - self.u * self.s) / spread
            fixed = (self.s - rate * self.u) / self.weight
            if rate > 0 and fixed >= 0:
                return fixed + rate * units
        # runs of one size, or a line that no run can have: in proportion
        return self.us / self.uu * units


class CostBook:
    """Times of finished runs for each kind, device and model, kept in a small JSON file.

    Parameters
    ----------
    path
        The file; ``costs.json`` in PhenViz' cache by default. A damaged one is begun anew.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path) if path is not None else cache_dir() / "costs.json"
        self._lock = threading.Lock()
        self._lines = self._read()

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
            line = self._lines.get(name)
        return units * default + _FIXED_SECONDS if line is None else line.seconds(units)

    def learn(self, name: str, units: float, seconds: float) -> None:
        """Remember that ``units`` of work took ``seconds``."""
        if units <= 0 or seconds < _SHORTEST_SECONDS:
            return
        with self._lock:
            self._lines[name] = self._lines.get(name, _Line()).with_run(units, seconds)
            self._write()

    def _read(self) -> dict[str, _Line]:
        try:
            lines = {
                str(name): _Line(*map(float, sums))
                for name, sums in json.loads(self._path.read_text()).items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("%s can't be read (%s): run times are learnt anew", self._path, error)
            return {}
        return {
            name: line for name, line in lines.items() if line.uu > 0 and math.isfinite(line.seconds(1.0))
        }

    def _write(self) -> None:
        part = self._path.with_name(f".{self._path.name}-{uuid.uuid4().hex}")
        sums = {name: [line.weight, line.u, line.uu, line.s, line.us] for name, line in self._lines.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(sums, indent=1, sort_keys=True))
            os.replace(part, self._path)
        except OSError as error:
            logger.warning("run times can't be kept in %s: %s", self._path, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

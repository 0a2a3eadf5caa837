"""What a job will cost, learnt from the jobs that this machine has finished."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from phenviz.data.cache import cache_dir

logger = logging.getLogger(__name__)

# how much the newest run counts: machines get busy and free again, so old runs fade
_NEWEST = 0.3
# shorter runs say more about start-up than about the work
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


class CostBook:
    """Seconds per unit of work for each kind, device and model, kept in a small JSON file.

    Parameters
    ----------
    path
        The file; ``costs.json`` in PhenViz' cache by default. A damaged one is begun anew.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path) if path is not None else cache_dir() / "costs.json"
        self._lock = threading.Lock()
        self._rates = self._read()

    def seconds(self, name: str, units: float, default: float) -> float:
        """Predict the time of ``units`` of work.

        Parameters
        ----------
        name
            Kind, device and model that the rate holds for.
        units
            Work, in the kind's own unit.
        default
            Seconds per unit where nothing was learnt yet.
        """
        with self._lock:
            rate = self._rates.get(name, default)
        return units * rate + (_FIXED_SECONDS if units else 0.0)

    def learn(self, name: str, units: float, seconds: float) -> None:
        """Remember that ``units`` of work took ``seconds``."""
        if units <= 0 or seconds < _SHORTEST_SECONDS:
            return
        with self._lock:
            rate = seconds / units
            known = self._rates.get(name)
            self._rates[name] = rate if known is None else known + _NEWEST * (rate - known)
            self._write()

    def _read(self) -> dict[str, float]:
        try:
            rates = json.loads(self._path.read_text())
            return {str(name): float(rate) for name, rate in rates.items() if float(rate) > 0}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("%s can't be read (%s): run times are learnt anew", self._path, error)
            return {}

    def _write(self) -> None:
        part = self._path.with_name(f".{self._path.name}-{uuid.uuid4().hex}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._rates, indent=1, sort_keys=True))
            os.replace(part, self._path)
        except OSError as error:
            logger.warning("run times can't be kept in %s: %s", self._path, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

"""How things are timed: in turns, several times, and in processes of their own where memory counts."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Series:
    """Repeated measurements of one contestant.

    Parameters
    ----------
    values
        Rates (more is better) or seconds.
    peak
        Bytes above the loaded model, where they were measured.
    """

    values: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Return the middle value."""
        return statistics.median(self.values)

    def spread(self, digits: str = ".3g") -> str:
        """Write the median and the range."""
        return f"{self.median:{digits}} ({min(self.values):{digits}} - {max(self.values):{digits}})"


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(contestants: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, Series]:
    """Let all take their turn, ``repeats`` times over, so that a busy minute hits all alike."""
    series = {name: Series() for name in contestants}
    for repeat in range(repeats):
        for name, measure in contestants.items():
            series[name].values.append(measure())
            print(
                f"  {repeat + 1}/{repeats} {name}: {series[name].values[-1]:.4g}", file=sys.stderr, flush=True
            )
    return series


def paired_ratio(ours: Series, theirs: Series) -> str:
    """Median and range of ours / theirs, turn by turn."""
    ratios = sorted(a / b for a, b in zip(ours.values, theirs.values, strict=True))
    return f"{statistics.median(ratios):.3g} ({ratios[0]:.3g} - {ratios[-1]:.3g})"


def agreeing(error: float, limit: float) -> str:
    """Write by how much two ways differ; a comparison of times means nothing where they disagree.

    Raises
    ------
    AssertionError
        If they differ by more than the limit.
    """
    if not error <= limit:
        raise AssertionError(f"results differ by {error:.1e}, more than {limit:.0e}: nothing is compared")
    return f"{error:.1e}"


def in_a_process(**task: object) -> dict[str, float]:
    """Run a task of `benchmarks.child` in a process of its own; return its seconds and peak bytes."""
    command = [sys.executable, "-m", "benchmarks.child", json.dumps(task)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {task}: {result}", file=sys.stderr, flush=True)
    return result

"""Which outputs of each stage one changed base can reach, and which of them the target looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phenviz.models.local import Stage


@dataclass(frozen=True, slots=True)
class Interval:
    """Outputs of a layer, or bins, from ``first`` to ``last`` included; a changed base's bin begins at 0."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(self.last - self.first + 1, 0)

    def __and__(self, other: Interval) -> Interval:
        return Interval(max(self.first, other.first), min(self.last, other.last))

    def widened(self, outputs: int) -> Interval:
        """Return the interval with more on both sides."""
        return Interval(self.first - outputs, self.last + outputs)

    def pooled(self, pool: int) -> Interval:
        """Return the pools that hold at least one output of the interval."""
        return Interval(self.first // pool, self.last // pool)

    def unpooled(self, pool: int) -> Interval:
        """Return all outputs in the pools in the interval."""
        return Interval(self.first * pool, (self.last + 1) * pool - 1)


def reach(stage: Stage) -> int:
    """Return how many inputs a stage's convolution sees to either side."""
    return (stage.kernel - 1) * stage.dilation // 2


def changed_outputs(stages: Sequence[Stage], phase: int, bins: Interval | None) -> list[Interval]:
    """Find the outputs to recompute in each stage's output after one base changed.

    One is recomputed if the base reaches it (forward cone) and the target needs it (backward cone).

    Parameters
    ----------
    stages
        The backbone's stages in order.
    phase
        Position of the changed base in its bin, in bases.
    bins
        Bins that the target looks at, counted from the changed base's bin; None for all.

    Returns
    -------
    list[Interval]
        One for each stage, in its (pooled) outputs; empty where the base doesn't reach the target.
    """
    reached, interval = [], Interval(phase, phase)
    for stage in stages:
        interval = interval.widened(reach(stage)).pooled(stage.pool)
        reached.append(interval)
    if bins is None:
        return reached
    needed, interval = [], bins
    for stage in reversed(stages):
        needed.append(interval)
        interval = interval.unpooled(stage.pool).widened(reach(stage))
    return [forward & backward for forward, backward in zip(reached, reversed(needed), strict=True)]

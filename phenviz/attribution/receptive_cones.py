"""Which cells of each stage one changed base can reach, and which of them the target looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phenviz.models.local import Stage


@dataclass(frozen=True, slots=True)
class Span:
    """Cells from ``first`` to ``last``, both included; 0 is the first cell of the changed base's bin."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(self.last - self.first + 1, 0)

    def __and__(self, other: Span) -> Span:
        return Span(max(self.first, other.first), min(self.last, other.last))

    def widened(self, cells: int) -> Span:
        """Return the span with more cells on both sides."""
        return Span(self.first - cells, self.last + cells)

    def pooled(self, pool: int) -> Span:
        """Return the pools that hold at least one cell of the span."""
        return Span(self.first // pool, self.last // pool)

    def unpooled(self, pool: int) -> Span:
        """Return all cells of the pools in the span."""
        return Span(self.first * pool, (self.last + 1) * pool - 1)


def reach(stage: Stage) -> int:
    """Cells that a stage's convolution sees to either side."""
    return (stage.kernel - 1) * stage.dilation // 2


def changed_spans(stages: Sequence[Stage], phase: int, bins: Span | None) -> list[Span]:
    """Find the cells to recompute in each stage's output after one base changed.

    A cell is recomputed if the base reaches it (forward cone) and the target needs it (backward cone).

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
    list[Span]
        One span a stage, in cells of its (pooled) output; empty where the base doesn't reach the target.
    """
    reached, span = [], Span(phase, phase)
    for stage in stages:
        span = span.widened(reach(stage)).pooled(stage.pool)
        reached.append(span)
    if bins is None:
        return reached
    needed, span = [], bins
    for stage in reversed(stages):
        needed.append(span)
        span = span.unpooled(stage.pool).widened(reach(stage))
    return [forward & backward for forward, backward in zip(reached, reversed(needed), strict=True)]

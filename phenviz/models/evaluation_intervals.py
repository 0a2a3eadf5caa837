"""Bootstrap over blocks of the genome of figures that are sums over blocks: draws cost next to nothing.

An AUROC is the share of pairs that a positive wins. Pairs are counted once for every two blocks; a draw only
weighs these counts by how often it has either block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class BlockDraws:
    """Draws of whole blocks with replacement.

    Parameters
    ----------
    summits, background
        Number of the block that each summit and each background position lies in.
    weights
        How often each draw has each block, shape (draws, blocks).
    """

    summits: NDArray[np.intp]
    background: NDArray[np.intp]
    weights: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        summits: NDArray[np.int64],
        background: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        block: int,
        repeats: int,
    ) -> BlockDraws:
        """Draw as many blocks as hold positions, ``repeats`` times."""
        places = np.concatenate([summits, background]) // block
        blocks, number = np.unique(places, return_inverse=True)
        drawn = rng.integers(len(blocks), size=(repeats, len(blocks)))
        weights = np.stack([np.bincount(row, minlength=len(blocks)) for row in drawn]).astype(float)
        return cls(number[: len(summits)], number[len(summits) :], weights)

    def auroc(
        self,
        positive: Array,
        positive_block: NDArray[np.intp],
        negative: Array,
        negative_block: NDArray[np.intp],
    ) -> Array:
        """Return the AUROC of each draw, ties counting half; NaN where a draw has no positive or negative."""
        blocks = self.weights.shape[1]
        wins = np.zeros((blocks, blocks))
        for block in np.unique(negative_block):
            own = np.sort(negative[negative_block == block])
            below = np.searchsorted(own, positive, "left") + np.searchsorted(own, positive, "right")
            wins[:, block] = np.bincount(positive_block, below / 2, blocks)
        won = np.einsum("db,bc,dc->d", self.weights, wins, self.weights, optimize=True)
        pairs = self._counts(positive_block) * self._counts(negative_block)
        return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)

    def correlation(self, a: Array, b: Array) -> Array:
        """Return Pearson's correlation over summits and contexts of each draw; ``a`` and ``b`` are (n, C)."""
        a, b = a.astype(float), b.astype(float)
        per_summit = [np.full(len(a), a.shape[1]), a, b, a * a, b * b, a * b]
        sums = [
            self.weights
            @ np.bincount(self.summits, np.reshape(x, (len(a), -1)).sum(1), self.weights.shape[1])
            for x in per_summit
        ]
        n, sa, sb, saa, sbb, sab = sums
        scale = np.sqrt(np.maximum(saa - sa * sa / n, 0) * np.maximum(sbb - sb * sb / n, 0))
        return np.divide(sab - sa * sb / n, scale, out=np.full(len(n), np.nan), where=scale > 0)

    def _counts(self, block: NDArray[np.intp]) -> Array:
        return self.weights @ np.bincount(block, minlength=self.weights.shape[1])


def interval(draws: Array, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of draws; NaN where none is known."""
    if not np.isfinite(draws).any():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(draws, [100 * (1 - level) / 2, 100 * (1 + level) / 2])
    return float(low), float(high)

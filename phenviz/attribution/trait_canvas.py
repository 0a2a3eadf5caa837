"""Values of the bases of several disjoint intervals of a contig, without the room between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from phenviz.models.phenformer_tokens import BaseSource


@dataclass
class Canvas:
    """Adds values up where intervals that were computed one by one overlap.

    Parameters
    ----------
    intervals
        (start, end) on the contig, disjoint and sorted, 0-based half-open.
    rows
        Values per base.
    dtype
        Of the values.

    Attributes
    ----------
    values
        Shape (rows, bases): the intervals one after the other.
    """

    intervals: Sequence[tuple[int, int]]
    rows: int = 1
    dtype: np.dtype | type = np.float32
    values: NDArray[np.floating] = field(init=False)

    def __post_init__(self) -> None:
        self._offsets = np.cumsum([0, *(end - start for start, end in self.intervals)])
        self.values = np.zeros((self.rows, int(self._offsets[-1])), dtype=self.dtype)

    @property
    def positions(self) -> NDArray[np.int64]:
        """0-based position of each base."""
        whole = [np.arange(start, end, dtype=np.int64) for start, end in self.intervals]
        return np.concatenate([np.empty(0, dtype=np.int64), *whole])

    def add(self, start: int, values: NDArray[np.floating]) -> None:
        """Add values (rows, bases) of the bases from ``start`` on; what lies on no interval is left out."""
        for here, there in self.slices(start, start + values.shape[1]):
            self.values[:, here] += values[:, there]

    def slices(self, start: int, end: int) -> Iterator[tuple[slice, slice]]:
        """Yield where the bases from start to end lie on the canvas, and which of them these are."""
        for offset, (first, last) in zip(self._offsets.tolist(), self.intervals, strict=False):
            left, right = max(start, first), min(end, last)
            if left < right:
                yield (
                    slice(offset + left - first, offset + right - first),
                    slice(left - start, right - start),
                )

    def part(self, start: int, end: int) -> Canvas | None:
        """Return a copy of what lies between two positions; None if nothing does."""
        inside = clipped(self.intervals, start, end)
        if not inside:
            return None
        part = Canvas(inside, self.rows, self.dtype)
        part.values = np.concatenate([self.values[:, here] for here, _ in self.slices(start, end)], axis=1)
        return part


def clipped(intervals: Iterable[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return what of some intervals lies between two positions."""
    inside = [(max(start, first), min(end, last)) for first, last in intervals]
    return [(first, last) for first, last in inside if first < last]


def bases_of(sequences: Sequence[BaseSource], contig: str, canvas: Canvas) -> NDArray[np.uint8]:
    """Return the codes of each sequence's bases on a canvas: (sequences, bases)."""
    rows = [
        np.concatenate(
            [
                np.empty(0, dtype=np.uint8),
                *(sequence.fetch_codes(contig, start, end) for start, end in canvas.intervals),
            ]
        )
        for sequence in sequences
    ]
    return np.stack(rows)

"""Values of the bases of several disjoint stretches of a contig, without the room between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from phenviz.models.phenformer_tokens import BaseSource


@dataclass
class Canvas:
    """Adds values up where stretches that were computed one by one overlap.

    Parameters
    ----------
    stretches
        (start, end) on the contig, disjoint and sorted, 0-based half-open.
    rows
        Values a base.
    dtype
        Of the values.

    Attributes
    ----------
    values
        Shape (rows, bases): the stretches one after the other.
    """

    stretches: Sequence[tuple[int, int]]
    rows: int = 1
    dtype: np.dtype | type = np.float32
    values: NDArray[np.floating] = field(init=False)

    def __post_init__(self) -> None:
        self._offsets = np.cumsum([0, *(end - start for start, end in self.stretches)])
        self.values = np.zeros((self.rows, int(self._offsets[-1])), dtype=self.dtype)

    @property
    def positions(self) -> NDArray[np.int64]:
        """0-based position of each base."""
        return np.concatenate([np.arange(start, end) for start, end in self.stretches])

    def add(self, start: int, values: NDArray[np.floating]) -> None:
        """Add values (rows, bases) of the bases from ``start`` on; what lies on no stretch is left out."""
        end = start + values.shape[1]
        for offset, (first, last) in zip(self._offsets, self.stretches, strict=False):
            left, right = max(start, first), min(end, last)
            if left < right:
                here = slice(int(offset) + left - first, int(offset) + right - first)
                self.values[:, here] += values[:, left - start : right - start]

    def part(self, start: int, end: int) -> Canvas | None:
        """Return a copy of what lies between two positions; None if nothing does."""
        inside = [(max(start, first), min(end, last)) for first, last in self.stretches]
        inside = [(first, last) for first, last in inside if first < last]
        if not inside:
            return None
        part = Canvas(inside, self.rows, self.dtype)
        for offset, (first, last) in zip(self._offsets, self.stretches, strict=False):
            left, right = max(start, first), min(end, last)
            if left < right:
                here = slice(int(offset) + left - first, int(offset) + right - first)
                part.add(left, self.values[:, here])
        return part


def bases_of(sequences: Sequence[BaseSource], contig: str, canvas: Canvas) -> NDArray[np.uint8]:
    """Return the codes of each sequence's bases on a canvas: (sequences, bases)."""
    rows = [
        np.concatenate([sequence.fetch_codes(contig, start, end) for start, end in canvas.stretches])
        for sequence in sequences
    ]
    return np.stack(rows)

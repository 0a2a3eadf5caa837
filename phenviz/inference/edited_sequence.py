"""A contig with some edits, and how what is predicted on it reads in reference coordinates.

Bins have a grid. Behind an insertion or deletion the grid of the edited sequence is shifted against that of
the reference, and every bin there would differ a little for no biological reason. So the edited sequence is
read on more than one grid: between two length-changing edits lies an *interval* whose bases all have the
same shift, and each interval is predicted on the grid on which its bins are those of the reference. Hence

- what no edit reaches is exactly what the reference has;
- a reference bin's value is the mean of what its bases have: base ``r`` of interval ``s`` has the value
  of the bin that covers it on the grid of ``s``; a deleted base has 0; the last base before an insertion has
  the maximum of its own value and those of the inserted bases (on the grid of its interval).

This is the field's rule for indels (an insertion keeps the maximum over the inserted bases, a deletion reads
0), on bins. Bases that REF and ALT share at their end, then at their beginning, are no part of the edit. Of
what is left, the first ``min(len(REF), len(ALT))`` bases are paired, and the rest is inserted or deleted
behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phenviz.genome.codes import encode
from phenviz.genome.reference import ReferenceGenome
from phenviz.genome.variant import Edit

# far beyond any contig: the first interval begins and the last one ends there
_FAR = 2**60

Around = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ShiftedInterval:
    """Bases between two length-changing edits.

    Parameters
    ----------
    start, end
        Reference bases, 0-based half-open; may overhang the contig.
    shift
        Position in the edited sequence minus position in the reference.
    inserted
        Number of inserted bases that follow.
    """

    start: int
    end: int
    shift: int
    inserted: int


@dataclass(frozen=True)
class GridWindow:
    """Bins of one shifted interval, with the sequence that predicts them.

    Parameters
    ----------
    owner
        Number of what the window belongs to (a variant, a haplotype).
    first_bin
        Number of the first bin on the contig.
    weights
        Share of each bin's bases that are read from this window, (bins,), float64. The bins behind the last
        one with a weight are those of inserted bases.
    codes
        Sequence of the bins and what predicts them on both sides.
    skip
        Bins of ``codes`` before the first one that is meant.
    anchor
        Index of the bin that is to have the maximum over itself and the bins behind it in the share of one
        base, since the interval ends there with an insertion; None where there is no such bin.
    """

    owner: int
    first_bin: int
    weights: NDArray[np.float64]
    codes: NDArray[np.uint8]
    skip: int
    anchor: int | None


class EditedSequence:
    """A contig of the reference with some edits.

    Parameters
    ----------
    reference, contig
        What is edited; beyond the contig's ends it is N.
    edits
        Without what both alleles share (`Edit.trimmed`); sorted, without overlap.
    """

    def __init__(self, reference: ReferenceGenome, contig: str, edits: Sequence[Edit]) -> None:
        self.reference, self.contig = reference, contig
        self._alts = [encode(alt) for _, _, alt in edits]
        starts = np.array([start for start, _, _ in edits], dtype=np.int64)
        added = np.array([len(alt) - len(ref) for _, ref, alt in edits], dtype=np.int64)
        # shift of the bases before each edit, and behind the last one
        self._shifts = np.concatenate([[0], np.cumsum(added)])
        self._begins = starts + self._shifts[:-1]
        self._ends = self._begins + np.array([len(alt) for alt in self._alts], dtype=np.int64)
        self.intervals = _intervals(edits)

    @property
    def length(self) -> int:
        """Bases of the edited contig."""
        return self.reference.contigs[self.contig] + int(self._shifts[-1])

    def codes(self, start: int, end: int) -> NDArray[np.uint8]:
        """Return the edited sequence, in its own coordinates (0-based half-open): (end - start,)."""
        parts, here = [], start
        edit = int(np.searchsorted(self._ends, start, side="right"))
        while here < end:
            begins = int(self._begins[edit]) if edit < len(self._alts) else _FAR
            if here < begins:
                stop, shift = min(begins, end), int(self._shifts[edit])
                parts.append(self.reference.fetch_codes(self.contig, here - shift, stop - shift))
                here = stop
            else:
                part = self._alts[edit][here - begins : end - begins]
                parts.append(part)
                here += len(part)
                edit += 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def windows(self, owner: int, first: int, last: int, size: int, around: Around) -> Iterator[GridWindow]:
        """Yield what the reference bins ``first`` to ``last`` (exclusive) are made of, interval by interval.

        Parameters
        ----------
        owner
            Goes into the windows.
        first, last
            Bins on the contig.
        size
            Bases per bin.
        around
            ``around(first, last)`` gives the first base, and the one behind the last, of the sequence that
            predicts bins first to last (exclusive); both lie on the grid.
        """
        for interval, begin, end, behind in self._on_intervals(first, last, size):
            first_bin, last_bin = begin // size, (end - 1) // size
            edges = np.arange(first_bin, last_bin + 2) * size
            shares = np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin)
            weights, anchor = shares / size, None
            if behind:
                anchor = len(weights) - 1
                weights = np.concatenate([weights, np.zeros(behind)])
            left, right = around(first_bin, first_bin + len(weights))
            # a global backbone's window may end among the inserted bases
            weights = weights[: right // size - first_bin]
            codes = self.codes(left + interval.shift, right + interval.shift)
            yield GridWindow(owner, first_bin, weights, codes, first_bin - left // size, anchor)

    def seen(self, first: int, last: int, size: int, around: Around) -> tuple[int, int]:
        """Return the reference bases that the bins ``first`` to ``last`` (exclusive) are made of, 0-based.

        Parameters
        ----------
        first, last, size, around
            As for `windows`.

        Returns
        -------
        tuple of int
            Half-open: from the first base that any of the bins has or sees to the last one; further than the
            sequence is long where bases are deleted. May overhang the contig.
        """
        low, high = first * size, last * size
        for interval, begin, end, behind in self._on_intervals(first, last, size):
            left, right = around(begin // size, (end - 1) // size + 1 + behind)
            low = min(low, self._place(left + interval.shift)[0])
            high = max(high, self._place(right + interval.shift - 1)[1])
        return low, high

    def _on_intervals(
        self, first: int, last: int, size: int
    ) -> Iterator[tuple[ShiftedInterval, int, int, int]]:
        """Yield what the bins have of each interval: its bases, and how many inserted bins follow."""
        for interval in self.intervals:
            begin, end = max(interval.start, first * size), min(interval.end, last * size)
            if begin < end:
                inserted = interval.inserted if end == interval.end else 0
                yield interval, begin, end, (end + inserted - 1) // size - (end - 1) // size

    def _place(self, base: int) -> tuple[int, int]:
        """Return the reference bases that an edited one stands for; in an edit, all that it replaces."""
        edit = int(np.searchsorted(self._ends, base, side="right"))
        if edit < len(self._alts) and self._begins[edit] <= base:
            begin = int(self._begins[edit] - self._shifts[edit])
            end = int(self._ends[edit] - self._shifts[edit + 1])
            # inserted bases belong to the base before them, where records of insertions begin
            return min(begin, end - 1), max(begin + 1, end)
        place = base - int(self._shifts[edit])
        return place, place + 1


def _intervals(edits: Sequence[Edit]) -> list[ShiftedInterval]:
    intervals, begin, shift = [], -_FAR, 0
    for start, ref, alt in edits:
        if len(ref) == len(alt):
            continue
        paired = min(len(ref), len(alt))
        intervals.append(ShiftedInterval(begin, start + paired, shift, len(alt) - paired))
        begin, shift = start + len(ref), shift + len(alt) - len(ref)
    return [*intervals, ShiftedInterval(begin, _FAR, shift, 0)]

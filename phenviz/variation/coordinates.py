"""Where a haplotype's bases lie on the reference, and the other way round."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phenviz.errors import LocusError
from phenviz.genome.variant import Edit

DELETED = -1


class CoordinateMap:
    """Piecewise map between offsets in a haplotype and positions on the reference.

    Parameters
    ----------
    start, end
        The locus, 0-based half-open.
    edits
        From left to right, none overlapping another one.
    """

    def __init__(self, start: int, end: int, edits: list[Edit]) -> None:
        self.start, self.end = start, end
        self._ref_start = np.array([edit.start for edit in edits], dtype=np.int64)
        self._ref_end = np.array([edit.end for edit in edits], dtype=np.int64)
        grown = np.array([len(edit.alt) - len(edit.ref) for edit in edits], dtype=np.int64)
        before = np.cumsum(grown) - grown
        self._hap_start = self._ref_start - start + before
        self._hap_end = self._ref_end - start + before + grown
        self.length = end - start + int(grown.sum())

    def to_reference(self, offsets: ArrayLike) -> NDArray[np.int64]:
        """Return the 0-based reference position of haplotype bases.

        An inserted base lies where the base before the insertion lies (at the locus' first base where
        there is none before it), so that positions never fall.

        Parameters
        ----------
        offsets
            0-based from the haplotype's first base, any shape.

        Raises
        ------
        LocusError
            If an offset lies outside the haplotype.
        """
        wanted = np.asarray(offsets, dtype=np.int64)
        _refuse_outside(wanted, 0, self.length, "offset", "haplotype")
        edit = np.searchsorted(self._hap_start, wanted, side="right") - 1
        if not len(self._hap_start):
            return wanted + self.start
        ref_start, ref_end = self._ref_start[edit], self._ref_end[edit]
        hap_start, hap_end = self._hap_start[edit], self._hap_end[edit]
        inside = np.minimum(ref_start + wanted - hap_start, np.maximum(ref_end, ref_start) - 1)
        place = np.where(wanted < hap_end, np.maximum(inside, self.start), ref_end + wanted - hap_end)
        return np.where(edit < 0, wanted + self.start, place)

    def from_reference(self, positions: ArrayLike) -> NDArray[np.int64]:
        """Return the offset of the haplotype base at reference positions; `DELETED` where there is none.

        Parameters
        ----------
        positions
            0-based, within the locus, any shape.

        Raises
        ------
        LocusError
            If a position lies outside the locus.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        _refuse_outside(wanted, self.start, self.end, "position", "locus")
        if not len(self._ref_start):
            return wanted - self.start
        edit = np.searchsorted(self._ref_start, wanted, side="right") - 1
        within = wanted - self._ref_start[edit]
        hap_start, hap_end = self._hap_start[edit], self._hap_end[edit]
        replaced = np.where(within < hap_end - hap_start, hap_start + within, DELETED)
        after = hap_end + wanted - self._ref_end[edit]
        offset = np.where(wanted < self._ref_end[edit], replaced, after)
        return np.where(edit < 0, wanted - self.start, offset)

    def cuts(self, positions: ArrayLike) -> NDArray[np.int64]:
        """Return how many haplotype bases lie before reference positions.

        What a haplotype has of the reference bases ``a`` to ``b`` (half-open), insertions after one of
        them included, is ``codes[cuts(a):cuts(b)]``; intervals that touch each other on the reference
        touch each other here.

        Parameters
        ----------
        positions
            0-based, within the locus or at its end, any shape.

        Raises
        ------
        LocusError
            If a position lies outside.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        _refuse_outside(wanted, self.start, self.end + 1, "position", "locus")
        if not len(self._ref_start):
            return wanted - self.start
        # an insertion belongs to the base before it, so it comes before a position at its own place
        edit = np.searchsorted(self._ref_start, wanted, side="right") - 1
        within = wanted - self._ref_start[edit]
        hap_start, hap_end = self._hap_start[edit], self._hap_end[edit]
        partly = np.minimum(hap_start + within, hap_end)
        after = hap_end + wanted - self._ref_end[edit]
        offset = np.where(wanted < self._ref_end[edit], partly, after)
        offset = np.where(edit < 0, wanted - self.start, offset)
        # before its first base a locus has nothing
        return np.where(wanted == self.start, 0, offset)


def _refuse_outside(wanted: NDArray[np.int64], first: int, end: int, what: str, where: str) -> None:
    if wanted.size and (wanted.min() < first or wanted.max() >= end):
        wrong = wanted[(wanted < first) | (wanted >= end)].flat[0]
        raise LocusError(f"{what} {wrong} lies outside the {where}: it has {first} to {end - 1} (0-based)")

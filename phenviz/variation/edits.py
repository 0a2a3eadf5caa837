"""Edits of a haplotype in one form, however its variants were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.variation.normalise import rotated, steps_left

# An indel of a longer repeat stays that far left of where it is written: loci that overlap must agree, and so
# know how far behind their ends they have to look.
FARTHEST = 4_096
# 0-based first base, what is replaced, and by what
Edit = tuple[int, str, str]


class CanonicalEdits:
    """Brings what haplotypes have on one contig into one form.

    Parameters
    ----------
    codes
        Of the whole contig, shape (length,).
    """

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        self._codes = codes
        self._alone: dict[Edit, list[Edit]] = {}

    def of(self, written: Sequence[Edit]) -> list[tuple[Edit, frozenset[int]]]:
        """Give the edits of one haplotype in their canonical form.

        Shared bases are left out, insertions and deletions lie as far left as they go (at most `FARTHEST`)
        without crossing the edit before them, edits that touch are one, and substitutions are parted where
        bases between them stay.

        Parameters
        ----------
        written
            Variants as a file has them, sorted; those behind leave alone what those before have changed.

        Returns
        -------
        list
            Edits, sorted, at least one base apart, and which of ``written`` each is made of.
        """
        done: list[tuple[Edit, frozenset[int]]] = []
        for number, one in enumerate(written):
            alone = self._alone.get(one)
            if alone is None:
                alone = self._alone[one] = [edit for edit, _ in self._add([], one, frozenset())]
            if not alone:
                continue
            if not done or alone[0][0] > _end(done[-1][0]):
                done += [(edit, frozenset([number])) for edit in alone]
            else:
                self._add(done, one, frozenset([number]))
        return done

    def _add(
        self, done: list[tuple[Edit, frozenset[int]]], one: Edit, made_of: frozenset[int]
    ) -> list[tuple[Edit, frozenset[int]]]:
        for edit in _parted(without_shared_bases(*one)):
            start, ref, alt = edit
            if not (ref and alt):
                floor = max(_end(done[-1][0]) if done else 0, start - FARTHEST, 0)
                steps = steps_left(self._codes, start, ref or alt, floor)
                edit = (start - steps, rotated(ref, steps), rotated(alt, steps))
            if done and edit[0] <= _end(done[-1][0]):
                before, parts = done.pop()
                joined = (before[0], before[1] + edit[1], before[2] + edit[2])
                self._add(done, joined, parts | made_of)
            else:
                done.append((edit, made_of))
        return done


def without_shared_bases(start: int, ref: str, alt: str) -> Edit:
    """Leave out what both alleles share, first at their beginning.

    Parameters
    ----------
    start
        0-based first base of ``ref``.
    ref, alt
        Alleles.
    """
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[shared] == alt[shared]:
        shared += 1
    ref, alt, start = ref[shared:], alt[shared:], start + shared
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[-1 - shared] == alt[-1 - shared]:
        shared += 1
    return start, ref[: len(ref) - shared], alt[: len(alt) - shared]


def changed_bases(
    variants: pd.DataFrame, columns: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return 0-based start and exclusive end of what variants change, an insertion's being the base before.

    Parameters
    ----------
    variants
        One row each.
    columns
        Those of position (1-based) and both alleles.
    """
    table = variants[list(columns)].itertuples(index=False)
    short = [without_shared_bases(position - 1, ref, alt) for position, ref, alt in table]
    starts = np.array([start for start, _, _ in short], dtype=np.int64)
    lengths = np.array([len(ref) for _, ref, _ in short], dtype=np.int64)
    return starts - (lengths == 0), starts + lengths


def _parted(edit: Edit) -> Iterator[Edit]:
    """Part an edit where paired bases are equal; what is inserted or deleted comes behind the pairs."""
    start, ref, alt = edit
    paired = min(len(ref), len(alt))
    here = 0
    for same, bases in groupby(zip(ref[:paired], alt[:paired], strict=True), lambda pair: pair[0] == pair[1]):
        there = here + sum(1 for _ in bases)
        if not same:
            last = there == paired
            yield start + here, ref[here : None if last else there], alt[here : None if last else there]
        here = there
    if len(ref) != len(alt) and (not paired or ref[paired - 1] == alt[paired - 1]):
        yield start + paired, ref[paired:], alt[paired:]


def _end(edit: Edit) -> int:
    return edit[0] + len(edit[1])

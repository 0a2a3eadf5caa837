"""Edits of a haplotype in one form, however its variants were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phenviz.genome.variant import Edit
from phenviz.variation.normalise import rotated, steps_left

# An indel of a longer repeat stays that far left of where it is written: loci that overlap must agree, and so
# know how far behind their ends they have to look.
FARTHEST = 4_096


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
            if not done or alone[0].start > done[-1][0].end:
                done += [(edit, frozenset([number])) for edit in alone]
            else:
                self._add(done, one, frozenset([number]))
        return done

    def _add(
        self, done: list[tuple[Edit, frozenset[int]]], one: Edit, made_of: frozenset[int]
    ) -> list[tuple[Edit, frozenset[int]]]:
        for edit in _parted(one.trimmed_from_start()):
            start, ref, alt = edit
            if not (ref and alt):
                floor = max(done[-1][0].end if done else 0, start - FARTHEST, 0)
                steps = steps_left(self._codes, start, ref or alt, floor)
                edit = Edit(start - steps, rotated(ref, steps), rotated(alt, steps))
            if done and edit.start <= done[-1][0].end:
                before, parts = done.pop()
                joined = Edit(before.start, before.ref + edit.ref, before.alt + edit.alt)
                self._add(done, joined, parts | made_of)
            else:
                done.append((edit, made_of))
        return done


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
    short = [Edit(position - 1, ref, alt).trimmed_from_start() for position, ref, alt in table]
    starts, ends = (np.array([getattr(edit, name) for edit in short], np.int64) for name in ("start", "end"))
    return starts - (starts == ends), ends


def _parted(edit: Edit) -> Iterator[Edit]:
    """Part an edit where paired bases are equal; what is inserted or deleted comes behind the pairs."""
    start, ref, alt = edit
    paired = min(len(ref), len(alt))
    here = 0
    for same, bases in groupby(zip(ref[:paired], alt[:paired], strict=True), lambda pair: pair[0] == pair[1]):
        there = here + sum(1 for _ in bases)
        if not same:
            last = there == paired
            behind = None if last else there
            yield Edit(start + here, ref[here:behind], alt[here:behind])
        here = there
    if len(ref) != len(alt) and (not paired or ref[paired - 1] == alt[paired - 1]):
        yield Edit(start + paired, ref[paired:], alt[paired:])

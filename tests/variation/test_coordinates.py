from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phenviz.errors import LocusError
from phenviz.genome import Locus
from phenviz.genome.variant import Edit
from phenviz.variation import apply_variants
from phenviz.variation.coordinates import DELETED, CoordinateMap


def replaced(start: int, end: int, bases: str) -> Edit:
    return Edit(start, "N" * (end - start), bases)


_AT_THE_START = (10, 20, [replaced(10, 10, "AA"), replaced(10, 12, "")])
_AT_THE_END = (10, 20, [replaced(15, 17, "ACG"), replaced(20, 20, "AA")])


@st.composite
def _edited_loci(draw):
    """Draw a locus and edits from left to right that don't overlap."""
    start = draw(st.integers(0, 50))
    edits, place = [], start
    for _ in range(draw(st.integers(0, 6))):
        begin = place + draw(st.integers(0, 5))
        end = begin + draw(st.integers(0, 4))
        bases = "A" * draw(st.integers(0, 4))
        if end > begin or bases:
            edits.append(replaced(begin, end, bases))
        # two insertions never share a place
        place = end + (end == begin)
    return start, place + draw(st.integers(1, 5)), edits


def _base_by_base(start, end, edits):
    """Walk along the haplotype: the reference position of every base, the slow way."""
    places, position = [], start
    for edit in edits:
        places += range(position, edit.start)
        covered = range(edit.start, edit.end)
        for index in range(len(edit.alt)):
            place = covered[min(index, len(covered) - 1)] if covered else edit.start - 1
            places.append(max(place, start))
        position = edit.end
    return places + list(range(position, end))


@given(_edited_loci())
@example(_AT_THE_START)
@example(_AT_THE_END)
def test_offsets_lie_where_a_walk_along_the_haplotype_puts_them(drawn):
    start, end, edits = drawn
    walked = _base_by_base(start, end, edits)
    coordinates = CoordinateMap(start, end, edits)
    assert coordinates.length == len(walked)
    np.testing.assert_array_equal(coordinates.to_reference(np.arange(len(walked))), walked)


@given(_edited_loci())
@example(_AT_THE_START)
@example(_AT_THE_END)
def test_every_reference_base_is_deleted_or_goes_there_and_back(drawn):
    start, end, edits = drawn
    coordinates = CoordinateMap(start, end, edits)
    positions = np.arange(start, end)
    offsets = coordinates.from_reference(positions)
    gone = np.zeros(end - start, dtype=bool)
    for edit in edits:
        gone[edit.start + len(edit.alt) - start : edit.end - start] = True
    np.testing.assert_array_equal(offsets == DELETED, gone)
    np.testing.assert_array_equal(coordinates.to_reference(offsets[~gone]), positions[~gone])


@given(_edited_loci())
@example(_AT_THE_START)
@example(_AT_THE_END)
def test_cuts_part_the_haplotype_without_gap_or_overlap(drawn):
    start, end, edits = drawn
    coordinates = CoordinateMap(start, end, edits)
    cuts = coordinates.cuts(np.arange(start, end + 1))
    assert cuts[0] == 0 and cuts[-1] == coordinates.length
    assert (np.diff(cuts) >= 0).all()
    # a base lies in the stretch of the reference base that it maps to
    walked = np.array(_base_by_base(start, end, edits), dtype=int)
    np.testing.assert_array_equal(np.diff(cuts), np.bincount(walked - start, minlength=end - start))


def test_positions_outside_the_locus_are_refused():
    coordinates = CoordinateMap(100, 110, [replaced(103, 105, "")])
    with pytest.raises(LocusError, match="position 110 lies outside the locus"):
        coordinates.from_reference([105, 110])
    with pytest.raises(LocusError, match="offset 8 lies outside the haplotype"):
        coordinates.to_reference(8)
    assert coordinates.cuts(110) == 8


def test_bases_beside_an_insertion_and_a_deletion_line_up(toy_world):
    reference, locus = toy_world.reference, Locus("20", 1_000, 1_020)
    sequence = reference.sequence(locus)
    rows = pd.DataFrame(
        {
            "contig": ["20", "20"],
            "position": [1_005, 1_011],
            "ref": [sequence[4], sequence[10:14]],
            "alt": [sequence[4] + "GGG", sequence[10]],
        }
    )
    haplotype = apply_variants(reference, locus, rows)
    assert haplotype.sequence == sequence[:5] + "GGG" + sequence[5:11] + sequence[14:]
    # inserted bases lie at the base before them, deleted ones nowhere
    assert haplotype.to_reference([4, 5, 6, 7, 8]).tolist() == [1_004, 1_004, 1_004, 1_004, 1_005]
    assert haplotype.from_reference([1_010, 1_011, 1_013, 1_014]).tolist() == [13, -1, -1, 14]

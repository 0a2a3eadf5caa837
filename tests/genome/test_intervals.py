from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.genome.intervals import covered_intervals, holding, merged, nearest_place


@pytest.mark.parametrize("seed", range(20))
def test_all_intervals_that_hold_a_position_are_found_however_they_overlap(seed):
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 300, 60)
    lengths = rng.choice([1, 5, 40, 250], 60)
    intervals = pd.DataFrame(
        {"contig": rng.choice(["chr20", "X"], 60), "start": starts, "end": starts + lengths}
    )
    positions = pd.DataFrame(
        {"contig": rng.choice(["20", "chrx", "7"], 80), "position": rng.integers(1, 400, 80)}
    )
    expected = [
        (row, number)
        for row, point in enumerate(positions.itertuples())
        for number, own in enumerate(intervals.itertuples())
        if point.contig.removeprefix("chr").upper() == own.contig.removeprefix("chr")
        and own.start < point.position <= own.end
    ]
    rows, found = holding(positions, intervals)
    assert list(zip(rows.tolist(), found.tolist(), strict=True)) == expected


def test_nothing_is_found_in_nothing():
    none = pd.DataFrame({"contig": [], "position": [], "start": [], "end": []})
    one = pd.DataFrame({"contig": ["20"], "position": [5], "start": [1], "end": [9]})
    for positions, intervals in ((none, one), (one, none), (one, one.assign(contig="X"))):
        rows, found = holding(positions, intervals)
        assert len(rows) == len(found) == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_place_is_that_of_looking_at_all(seed):
    rng = np.random.default_rng(seed)
    places, wanted = np.sort(rng.integers(0, 50, rng.integers(1, 12))), rng.integers(-5, 60, 40)
    found = nearest_place(places, wanted)
    np.testing.assert_array_equal(
        np.abs(places[found] - wanted), np.abs(places[:, None] - wanted).min(axis=0)
    )


@pytest.mark.parametrize("seed", range(20))
def test_joined_intervals_cover_the_same_bases_and_lie_apart_by_the_gap(seed):
    rng = np.random.default_rng(seed)
    starts, gap = rng.integers(0, 200, 25), int(rng.integers(1, 12))
    pairs = list(zip(starts.tolist(), (starts + rng.integers(1, 20, 25)).tolist(), strict=True))
    base_by_base = np.zeros(300, dtype=bool)
    for start, end in pairs:
        base_by_base[start:end] = True
    assert merged(pairs) == covered_intervals(np.flatnonzero(base_by_base))
    slow = []
    for start, end in covered_intervals(np.flatnonzero(base_by_base)):
        if slow and start - slow[-1][1] < gap:
            start = slow.pop()[0]
        slow.append((start, end))
    assert merged(pairs, gap) == slow
    assert merged([]) == covered_intervals(np.flatnonzero(np.zeros(3))) == []

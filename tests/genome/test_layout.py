import numpy as np
import pytest

from phenviz.genome.packing import pack_rows
from phenviz.genome.ticks import format_length, position_ticks, scale_bar


@pytest.mark.parametrize("seed", range(20))
def test_packed_intervals_never_overlap_and_rows_are_as_few_as_possible(seed):
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 1_000, 60)
    ends = starts + rng.integers(1, 200, 60)
    rows = pack_rows(starts, ends)
    for row in range(rows.max() + 1):
        inside = np.flatnonzero(rows == row)
        order = inside[np.argsort(starts[inside])]
        assert (ends[order][:-1] <= starts[order][1:]).all()
    depth = max(int(((starts <= p) & (ends > p)).sum()) for p in range(1_200))
    assert rows.max() + 1 == depth


def test_intervals_of_a_row_keep_the_gap():
    assert pack_rows([0, 10, 21], [10, 20, 30], gap=1).tolist() == [0, 1, 0]


def test_no_intervals_have_no_rows():
    assert pack_rows([], []).tolist() == []


@pytest.mark.parametrize("seed", range(50))
def test_ticks_lie_inside_and_are_not_too_many(seed):
    rng = np.random.default_rng(seed)
    start = int(rng.integers(0, 60_000_000))
    end = start + int(10 ** rng.uniform(0, 7.8))
    most = int(rng.integers(1, 12))
    positions, labels = position_ticks(start, end, most)
    assert len(positions) == len(labels) <= most
    assert ((positions >= start) & (positions < end)).all()
    assert len(set(labels)) == len(labels)
    if len(positions) > 2:
        assert len(set(np.diff(positions))) == 1


@pytest.mark.parametrize("seed", range(50))
def test_labels_are_the_positions_counted_from_one(seed):
    rng = np.random.default_rng(seed)
    start = int(rng.integers(0, 60_000_000))
    positions, labels = position_ticks(start, start + int(10 ** rng.uniform(0.5, 7)), 6)
    for position, label in zip(positions, labels, strict=True):
        number = label.removesuffix(" Mb").replace(",", "")
        value = float(number) * (1_000_000 if label.endswith("Mb") else 1)
        assert value == pytest.approx(position + 1, abs=0.01)


@pytest.mark.parametrize(
    ("bases", "text"),
    [(1, "1 bp"), (999, "999 bp"), (77_302, "77.3 kb"), (1_000_000, "1 Mb"), (63_025_520, "63 Mb")],
)
def test_lengths_are_written_in_few_signs(bases, text):
    assert format_length(bases) == text


def test_the_scale_bar_is_round_and_fits():
    assert scale_bar(77_302, 0.2) == (10_000, "10 kb")
    assert scale_bar(3, 0.2) == (1, "1 bp")

import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.tracks.viewport import LoadedInterval, View, clamp, nice_ceiling, x_of

LENGTH = 50_000


@pytest.mark.parametrize("seed", range(200))
def test_a_clamped_locus_lies_on_the_contig_and_keeps_its_length(seed):
    rng = np.random.default_rng(seed)
    start = int(rng.integers(0, 2 * LENGTH))
    locus = Locus("20", start, start + int(rng.integers(1, 2 * LENGTH)))
    clamped = clamp(locus, LENGTH)
    assert 0 <= clamped.start < clamped.end <= LENGTH
    assert clamped.length == min(max(locus.length, 20), LENGTH)


def test_a_locus_inside_the_contig_is_left_alone():
    assert clamp(Locus("20", 100, 200), LENGTH) == Locus("20", 100, 200)


def test_a_single_base_is_shown_in_the_middle():
    clamped = clamp(Locus("20", 1_000, 1_001), LENGTH)
    assert abs(clamped.centre - 1_000) <= 1 and clamped.length == 20


def test_a_base_is_centred_on_its_number_counted_from_one():
    assert (x_of(41.0) + x_of(42.0)) / 2 == 42


@pytest.mark.parametrize("seed", range(50))
def test_what_is_loaded_serves_any_move_within_its_margin_and_none_beyond(seed):
    rng = np.random.default_rng(seed)
    start = int(rng.integers(10_000, 20_000))
    view = View("20", start, start + 5_000, LENGTH, 1_000)
    loaded = LoadedInterval.around(view)
    move = int(rng.integers(0, 5_000))
    assert loaded.serves(View("20", start + move, start + move + 5_000, LENGTH, 1_000))
    assert not loaded.serves(View("20", start + 5_001, start + 10_001, LENGTH, 1_000))
    assert not loaded.serves(View("20", start + 2_000, start + 3_000, LENGTH, 1_000))


def test_an_interval_of_three_views_gets_a_point_a_pixel():
    loaded = LoadedInterval.around(View("20", 20_000, 25_000, LENGTH, 1_000))
    assert loaded.points(1_000) == 3_000


@pytest.mark.parametrize("value", np.random.default_rng(0).uniform(1e-6, 1e6, 100))
def test_limits_are_round_and_hold_the_value(value):
    limit = nice_ceiling(value)
    assert value <= limit * (1 + 1e-9) <= value * 1.5


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_no_value_still_gives_a_limit(value):
    assert nice_ceiling(value) == 1.0

import numpy as np
import pytest

from phenviz.figures.reduce import groups_of, reduce_extremes, reduce_mean, reduce_strongest


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_extremes_equal_the_plain_loop(size):
    rng = np.random.default_rng(size)
    values = rng.normal(size=(2, 50))
    values[0, 10:20] = np.nan
    lowest, highest = reduce_extremes(values, size)
    for row in range(2):
        for group, begin in enumerate(range(0, 50, size)):
            known = [v for v in values[row, begin : begin + size] if np.isfinite(v)]
            expected = (min(known), max(known)) if known else (np.nan, np.nan)
            np.testing.assert_equal((lowest[row, group], highest[row, group]), expected)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_the_mean_leaves_out_what_is_unknown(size):
    values = np.random.default_rng(size).normal(size=(2, 50))
    values[0, 10:20] = np.nan
    mean = reduce_mean(values, size)
    for row in range(2):
        for group, begin in enumerate(range(0, 50, size)):
            known = [v for v in values[row, begin : begin + size] if np.isfinite(v)]
            np.testing.assert_allclose(mean[row, group], np.mean(known) if known else np.nan)


def test_the_strongest_keeps_its_sign():
    np.testing.assert_array_equal(reduce_strongest(np.array([1.0, -3.0, 2.0, 0.5]), 2), [-3.0, 2.0])


@pytest.mark.parametrize(("length", "most"), [(1, 10), (10, 10), (11, 10), (1_000_001, 4_000)])
def test_groups_leave_at_most_so_many(length, most):
    assert -(-length // groups_of(length, most)) <= most

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from phenviz.disease.engine import LocusSums, leave_one_out, locus_sums, matched_test, untested, usual_level
from phenviz.disease.matching import Replicas


def _sums(rng, loci=6, replicas=150, contexts=3, shift=0.0):
    null = rng.gamma(1.0, 1.0, (loci, replicas, contexts))
    observed = rng.gamma(1.0, 1.0, (loci, contexts)) + shift
    return LocusSums(observed, null, np.ones(loci))


def test_p_values_are_uniform_where_observed_and_null_are_alike():
    rng = np.random.default_rng(1)
    p = [matched_test(_sums(rng), 400, rng).p_value[0] for _ in range(250)]
    assert kstest(p, "uniform").pvalue > 0.001
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_p_values_of_a_single_locus_are_true_however_few_its_replicas():
    rng = np.random.default_rng(11)
    p = np.array([matched_test(_sums(rng, 1, 99, 1), 4_000, rng).p_value[0] for _ in range(1_500)])
    # of 100 exchangeable numbers, one is the largest
    assert binomtest(int((p <= 0.0125).sum()), len(p), 0.01).pvalue > 0.001
    assert p.min() > 0.005


def test_two_sided_p_values_are_uniform_too():
    rng = np.random.default_rng(2)
    p = [matched_test(_sums(rng), 400, rng, two_sided=True).p_value[0] for _ in range(250)]
    assert 0.015 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_an_excess_is_found_with_its_size():
    rng = np.random.default_rng(3)
    found = matched_test(_sums(rng, loci=40, shift=1.5), 2_000, rng)
    np.testing.assert_allclose(found.effect, 1.5, atol=0.6)
    assert (found.p_value < 0.001).all() and (found.z > 3).all()
    assert (found.interval_low < found.effect).all() and (found.effect < found.interval_high).all()


def test_bootstrap_error_of_equal_loci_is_that_of_the_mean():
    rng = np.random.default_rng(4)
    sums = _sums(rng, loci=60)
    expected = sums.excess.std(0, ddof=1) / np.sqrt(60)
    np.testing.assert_allclose(matched_test(sums, 200, rng).se, expected, rtol=0.1)


def test_one_locus_has_a_p_value_but_no_interval_and_nothing_to_leave_out():
    rng = np.random.default_rng(5)
    sums = _sums(rng, loci=1)
    found = matched_test(sums, 500, rng)
    assert np.isfinite(found.p_value).all() and np.isnan(found.se).all()
    assert np.isnan(found.p_without_top).all() and np.isnan(leave_one_out(sums, 500, rng)[1]).all()


def test_what_follows_from_the_best_context_is_gone_once_that_is_given():
    rng = np.random.default_rng(6)
    first = rng.gamma(1.0, 1.0, (12, 300, 1))
    echo = first + 0.05 * rng.normal(size=first.shape)
    own = rng.gamma(1.0, 1.0, first.shape)
    null = np.concatenate([first, echo, own], axis=2)
    observed = null[:, 0] + np.array([2.0, 2.0, 2.0])
    found = matched_test(LocusSums(observed, null, np.ones(12)), 2_000, rng)
    given = found.p_conditional
    best = int(np.flatnonzero(np.isnan(given))[0])
    other = 1 - best if best < 2 else 0
    assert best in (0, 1) and given[other] > 0.01 and given[2] < 0.001


def test_a_trait_that_hangs_on_one_locus_says_so():
    rng = np.random.default_rng(7)
    sums = _sums(rng, loci=5)
    observed = sums.null.mean(1).copy()
    observed[2] += 50
    found = matched_test(LocusSums(observed, sums.null, sums.weight), 1_000, rng)
    np.testing.assert_allclose(found.top_locus_share, 1.0, atol=1e-6)
    assert (found.p_value < 0.01).all() and (found.p_without_top > 0.05).all()
    z, p = leave_one_out(LocusSums(observed, sums.null, sums.weight), 1_000, rng)
    assert (np.abs(z[2]) < 1).all() and (np.delete(p, 2, axis=0) < 0.01).all()


def test_sums_are_those_of_a_plain_loop():
    rng = np.random.default_rng(8)
    values, pool = rng.random((7, 2)), rng.random((30, 2))
    weight, level, pool_level = rng.random(7), rng.random(7) + 0.5, rng.random(30) + 0.5
    order = (np.array([0, 2, 4]), np.array([1, 3, 5, 6]))
    rows = tuple(rng.integers(0, 30, (5, len(part))) for part in order)
    sums = locus_sums(values, weight, Replicas(rows, order, ("a", "b"), {}), pool, level, pool_level)
    for locus, (own, stand_in) in enumerate(zip(order, rows, strict=True)):
        np.testing.assert_allclose(sums.observed[locus], sum(weight[v] * values[v] for v in own))
        for replica in range(5):
            slow = sum(
                weight[v] * pool[s] * np.clip(level[v] / pool_level[s], 0.5, 2.0)
                for v, s in zip(own, stand_in[replica], strict=True)
            )
            np.testing.assert_allclose(sums.null[locus, replica], slow)


def test_nothing_to_weigh_is_untested():
    rng = np.random.default_rng(9)
    sums = LocusSums(np.zeros((2, 3)), np.zeros((2, 4, 3)), np.zeros(2))
    assert np.isnan(matched_test(sums, 100, rng).p_value).all()
    assert np.isnan(untested(3).effect).all()


def test_the_usual_level_rises_with_activity_and_indels_have_their_own():
    rng = np.random.default_rng(10)
    activity = rng.random(2_000) * 5
    indel = rng.random(2_000) < 0.3
    size = activity * np.where(indel, 2.0, 1.0)
    at = np.array([1.0, 4.0, 1.0, 4.0])
    level = usual_level(size, activity, indel, at, np.array([False, False, True, True]))
    np.testing.assert_allclose(level, [1, 4, 2, 8], rtol=0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_numbers(seed):
    one, two = (
        matched_test(_sums(np.random.default_rng(3)), 300, np.random.default_rng(seed)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.p_value, two.p_value)
    np.testing.assert_array_equal(one.se, two.se)

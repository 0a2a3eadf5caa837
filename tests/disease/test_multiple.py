from __future__ import annotations

import numpy as np

from phenviz.disease.multiple import (
    benjamini_hochberg,
    bonferroni,
    effective_tests,
    effective_tests_nyholt,
)


def test_independent_contexts_count_each_and_equal_ones_once():
    assert effective_tests(np.eye(7)) == 7 and effective_tests(np.ones((7, 7))) == 1
    np.testing.assert_allclose(effective_tests_nyholt(np.eye(7)), 7)
    np.testing.assert_allclose(effective_tests_nyholt(np.ones((7, 7))), 1)


def test_two_blocks_of_equal_contexts_count_twice():
    blocks = np.kron(np.eye(2), np.ones((3, 3)))
    assert effective_tests(blocks) == 2


def test_q_values_are_those_of_the_definition_and_leave_out_what_is_missing():
    p = np.array([[0.01, np.nan, 0.04], [0.03, 0.5, np.nan]])
    q = benjamini_hochberg(p)
    np.testing.assert_allclose(q[0, 0], 0.04)
    np.testing.assert_allclose([q[1, 0], q[0, 2]], 0.04 * 4 / 3)
    np.testing.assert_allclose(q[1, 1], 0.5)
    assert np.isnan(q[0, 1]) and np.isnan(q[1, 2])


def test_bonferroni_counts_finite_p_values_unless_told():
    p = np.array([0.01, np.nan, 0.6])
    np.testing.assert_allclose(bonferroni(p), [0.02, np.nan, 1.0])
    np.testing.assert_allclose(bonferroni(p, 5)[0], 0.05)

from __future__ import annotations

import numpy as np

from phenviz.genome import decode, encode, one_hot, reverse_complement


def test_bases_survive_the_round_trip_and_anything_else_is_n():
    assert decode(encode("acgtACGTNRYx")) == "ACGTACGTNNNN"


def test_one_hot_has_a_one_for_each_base_and_none_for_n():
    channels = one_hot(encode("ACGTN"))
    assert channels.shape == (4, 5)
    np.testing.assert_array_equal(channels, np.eye(4, 5, dtype=np.float32))


def test_one_hot_keeps_leading_dimensions():
    assert one_hot(np.zeros((2, 3, 7), dtype=np.uint8)).shape == (2, 3, 4, 7)


def test_the_reverse_complement_of_one_hot_is_flipped_in_both_axes():
    codes = encode("ACGGTNA")
    np.testing.assert_array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[::-1, ::-1])

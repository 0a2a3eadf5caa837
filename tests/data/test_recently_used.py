from __future__ import annotations

import numpy as np

from phenviz.data.cache import RecentlyUsed


def test_what_was_not_used_for_longest_is_forgotten_first():
    held = RecentlyUsed[str, int](2)
    held.put("a", 1)
    held.put("b", 2)
    assert held.get("a") == 1
    held.put("c", 3)
    assert ("a" in held, "b" in held, "c" in held) == (True, False, True)
    assert held.get("b") is None


def test_sizes_count_and_the_last_value_is_kept_however_large():
    held = RecentlyUsed[int, np.ndarray](100, lambda array: array.nbytes)
    for number in range(3):
        held.put(number, np.zeros(40, dtype=np.uint8))
    assert len(held) == 2
    held.put(3, np.zeros(1_000, dtype=np.uint8))
    assert len(held) == 1 and 3 in held
    held.put(4, np.zeros(10, dtype=np.uint8))
    assert 3 not in held and 4 in held


def test_a_value_in_place_of_another_counts_once():
    held = RecentlyUsed[str, bytes](10, len)
    for _ in range(5):
        held.put("a", b"12345")
    held.put("b", b"12345")
    assert "a" in held and "b" in held
    held.clear()
    held.put("c", b"1234567890")
    assert len(held) == 1

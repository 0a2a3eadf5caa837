from __future__ import annotations

import gc

import numpy as np

from phenviz.data.cache import MemoryLimit, RecentlyUsed


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


class Slow:
    """The plain way: all uses in one list, and every value that is there looked at in turn."""

    def __init__(self, limit: int, own: int) -> None:
        self.limit, self.own = limit, own
        self.values: list[tuple[int, str, int]] = []  # cache, key, size: least recent use first

    def use(self, cache: int, key: str) -> None:
        found = [one for one in self.values if one[:2] == (cache, key)]
        self.values = [one for one in self.values if one not in found] + found

    def put(self, cache: int, key: str, size: int) -> None:
        self.values = [one for one in self.values if one[:2] != (cache, key)] + [(cache, key, size)]
        self._shrink(lambda one: one[0] == cache, self.own)
        self._shrink(lambda one: True, self.limit)

    def _shrink(self, counts, limit) -> None:
        while sum(one[2] for one in self.values if counts(one)) > limit:
            gone = next((one for one in self.values[:-1] if counts(one)), None)
            if gone is None:
                return
            self.values.remove(gone)


def test_several_caches_keep_one_limit_as_if_they_were_one():
    rng = np.random.default_rng(5)
    shared, slow = MemoryLimit(1_000), Slow(1_000, 400)
    caches = [RecentlyUsed[str, bytes](400, len, shared) for _ in range(5)]
    for _ in range(3_000):
        place, key = int(rng.integers(5)), str(rng.integers(12))
        if rng.random() < 0.4:
            assert (caches[place].get(key) is not None) == any(o[:2] == (place, key) for o in slow.values)
            slow.use(place, key)
        else:
            size = int(rng.integers(0, 300))
            caches[place].put(key, bytes(size))
            slow.put(place, key, size)
        assert shared.held == sum(one[2] for one in slow.values) <= 1_000
    there = {
        (place, key) for place, cache in enumerate(caches) for key in map(str, range(12)) if key in cache
    }
    assert there == {one[:2] for one in slow.values}


def test_a_cache_that_is_gone_or_cleared_leaves_its_room_to_the_others():
    shared = MemoryLimit(100)
    one, other = (RecentlyUsed[str, bytes](100, len, shared) for _ in range(2))
    one.put("a", bytes(60))
    other.put("b", bytes(40))
    del one
    gc.collect()
    assert shared.held == 40
    other.put("c", bytes(60))
    assert "b" in other and shared.held == 100
    other.clear()
    assert shared.held == 0


def test_a_value_larger_than_the_limit_is_alone():
    shared = MemoryLimit(100)
    one, other = (RecentlyUsed[str, bytes](1_000, len, shared) for _ in range(2))
    one.put("a", bytes(60))
    other.put("b", bytes(300))
    assert "a" not in one and "b" in other
    one.put("a", bytes(60))
    assert "a" in one and "b" not in other

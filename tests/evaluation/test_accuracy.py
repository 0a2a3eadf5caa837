from __future__ import annotations

from evaluation.accuracy import COMPARED, section
from phenviz.models.evaluation import METRICS


def report(value: float, width: float) -> dict:
    entry = {"value": value, "interval": [value - width, value + width]}
    places = {"region": [36_000_000, 48_000_000], "summits": 1943, "background": 7772}
    return {**places, **dict.fromkeys(METRICS, entry)}


def test_the_section_says_how_many_targets_are_reached():
    def words(value, width):
        return section("toy@1", {"test": report(value, width), "validation": report(value, width)})

    assert "All targets are reached." in words(0.95, 0.01)
    assert "0 of 4 targets are reached." in words(0.40, 0.01)
    # 0.80 passes 0.77 and 0.45; 0.86 lies within 0.07 of it, 0.92 does not
    assert "2 of 4 targets are reached; of the others, 1 inside the interval." in words(0.80, 0.07)


def test_everything_that_is_measured_is_compared():
    assert set(COMPARED) == set(METRICS)

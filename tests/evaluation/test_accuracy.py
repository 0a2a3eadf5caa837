from __future__ import annotations

from evaluation.accuracy import section
from phenviz.models.evaluation import METRICS


def report(value: float, width: float, **more) -> dict:
    entry = {"value": value, "interval": [value - width, value + width]}
    places = {"region": [["20", 36_000_000, 48_000_000]], "summits": 1943, "background": 7772}
    return {**places, **dict.fromkeys(METRICS, entry), **more}


def test_the_section_shows_all_figures_and_each_context():
    one = {"value": 0.7, "interval": [0.6, 0.8]}
    contexts = {"Ery": {"peaks": 1251, "against_background": one, "within_sites": one}}
    sequences = {"HepG2": {"sequences": 12_298, "pearson": {"value": 0.515, "interval": [0.5, 0.53]}}}
    test = report(0.80, 0.07, contexts=contexts, sequences=sequences)
    said = section("toy@1", {"test": test, "validation": report(0.9, 0.01)})
    assert all(said.count(f"| {name} | 0.800 (0.730 to 0.870) |") == 1 for name in METRICS.values())
    assert said.count("0.900 (0.890 to 0.910)") == len(METRICS)
    assert "| Ery | 1,251 | 0.700 (0.600 to 0.800) | 0.700 (0.600 to 0.800) |" in said
    assert "| HepG2 | 12,298 | 0.515 (0.500 to 0.530) |" in said


def test_a_model_without_reporters_has_no_table_of_them():
    said = section("toy@1", {"test": report(0.8, 0.1, contexts={}), "validation": report(0.9, 0.1)})
    assert "Reporters" not in said

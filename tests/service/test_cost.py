"""Run times learnt from finished runs."""

import pytest

from phenviz.service import CostBook


def test_default_rate_holds_until_something_is_learnt(tmp_path):
    assert CostBook(tmp_path / "costs.json").seconds("a", 100, default=0.5) == pytest.approx(50.05)


def test_nothing_to_do_costs_nothing(tmp_path):
    assert CostBook(tmp_path / "costs.json").seconds("a", 0, default=0.5) == 0


def test_newer_runs_count_more_than_older_ones(tmp_path):
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("a", units=10, seconds=10)
    assert costs.seconds("a", 100, default=9) == pytest.approx(100.05)
    for _ in range(20):
        costs.learn("a", units=10, seconds=30)
    assert costs.seconds("a", 100, default=9) == pytest.approx(300, rel=0.01)


def test_rates_of_kinds_devices_and_models_are_kept_apart_and_on_disk(tmp_path):
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("a|cpu", 1, 2)
    costs.learn("a|cuda:0", 1, 4)
    again = CostBook(tmp_path / "costs.json")
    assert [again.seconds(name, 1, default=0) for name in ("a|cpu", "a|cuda:0")] == pytest.approx(
        [2.05, 4.05]
    )


def test_runs_too_short_to_measure_teach_nothing(tmp_path):
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("a", units=10, seconds=0.001)
    assert costs.seconds("a", 10, default=1) == pytest.approx(10.05)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"a": "much"}', '{"a": null}'])
def test_damaged_file_is_begun_anew(tmp_path, text, caplog):
    (tmp_path / "costs.json").write_text(text)
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("b", 1, 1)
    assert CostBook(tmp_path / "costs.json").seconds("b", 1, default=0) == pytest.approx(1.05)
    assert "learnt anew" in caplog.text


def test_file_that_cannot_be_written_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    costs = CostBook(tmp_path / "file" / "costs.json")
    costs.learn("a", 1, 1)
    assert costs.seconds("a", 1, default=0) == pytest.approx(1.05)

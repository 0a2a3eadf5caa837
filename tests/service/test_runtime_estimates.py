"""Run times learnt from finished runs."""

import json

import numpy as np
import pytest

from phenviz.service import CostBook


@pytest.fixture
def costs(tmp_path):
    return CostBook(tmp_path / "costs.json")


def test_default_rate_holds_until_something_is_learnt(costs):
    assert costs.seconds("a", 100, default=0.5) == pytest.approx(50.05)


def test_nothing_to_do_costs_nothing(costs):
    assert costs.seconds("a", 0, default=0.5) == 0


def test_one_run_is_scaled_in_proportion(costs):
    costs.learn("a", units=10, seconds=20)
    assert costs.seconds("a", 100, default=9) == pytest.approx(200)


def test_runs_of_different_length_tell_what_every_run_takes_from_what_a_unit_takes(costs):
    # a short run first: in proportion, it would predict 6,000 s for the long one
    for units in (10, 1_000, 50, 400):
        costs.learn("a", units, seconds=6 + 0.1 * units)
    assert costs.seconds("a", 10_000, default=9) == pytest.approx(1_006)
    assert costs.seconds("a", 1, default=9) == pytest.approx(6.1)


def test_newer_runs_count_more_than_older_ones(costs):
    costs.learn("a", units=10, seconds=10)
    for _ in range(20):
        costs.learn("a", units=10, seconds=30)
    assert costs.seconds("a", 100, default=9) == pytest.approx(300, rel=0.01)


def test_estimates_of_noisy_runs_are_never_negative_and_grow_with_the_work(costs):
    for units, seconds in ((1_000, 1.0), (10, 5.0), (20, 0.1), (5_000, 2.0)):
        costs.learn("a", units, seconds)
        estimates = [costs.seconds("a", work, default=9) for work in (1, 10, 1_000, 10**6)]
        assert 0 < estimates[0] and estimates == sorted(estimates)


def test_times_of_kinds_devices_and_models_are_kept_apart_and_on_disk(costs, tmp_path):
    costs.learn("a|cpu", 1, 2)
    costs.learn("a|cuda:0", 1, 4)
    again = CostBook(tmp_path / "costs.json")
    assert [again.seconds(name, 1, default=0) for name in ("a|cpu", "a|cuda:0")] == pytest.approx([2, 4])


def test_runs_too_short_to_measure_teach_nothing(costs):
    costs.learn("a", units=10, seconds=0.001)
    assert costs.seconds("a", 10, default=1) == pytest.approx(10.05)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1, 2]",
        '{"a": "much"}',
        '{"a": null}',
        '{"a": [1, 2, 3, 4, 5, 6]}',
        '{"a": 1}',
        '{"a": [[0, 1]]}',
        '{"a": [[1, NaN]]}',
    ],
)
def test_damaged_file_is_begun_anew(tmp_path, text, caplog):
    (tmp_path / "costs.json").write_text(text)
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("b", 1, 1)
    assert CostBook(tmp_path / "costs.json").seconds("b", 1, default=0) == pytest.approx(1)
    assert "learnt anew" in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_runs_on_a_busy_machine_do_not_spoil_the_estimates(costs, seed):
    rng = np.random.default_rng(seed)
    sizes = 10 ** rng.uniform(2, 6, 14)
    busy = set(rng.choice(14, 3, replace=False).tolist())
    for number, units in enumerate(sizes):
        slower = 40 if number in busy else rng.uniform(0.9, 1.2)
        costs.learn("a", units, (0.5 + 1e-4 * units) * slower)
    assert costs.seconds("a", 1e8, default=9) == pytest.approx(1e4, rel=0.3)


def test_one_run_on_a_busy_machine_after_one_on_a_free_one_changes_little(costs):
    costs.learn("a", 3_000, 0.4)
    costs.learn("a", 3_000, 30.0)
    assert costs.seconds("a", 3_000, default=9) == pytest.approx(0.4)


def test_first_short_run_that_was_slow_makes_no_absurd_estimate_of_a_long_one(costs):
    # loading and warming up took most of it
    costs.learn("a", 300, 3.0)
    by_default, in_proportion = 6e7 * 1e-4, 6e7 * 1e-2
    assert by_default < costs.seconds("a", 6e7, default=1e-4) < 0.2 * in_proportion
    # a run that is long enough to tell is believed
    costs.learn("b", 3_000, 30.0)
    assert costs.seconds("b", 6e7, default=1e-4) == pytest.approx(in_proportion)


def test_machine_that_became_slower_for_good_is_believed_after_some_runs(costs):
    for _ in range(16):
        costs.learn("a", 100, 1.0)
    for _ in range(7):
        costs.learn("a", 100, 3.0)
    assert costs.seconds("a", 100, default=9) == pytest.approx(3.0)


def test_only_the_last_runs_are_kept_on_disk(costs, tmp_path):
    for number in range(100):
        costs.learn("a", 10, 1.0 + number)
    assert len(json.loads((tmp_path / "costs.json").read_text())["a"]) == 16


def test_file_that_cannot_be_written_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    costs = CostBook(tmp_path / "file" / "costs.json")
    costs.learn("a", 1, 1)
    assert costs.seconds("a", 1, default=0) == pytest.approx(1)


def test_of_ever_new_names_the_longest_unlearnt_are_forgotten_also_on_disk(costs, tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.service.runtime_estimates._REMEMBERED_NAMES", 20)
    for number in range(60):
        costs.learn(f"hypotheses|{number}", 10, 1.0)
        costs.learn("mutagenesis", 10, 2.0)
    kept = json.loads((tmp_path / "costs.json").read_text())
    assert len(kept) == 20 and "mutagenesis" in kept and "hypotheses|59" in kept
    assert len(CostBook(tmp_path / "costs.json")._runs) == 20

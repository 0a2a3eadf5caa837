"""Run times learnt from finished runs."""

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
    "text", ["{", "[1, 2]", '{"a": "much"}', '{"a": null}', '{"a": [1, 2, 3, 4, 5, 6]}', '{"a": 1}']
)
def test_damaged_file_is_begun_anew(tmp_path, text, caplog):
    (tmp_path / "costs.json").write_text(text)
    costs = CostBook(tmp_path / "costs.json")
    costs.learn("b", 1, 1)
    assert CostBook(tmp_path / "costs.json").seconds("b", 1, default=0) == pytest.approx(1)
    assert "learnt anew" in caplog.text


def test_sums_that_no_runs_can_have_are_left_out(tmp_path):
    (tmp_path / "costs.json").write_text('{"a": [0, 0, 0, 0, 0]}')
    assert CostBook(tmp_path / "costs.json").seconds("a", 10, default=1) == pytest.approx(10.05)


def test_file_that_cannot_be_written_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    costs = CostBook(tmp_path / "file" / "costs.json")
    costs.learn("a", 1, 1)
    assert costs.seconds("a", 1, default=0) == pytest.approx(1)

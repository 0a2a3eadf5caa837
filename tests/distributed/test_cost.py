"""The calculator: what it says grows as the work does."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.distributed.cost import cohort_cost, variants_per_kb

RATES = {"seconds_per_variant": 1e-3, "seconds_per_gene": 3.6, "seconds_per_person": 0.026}


def test_the_density_of_variants_is_that_of_the_cohorts_it_comes_from():
    assert variants_per_kb(2_504) == pytest.approx(28.5, rel=0.01)
    assert variants_per_kb(150_119) == pytest.approx(208, rel=0.01)


def test_exact_tokens_cost_by_person_and_gene():
    one = cohort_cost(1_000, 100, 1, exact=True, **RATES)
    assert sum(one.core_seconds.values()) == pytest.approx(100 * 3.6 + 1_000 * 100 * 0.026)
    assert one.hours == pytest.approx(sum(one.core_seconds.values()) / 3_600, rel=0.01)


def test_twice_the_workers_take_half_the_time_while_there_are_shards():
    one, two = (cohort_cost(20_000, 448, workers, exact=True, **RATES) for workers in (10, 20))
    assert one.hours == pytest.approx(2 * two.hours)
    few = cohort_cost(10, 1, 1_000, **RATES)
    assert few.shards == 1 and few.hours == cohort_cost(10, 1, 1, **RATES).hours


def test_memory_of_a_worker_stays_below_a_bound_however_many_people():
    sizes = [cohort_cost(people, 448, 1, **RATES).worker_bytes for people in (10_000, 150_000, 10**6)]
    assert len(set(sizes)) == 1 and sizes[0] < 1e9


@pytest.mark.parametrize("wrong", [{"people": 0}, {"genes": 0}, {"workers": 0}, {"speedup": 0.0}])
def test_nothing_is_estimated_of_nothing(wrong):
    asked = {"people": 1, "genes": 1, "workers": 1} | wrong
    with pytest.raises(ValueError, match="must be positive"):
        cohort_cost(asked.pop("people"), asked.pop("genes"), asked.pop("workers"), **asked, **RATES)


@pytest.mark.parametrize("words", [[], ["--exact"]])
def test_the_command_says_time_disk_memory_and_what_it_assumes(toy_project, words):
    asked = ["cohort", "cost", "--people", "150000", "--workers", "40", "--world", str(toy_project), *words]
    done = CliRunner().invoke(main, [*asked, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert all(word in done.output for word in ("150,000 people x 448 genes", "shards", "disk", "assumes"))

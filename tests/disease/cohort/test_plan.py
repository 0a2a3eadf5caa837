import numpy as np
import pytest

from phenviz.disease.cohort.plan import plan_people, read_shares, split_by_family
from phenviz.errors import DataError


def plan(seed=0, count=400, given=(), **options):
    return plan_people(count, read_shares(given), np.random.default_rng(seed), **options)


@pytest.mark.parametrize("seed", range(5))
def test_no_family_lies_across_splits(seed):
    found = plan(seed, relatives=0.3)
    assert (found.people.groupby("family")["split"].nunique() == 1).all()
    children = np.flatnonzero(found.parents[:, 0] >= 0)
    assert len(children) == pytest.approx(0.3 * 400, abs=4)
    family = found.people["family"].to_numpy()
    for child in children:
        assert {family[child]} == set(family[found.parents[child]])
        ancestry = found.people["ancestry"].to_numpy()
        assert {ancestry[child]} == set(ancestry[found.parents[child]])


def test_only_the_training_ancestry_teaches():
    found = plan(train_in=("AFR",), given=("AFR:3", "EUR"))
    learnt = found.people[found.people["split"] != "test"]
    assert set(learnt["ancestry"]) == {"AFR"}
    assert found.people["ancestry"].value_counts().to_dict() == {"AFR": 300, "EUR": 100}


def test_europeans_teach_where_nothing_else_is_said():
    assert plan().train_in == ("EUR",) and plan(given=("AFR", "EAS")).train_in == ("AFR", "EAS")


@pytest.mark.parametrize("given", [["XYZ"], ["EUR:0"], ["EUR:-1"], ["EUR", "eur"], ["EUR:a"], [""]])
def test_shares_that_are_none_are_refused(given):
    with pytest.raises(DataError, match="ancestry"):
        read_shares(given)


def test_shares_sum_to_one():
    assert read_shares(["eur:2", "AFR = 6"]) == {"EUR": 0.25, "AFR": 0.75}


@pytest.mark.parametrize("seed", range(3))
def test_splits_have_about_the_asked_shares(seed):
    import pandas as pd

    rng = np.random.default_rng(seed)
    families = pd.Series([f"f{number}" for number in rng.integers(0, 500, 1_000)])
    split = split_by_family(families, rng)
    shares = pd.Series(split).value_counts(normalize=True)
    assert [shares[name] for name in ("train", "validation", "test")] == pytest.approx(
        [0.6, 0.2, 0.2], abs=0.02
    )

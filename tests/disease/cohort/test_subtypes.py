"""Groups of cases: found where there are two ways to a disease, not invented where there is one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import adjusted_rand_score

from phenviz.disease.cohort import reference_people
from phenviz.disease.cohort.subtypes import find_subtypes, in_words, separation, standardised
from tests.risk_toys import GROUPS

OTHERS = ("C1", "C2")


def cohort(rng, people, *, ways, heritability=0.8, ancestries=("EUR",), known=1.0):
    """Draw liabilities by genetic values g1 and g2; scores are those; ``T`` is ill by so many."""
    ancestry = rng.choice(ancestries, people)
    genetic = rng.normal(size=(people, 2))
    noise = rng.normal(size=(people, 2))
    liability = np.sqrt(heritability) * genetic + np.sqrt(1 - heritability) * noise
    ill = liability > np.quantile(liability, 0.87, axis=0)
    kind = np.where(liability[:, 0] >= liability[:, 1], 1, 2)
    case = ill.any(axis=1) if ways == 2 else ill[:, 0]
    other = np.sqrt(heritability) * genetic + np.sqrt(1 - heritability) * rng.normal(size=(people, 2))
    labels = {"T": case, **dict(zip(OTHERS, (other > np.quantile(other, 0.75, axis=0)).T, strict=True))}
    shift = (ancestry == "AFR") * 3.0
    values = {"T": rng.normal(size=people), **dict(zip(OTHERS, (genetic + shift[:, None]).T, strict=True))}
    names = [f"S{number:04d}" for number in range(people)]
    scores = [
        pd.DataFrame({"sample": names, "trait": trait, "ancestry": ancestry, "ensemble": values[trait]})
        for trait in labels
    ]
    seen = [
        pd.DataFrame({"sample": names, "trait": trait, "label": labels[trait].astype(float)})
        for trait in labels
    ]
    label = pd.concat(seen, ignore_index=True)
    label.loc[rng.random(len(label)) > known, "label"] = np.nan
    return pd.concat(scores, ignore_index=True), label, pd.Series(kind, index=names)


@pytest.fixture(scope="module")
def two():
    scores, labels, kind = cohort(
        np.random.default_rng(3), 900, ways=2, ancestries=("EUR", "AFR"), known=0.95
    )
    return scores, labels, kind, find_subtypes(scores, labels, draws=149, seed=1)


def test_two_ways_to_a_disease_are_told_apart_and_one_way_in_the_same_people_is_not(two):
    _, _, kind, found = two
    tests = found.tests.set_index("trait")
    assert tests.loc["T", "q_value"] <= 0.05 and tests.loc["T", "groups"] == 2
    assert tests.loc["T", "stability"] > 0.7
    own = found.people[found.people["trait"] == "T"].set_index("sample")["group"]
    assert adjusted_rand_score(kind[own.index], own) > 0.5
    assert own.value_counts().is_monotonic_decreasing and own.value_counts().index.tolist() == [1, 2]
    assert (tests.loc[list(OTHERS), "groups"] == 1).all()
    assert "2 groups" in in_words(tests.loc["T"]) and "No groups show" in in_words(tests.loc["C1"])


def test_comorbidity_is_that_of_the_labels_and_differs_between_the_groups(two):
    scores, labels, _, found = two
    own = found.people[found.people["trait"] == "T"].set_index("sample")["group"]
    table = found.comorbidity.set_index(["group", "other"])
    known = labels.pivot(index="sample", columns="trait", values="label").loc[own.index]
    for other in OTHERS:
        has, group = known[other], own == 1
        counts = [
            [int(((group == inside) & (has == value)).sum()) for value in (1, 0)] for inside in (True, False)
        ]
        row = table.loc[(1, other)]
        assert row["cases"] == sum(counts[0])
        assert row["share"] == pytest.approx(counts[0][0] / sum(counts[0]))
        assert row["share_elsewhere"] == pytest.approx(counts[1][0] / sum(counts[1]))
        assert row["p_value"] == pytest.approx(fisher_exact(counts).pvalue)
        assert row["low"] < row["odds_ratio"] < row["high"] and row["q_value"] <= 0.05
    higher = {group: table.loc[group]["score"].idxmax() for group in (1, 2)}
    assert set(higher.values()) == set(OTHERS)
    assert all(table.loc[(group, other), "odds_ratio"] > 1 for group, other in higher.items())
    assert set(scores["sample"]) >= set(own.index)


def test_one_way_to_a_disease_is_not_split_more_often_than_by_chance():
    rng, told = np.random.default_rng(11), 0
    for number in range(16):
        scores, labels, _ = cohort(rng, 300, ways=1, heritability=(0.3, 0.9)[number % 2])
        tests = find_subtypes(scores, labels, draws=39, seed=number).tests.set_index("trait")
        told += tests.loc["T", "p_value"] <= 0.05
    # 4 or more of 16 would come by chance once in 140 times
    assert told < 4


def test_what_is_too_little_is_said_and_nothing_is_made_of_it():
    scores, labels, _ = cohort(np.random.default_rng(5), 150, ways=1)
    found = find_subtypes(scores, labels, draws=20)
    row = found.tests.set_index("trait").loc["T"]
    assert "fewer than 40 cases" in row["reason"] and np.isnan(row["p_value"]) and row["groups"] == 1
    assert "T" not in set(found.people["trait"]) and not len(found.comorbidity)
    assert in_words(row).startswith("Not looked for")
    two = scores["trait"] != "C2"
    found = find_subtypes(scores[two], labels[labels["trait"] != "C2"])
    assert found.tests["reason"].str.contains("fewer than two other traits").all()
    assert list(found.people) == ["sample", "trait", "group", "x", "y"]


def test_groups_of_few_people_say_nothing_of_comorbidity(two):
    scores, labels, _, _ = two
    few = labels.copy()
    names = few.loc[(few["trait"] == "T") & (few["label"] == 1), "sample"]
    few.loc[(few["trait"] == "C1") & few["sample"].isin(names[20:]), "label"] = np.nan
    found = find_subtypes(scores, few, draws=149, seed=1).comorbidity
    own = found[(found["trait"] == "T") & (found["other"] == "C1")]
    assert len(own) and own[["share", "odds_ratio", "p_value", "q_value"]].isna().all(axis=None)
    assert own["cases"].sum() <= 20


def test_scores_are_standardised_within_ancestries_and_small_ones_are_left_out(two):
    scores, *_ = two
    extra = scores[scores["sample"] < "S0010"].assign(ancestry="EAS")
    extra["sample"] = "E" + extra["sample"]
    wide = standardised(pd.concat([scores, extra]), "ensemble")
    assert not wide.index.str.startswith("E").any()
    ancestry = scores.drop_duplicates("sample").set_index("sample")["ancestry"].reindex(wide.index)
    for _, own in wide.groupby(ancestry):
        np.testing.assert_allclose(own.mean(), 0, atol=1e-9)
        np.testing.assert_allclose(own.std(ddof=0), 1, atol=1e-9)


def test_separation_is_that_of_the_best_split_on_a_line():
    values = np.sort(np.random.default_rng(2).normal(size=25))
    whole = ((values - values.mean()) ** 2).sum()
    best = min(
        sum(((part - part.mean()) ** 2).sum() for part in (values[:cut], values[cut:]))
        for cut in range(1, 25)
    )
    assert separation(values[:, None]) == pytest.approx(1 - best / whole)
    assert separation(np.repeat([[0.0, 0.0], [3.0, 1.0]], 5, axis=0)) == pytest.approx(1.0)


def test_a_model_keeps_groups_without_names(two, tmp_path):
    *_, found = two
    empty = pd.DataFrame({"trait": ["T"], "ancestry": [GROUPS[0]], "ensemble": [0.5]})
    one = reference_people.RiskReference(empty, empty, empty, empty, found)
    reference_people.save_reference(one, tmp_path)
    back = reference_people.load_reference(tmp_path).subtypes
    assert "sample" not in back.people
    pd.testing.assert_frame_equal(
        back.people, found.people.drop(columns="sample"), rtol=1e-6, check_dtype=False
    )
    pd.testing.assert_frame_equal(back.comorbidity, found.comorbidity, rtol=1e-6, check_dtype=False)
    assert in_words(back.tests.iloc[0]) == in_words(found.tests.iloc[0])
    reference_people.save_reference(dataclasses.replace(one, subtypes=None), tmp_path)
    assert reference_people.load_reference(tmp_path).subtypes is None

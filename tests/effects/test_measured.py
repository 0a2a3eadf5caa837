"""Methods that predict expression of people: what they may know, and what they find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from phenviz.effects.measured.agreement import agreement
from phenviz.effects.measured.folds import FOLDS, POPULATIONS, Covariates, Fold, folds_of, shuffled_within
from phenviz.effects.measured.methods import METHODS, FoldGenotypes, predict_held_out

_PEOPLE, _VARIANTS = 120, 40


def world(seed: int, effect: float = 0.0):
    """Make people of two populations, variants, and a gene that the third variant acts on."""
    random = np.random.default_rng(seed)
    populations = np.repeat(["A", "B"], _PEOPLE // 2)
    dosages = random.binomial(2, random.uniform(0.1, 0.9, _VARIANTS), (_PEOPLE, _VARIANTS)).astype(np.float32)
    dosages[random.random(dosages.shape) < 0.01] = np.nan
    others = random.normal(size=(_PEOPLE, 80))
    acting = np.nan_to_num(dosages[:, 2], nan=1.0)
    values = random.normal(size=_PEOPLE) + effect * acting + (populations == "B")
    model = np.column_stack([acting, random.normal(size=_PEOPLE)])
    return values, Covariates(populations, random.normal(size=_PEOPLE), others), dosages, model


def held_out(values, covariates, dosages, model, folds):
    found = [FoldGenotypes(dosages, fold) for fold in folds]
    return predict_held_out(values, covariates, folds, found, model)


@pytest.mark.parametrize("split", [FOLDS, POPULATIONS])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_measured_in_test_people_changes_no_prediction_of_them(split, seed):
    values, covariates, dosages, model = world(seed, effect=1.0)
    folds = folds_of(covariates.populations, split)
    honest = held_out(values, covariates, dosages, model, folds)
    for number, fold in enumerate(folds):
        # their expression, the depth of their sequencing, the expression of their other genes, and genotypes
        poisoned, library, others = values.copy(), covariates.library.copy(), covariates.others.copy()
        poisoned[fold.test], library[fold.test], others[fold.test] = 1e6, -1e6, 1e6
        moved = dosages.copy()
        moved[fold.test[1:]] = 2 - moved[fold.test[1:]]
        wrong = held_out(
            poisoned, Covariates(covariates.populations, library, others), moved, model, [folds[number]]
        )
        first = fold.test[0]
        for method in METHODS:
            np.testing.assert_allclose(
                wrong.predicted[method][first], honest.predicted[method][first], rtol=1e-6, atol=1e-9
            )


def test_each_person_is_predicted_once_by_people_who_aren_t_them():
    populations = np.array(["A"] * 31 + ["B"] * 12 + ["C"] * 3)
    for split in (FOLDS, POPULATIONS):
        folds = folds_of(populations, split)
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(populations)))
        assert not any(set(fold.train) & set(fold.test) for fold in folds)
    assert all(len(np.unique(populations[fold.test])) == 1 for fold in folds_of(populations, POPULATIONS))
    assert folds_of(np.array(["A"] * 40), POPULATIONS) == []


def test_a_variant_that_acts_is_found_by_every_method_that_may_know_it():
    values, covariates, dosages, model = world(5, effect=1.5)
    for split in (FOLDS, POPULATIONS):
        found = held_out(values, covariates, dosages, model, folds_of(covariates.populations, split))
        for method in METHODS:
            r = agreement(found.predicted[method][:, 0], found.measured, found.groups)
            assert r.correlation > 0.5 and r.low > 0.3 and r.p_value < 1e-6 and r.people == _PEOPLE
        # the second context's model is noise: alone it knows nothing, and it does elastic net no harm
        alone = agreement(found.predicted["model"][:, 1], found.measured, found.groups)
        both = agreement(found.predicted["model+elastic-net"][:, 1], found.measured, found.groups)
        assert abs(alone.correlation) < 0.3 and both.correlation > 0.5


def test_where_nothing_acts_small_p_values_are_as_rare_as_they_say():
    small, total = dict.fromkeys(METHODS, 0), 60
    for seed in range(total):
        values, covariates, dosages, model = world(100 + seed)
        found = held_out(values, covariates, dosages, model, folds_of(covariates.populations, FOLDS))
        for method in METHODS:
            p = agreement(found.predicted[method][:, 1], found.measured, found.groups).p_value
            small[method] += p < 0.05
    # 3 are expected among 60; 9 or more happen in one of 500 such tests
    assert max(small.values()) <= 9, small


def test_the_correlation_is_pearson_s_of_what_is_centred_in_each_group():
    random = np.random.default_rng(0)
    groups = random.integers(0, 4, 90)
    one, other = random.normal(size=90) + 5 * groups, random.normal(size=90) - 3 * groups
    other += 0.5 * (one - 5 * groups)
    one[3] = np.nan
    known = np.isfinite(one)
    centred = [
        np.concatenate([part[known & (groups == g)] - part[known & (groups == g)].mean() for g in range(4)])
        for part in (one, other)
    ]
    found = agreement(one, other, groups)
    assert found.correlation == pytest.approx(pearsonr(*centred)[0])
    assert found.people == 89 and found.low < found.correlation < found.high
    # of a single group everything is as SciPy has it
    plain, alone = pearsonr(one[known], other[known]), agreement(one, other, np.zeros(90, dtype=int))
    interval = plain.confidence_interval(0.95)
    assert alone.correlation == pytest.approx(plain.statistic)
    assert (alone.low, alone.high) == pytest.approx((interval.low, interval.high))
    assert alone.p_value == pytest.approx(plain.pvalue)


def test_95_of_100_intervals_hold_the_true_correlation():
    random, held = np.random.default_rng(1), 0
    for _ in range(400):
        one = random.normal(size=60)
        other = 0.5 * one + np.sqrt(0.75) * random.normal(size=60)
        found = agreement(one, other, np.repeat(np.arange(5), 12))
        held += found.low < 0.5 < found.high
    assert 0.92 < held / 400 < 0.98


def test_numbers_that_say_nothing_have_no_correlation():
    groups = np.zeros(30, dtype=int)
    varied = np.random.default_rng(0).normal(size=30)
    for one in (np.full(30, 0.1), np.full(30, np.nan), np.where(np.arange(30) < 3, varied, np.nan)):
        assert np.isnan(agreement(one, varied, groups).correlation)


def test_shuffled_people_keep_their_population():
    populations = np.array(["A", "B"] * 20 + ["C"])
    order = shuffled_within(populations, np.random.default_rng(0))
    assert sorted(order) == list(range(41)) and (order != np.arange(41)).any()
    assert (populations[order] == populations).all()


def test_variants_that_say_the_same_are_given_to_elastic_net_once():
    random = np.random.default_rng(0)
    one = random.binomial(2, 0.4, (60, 1)).astype(np.float32)
    other = random.binomial(2, 0.3, (60, 1)).astype(np.float32)
    rare = np.zeros((60, 1), dtype=np.float32)
    fold = Fold(np.arange(50), np.arange(50, 60))
    found = FoldGenotypes(np.hstack([one, 2 - one, other, rare]), fold)
    assert found.columns.tolist() == [0, 1, 2]
    assert found.columns[found.distinct].tolist() == [0, 2]

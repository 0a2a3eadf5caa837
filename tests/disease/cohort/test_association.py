"""Tests of people: size without effect and under confounding, power, and the slow obvious way."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import Ridge

from phenviz.disease.cohort import association
from phenviz.disease.cohort.association import (
    combined,
    contribution_tests,
    expression_tests,
    trait_of_people,
)
from phenviz.disease.engine import plain_result
from phenviz.errors import DataError

GENES, CONTEXTS = 6, 4


def draw_people(rng, count=240):
    """Draw people of two ancestries and a cline in one of them; their expression follows all of it."""
    ancestry = np.where(np.arange(count) % 3 == 0, "AFR", "EUR")
    table = pd.DataFrame({"ancestry": ancestry, "family": [f"f{n}" for n in range(count)]})
    component = rng.normal(size=(count, 2))
    shared = rng.normal(size=(count, GENES, 1))
    expression = shared + 0.5 * rng.normal(size=(count, GENES, CONTEXTS))
    expression += 1.5 * (ancestry == "AFR")[:, None, None] + component[:, :1, None]
    return table, component, expression


def draw_labels(rng, logit):
    return (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(float)


def trait_in(table, covariates, labels, rows=None):
    return trait_of_people("T", labels, table, covariates, np.arange(len(labels)) if rows is None else rows)


def test_t_and_its_p_are_those_of_least_squares():
    rng = np.random.default_rng(1)
    table, covariates, expression = draw_people(rng)
    labels = draw_labels(rng, 0.4 * expression[:, 2, 1])
    tests, _ = expression_tests(trait_in(table, covariates, labels), expression, 20, rng)
    known = np.column_stack([covariates, pd.get_dummies(table["ancestry"]).to_numpy(float)])
    for gene, context in [(0, 0), (2, 1), (5, 3)]:
        fit = sm.OLS(labels, np.column_stack([expression[:, gene, context], known])).fit()
        assert tests.p_value[gene, context] == pytest.approx(fit.pvalues[0], rel=1e-6)
        assert np.sign(tests.z[gene, context]) == np.sign(fit.params[0])


def test_the_effect_of_a_contribution_is_the_difference_given_covariates():
    rng = np.random.default_rng(2)
    table, covariates, expression = draw_people(rng)
    labels = draw_labels(rng, 0 * covariates[:, 0])
    added = 0.3 * labels[:, None] + expression[:, 0]
    found = contribution_tests(trait_in(table, covariates, labels), added, 2_000, rng)
    known = np.column_stack([labels, covariates, pd.get_dummies(table["ancestry"]).to_numpy(float)])
    for context in range(CONTEXTS):
        fit = sm.OLS(added[:, context], known).fit()
        assert found.effect[context] == pytest.approx(fit.params[0], rel=1e-6)
        assert found.se[context] == pytest.approx(fit.bse[0], rel=0.1)


def test_permuted_p_agree_with_those_of_t():
    rng = np.random.default_rng(3)
    table, covariates, expression = draw_people(rng)
    labels = draw_labels(rng, 0.3 * expression[:, 1, 1])
    tests, _ = expression_tests(trait_in(table, covariates, labels), expression, 4_000, rng)
    error = 4 * np.sqrt(tests.p_value * (1 - tests.p_value) / 4_000) + 1e-3
    assert (np.abs(tests.p_permuted - tests.p_value) < error).all()
    assert (tests.p_family >= tests.p_permuted).all()


def test_a_draw_keeps_every_trait_in_its_ancestry_and_is_free_of_covariates():
    rng = np.random.default_rng(4)
    table, _, _ = draw_people(rng)
    labels = rng.normal(size=len(table))
    trait = trait_in(table, np.empty((len(table), 0)), labels)
    for drawn in trait.draws(700, rng):
        np.testing.assert_allclose(drawn @ trait.basis, 0, atol=1e-9)
        scaled = drawn * np.linalg.norm(trait.values)
        for number in (0, 1):
            own = np.sort(trait.values[trait.strata == number])
            # without other covariates what is left of a draw is what was permuted
            for one in scaled[::50]:
                np.testing.assert_allclose(np.sort(one[trait.strata == number]), own, atol=1e-9)


@pytest.mark.parametrize("kind", ["chance", "ancestry", "component", "relatives"])
def test_no_more_errs_than_should_where_nothing_acts(kind):
    rng = np.random.default_rng(["chance", "ancestry", "component", "relatives"].index(kind) + 10)
    hits = {"expression": 0, "attribution": 0, "both": 0}
    sets = 300
    for _ in range(sets):
        table, covariates, expression = draw_people(rng)
        logit = {
            "ancestry": 3.0 * (table["ancestry"] == "AFR") - 1.5,
            "component": 2.0 * covariates[:, 0],
        }.get(kind, np.zeros(len(table)))
        labels = draw_labels(rng, np.asarray(logit))
        if kind == "relatives":
            # twins: the same expression and the same trait
            half = len(table) // 2 // 3 * 3
            table.loc[half : 2 * half - 1, "family"] = table["family"].to_numpy()[:half]
            table.loc[half : 2 * half - 1, "ancestry"] = table["ancestry"].to_numpy()[:half]
            for values in (labels, covariates, expression):
                values[half : 2 * half] = values[:half]
        trait = trait_in(table, covariates, labels)
        _, by_expression = expression_tests(trait, expression[trait.rows], 199, rng)
        by_attribution = contribution_tests(trait, expression[trait.rows].sum(1), 199, rng)
        both = combined([by_expression, by_attribution], 199)
        for name, one in (("expression", by_expression), ("attribution", by_attribution), ("both", both)):
            hits[name] += one.p_value[0] <= 0.05
    for name, count in hits.items():
        assert stats.binomtest(count, sets, 0.05, alternative="greater").pvalue > 0.002, (name, count / sets)
        # nor is the test asleep
        assert count > 0, name


def test_without_covariates_and_strata_confounding_would_be_seen():
    rng = np.random.default_rng(20)
    table, _, expression = draw_people(rng)
    labels = draw_labels(rng, 3.0 * (table["ancestry"] == "AFR").to_numpy() - 1.5)
    trait = trait_in(table.assign(ancestry=""), np.empty((len(table), 0)), labels)
    assert expression_tests(trait, expression, 199, rng)[1].p_value.max() <= 0.01


def test_what_was_planted_is_found_in_its_gene_and_context():
    rng, first = np.random.default_rng(5), 0
    for _ in range(10):
        table, covariates, expression = draw_people(rng, count=600)
        own = expression[:, 3, 2] - expression[:, 3, 2].mean()
        labels = draw_labels(rng, own)
        trait = trait_in(table, covariates, labels)
        tests, by_context = expression_tests(trait, expression, 999, rng)
        assert tests.p_family[3, 2] <= 0.01 and by_context.p_value[2] <= 0.01
        added = expression.sum(1) * 0.1
        added[:, 2] += own
        by_attribution = contribution_tests(trait, added, 999, rng)
        both = combined([by_context, by_attribution], 999)
        first += int(np.argmax(by_context.z)) == 2 and int(np.argmax(both.z)) == 2
        assert both.p_value[2] <= 0.01
        assert by_attribution.p_conditional[np.arange(CONTEXTS) != 2].min() > 1e-3
        assert np.isnan(by_attribution.p_conditional[np.argmax(by_attribution.z)])
    assert first >= 9


def test_what_is_less_in_cases_speaks_against_an_attribution():
    rng = np.random.default_rng(6)
    table, covariates, expression = draw_people(rng)
    labels = draw_labels(rng, -1.5 * (expression[:, 0, 0] - expression[:, 0].mean(1)))
    found = contribution_tests(
        trait_in(table, covariates, labels), expression[:, 0] * [[1, 0, 0, 0]], 99, rng
    )
    assert found.p_value[0] > 0.5 and found.z[0] < 0
    # nobody differs in the other contexts
    assert np.isnan(found.p_value[1:]).all() and np.isnan(found.effect[1:]).all()


def test_a_gene_in_which_nobody_differs_is_not_tested_and_changes_nothing():
    rng = np.random.default_rng(7)
    table, covariates, expression = draw_people(rng)
    labels = draw_labels(rng, expression[:, 1, 0])
    more = np.concatenate([expression, np.ones((len(table), 1, CONTEXTS))], axis=1)
    one, two = (
        expression_tests(trait_in(table, covariates, labels), each, 99, np.random.default_rng(0))
        for each in (expression, more)
    )
    assert np.isnan(two[0].p_value[-1]).all()
    np.testing.assert_allclose(one[0].p_family, two[0].p_family[:-1])
    np.testing.assert_allclose(one[1].p_value, two[1].p_value)


def test_a_measure_is_tested_like_cases():
    rng = np.random.default_rng(8)
    table, covariates, expression = draw_people(rng)
    trait = trait_in(table, covariates, expression[:, 4, 0] + rng.normal(size=len(table)))
    assert trait.cases is None
    assert expression_tests(trait, expression, 199, rng)[0].p_family[4, 0] <= 0.01


def test_people_of_unknown_trait_and_all_but_one_of_a_family_are_left_out():
    rng = np.random.default_rng(9)
    table, covariates, _ = draw_people(rng)
    labels = draw_labels(rng, np.zeros(len(table)))
    table.loc[10:14, "family"] = "family"
    labels[[0, 10]] = np.nan
    covariates[3, 0] = np.nan
    trait = trait_in(table, covariates, labels)
    assert set(range(len(table))) - set(trait.rows.tolist()) == {0, 10, 12, 13, 14}
    assert np.isfinite(trait.values).all() and trait.cases == labels[trait.rows].sum()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(90), "0 cases and 90 controls"),
        (np.r_[np.ones(19), np.zeros(71)], "19 cases and 71 controls"),
        (np.full(90, 2.5), "2.5 in everybody"),
        (np.r_[np.full(60, np.nan), np.arange(30.0)], "known of 30 people"),
        (np.arange(90) % 3 == 0, "the same in everybody of an ancestry"),
    ],
)
def test_a_trait_that_can_not_be_tested_is_refused(labels, message):
    table, covariates, _ = draw_people(np.random.default_rng(0), count=90)
    with pytest.raises(DataError, match=message):
        trait_in(table, covariates, np.asarray(labels, dtype=float))


def test_more_covariates_than_people_allow_are_refused():
    rng = np.random.default_rng(0)
    table, _, _ = draw_people(rng, count=90)
    with pytest.raises(DataError, match="too few for 82 covariates"):
        trait_in(table, rng.normal(size=(90, 80)), np.arange(90) % 2 * 1.0)


def test_combined_p_are_those_of_the_cauchy_test():
    first, second = np.array([0.01, 0.5, np.nan, 1.0]), np.array([0.2, 0.5, 0.03, 0.02])
    nothing = np.full(4, np.nan)
    tests = [plain_result(nothing, nothing, stats.norm.isf(p), p) for p in (first, second)]
    found = combined(tests, 99)
    plain = np.tan((0.5 - np.minimum([first, second], 0.99)) * np.pi)
    slow = 0.5 - np.arctan(np.nanmean(plain, axis=0)) / np.pi
    np.testing.assert_allclose(found.p_value, slow)
    np.testing.assert_allclose(found.z[:3], np.nanmean([one.z for one in tests], axis=0)[:3])


def test_what_all_genes_of_a_context_explain_is_ridge_regression():
    rng = np.random.default_rng(30)
    table, covariates, expression = draw_people(rng)
    trait = trait_in(table, covariates, draw_labels(rng, expression[:, :, 1].sum(1) - 2))
    numbers, observed = association._genes_of(trait, expression)
    shaped = numbers.reshape(len(trait), GENES, CONTEXTS)
    own = trait.values / np.linalg.norm(trait.values)
    found = association._RidgeFit.of(shaped).explained(observed[None].astype(np.float32))[0]
    penalty = GENES * (1 - association._EXPLAINED) / association._EXPLAINED / len(trait)
    for context in range(CONTEXTS):
        columns = shaped[:, :, context].astype(float)
        fit = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(columns, own)
        assert found[context] == pytest.approx(own @ fit.predict(columns), rel=1e-4)


def test_many_genes_of_a_context_count_though_none_stands_out():
    """Twenty weak genes: the largest t of the contexts hardly tells, all genes together do."""
    rng, first, found = np.random.default_rng(31), 0, 0
    for _ in range(20):
        table, covariates, _ = draw_people(rng, count=600)
        shared = rng.normal(size=(600, 20, 1))
        expression = 0.9 * shared + np.sqrt(1 - 0.9**2) * rng.normal(size=(600, 20, 10))
        logit = (expression[:, :, 4] * rng.choice([-0.25, 0.25], 20)).sum(1)
        trait = trait_in(table, covariates, draw_labels(rng, logit))
        _, by_context = expression_tests(trait, expression, 199, rng)
        first += int(np.argmax(by_context.z)) == 4
        found += by_context.p_value[4] <= 0.05
    assert found >= 19 and first >= 14

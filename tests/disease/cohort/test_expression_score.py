"""Linear scores of expression, and what they say about contexts, against the slow obvious way."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from phenviz.disease.cohort.covariates import fit_covariates
from phenviz.disease.cohort.expression_score import (
    ALIKE,
    BY_CONTEXT,
    HERITABILITIES,
    Expression,
    fit_expression,
)

CONTEXTS = ("HSC", "Mono", "Ery", "NK")


def made_up(seed, people=400, genes=8, active=("Ery",), likeness=0.8):
    """Draw expression that resembles itself over contexts, and a trait that acts through some of them."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(people, genes, 1))
    own = rng.normal(size=(people, genes, len(CONTEXTS)))
    values = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * own
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    effects = np.zeros((genes, len(CONTEXTS)))
    effects[:, [CONTEXTS.index(name) for name in active]] = rng.normal(size=(genes, len(active)))
    genetic = (values * effects).sum(axis=(1, 2))
    liability = genetic / genetic.std() + rng.normal(size=people)
    labels = (liability > np.quantile(liability, 0.7)).astype(float)
    flat = values.reshape(people, -1).astype(np.float32)
    names = tuple(f"G{number}" for number in range(genes))
    zeros, ones = np.zeros(flat.shape[1]), np.ones(flat.shape[1])
    return Expression(flat, names, CONTEXTS, zeros, ones), labels


def fitted(expression, labels, people):
    nothing = fit_covariates(np.empty((len(labels), 0)), labels, people)
    found = fit_expression(expression, labels, people, nothing)
    by_context = next(model for model in found if model.method == BY_CONTEXT)
    return by_context, [model for model in found if model.method == "ridge"]


@pytest.mark.parametrize("people", [6, 60])
def test_contexts_are_weighed_by_their_marginal_likelihood(people):
    expression, labels = made_up(people, people=people)
    labels[:2] = 0, 1
    by_context, ridges = fitted(expression, labels, np.arange(people))
    rest = labels - labels.mean()
    values = expression.values.astype(float).reshape(people, -1, len(CONTEXTS))
    likelihood, weights = {}, {}
    for number, context in enumerate([*CONTEXTS, ALIKE]):
        own = values[:, :, number] if context != ALIKE else values.reshape(people, -1)
        kernel = own @ own.T / own.shape[1]
        for share in HERITABILITIES:
            shape = kernel + (1 - share) / share * np.eye(people)
            size = rest @ np.linalg.solve(shape, rest) / people
            density = multivariate_normal(np.zeros(people), size * shape).logpdf(rest)
            likelihood[context, share] = density + np.log(0.5 if context == ALIKE else 0.5 / len(CONTEXTS))
            fit = own.T @ np.linalg.solve(shape, rest) / own.shape[1]
            full = np.zeros(values.shape[1:])
            if context == ALIKE:
                full = fit.reshape(full.shape)
            else:
                full[:, number] = fit
            weights[context, share] = full.ravel()
    density = pd.Series(likelihood)
    probability = np.exp(density - density.max())
    probability /= probability.sum()
    expected = sum(probability[one] * weights[one] for one in weights)
    np.testing.assert_allclose(by_context.weights, expected, atol=1e-9)
    by_name = probability.groupby(level=0).sum()
    assert by_context.settings["contexts"] == pytest.approx(by_name[by_name >= 0.01].to_dict(), abs=1e-4)
    for share, ridge in zip(HERITABILITIES, ridges, strict=True):
        assert ridge.settings == {"heritability": share}
        np.testing.assert_allclose(ridge.weights, weights[ALIKE, share], atol=1e-9)


def test_the_context_that_a_trait_acts_through_has_the_weight_and_is_named():
    named = 0
    for seed in range(10):
        expression, labels = made_up(seed)
        by_context, _ = fitted(expression, labels, np.arange(300))
        size = np.abs(by_context.weights.reshape(-1, len(CONTEXTS))).sum(axis=0)
        named += int(
            np.argmax(size) == CONTEXTS.index("Ery") and next(iter(by_context.settings["contexts"])) == "Ery"
        )
    assert named >= 9


def test_where_every_context_acts_all_are_taken_alike():
    alike = []
    for seed in range(10):
        expression, labels = made_up(seed, active=CONTEXTS, likeness=0.2)
        alike.append(fitted(expression, labels, np.arange(300))[0].settings["contexts"].get(ALIKE, 0.0))
    assert np.median(alike) > 0.9


def test_probabilities_follow_the_number_of_contexts_where_nothing_acts():
    rng, chance = np.random.default_rng(5), []
    for seed in range(20):
        expression, _ = made_up(seed)
        labels = (rng.random(400) < 0.3).astype(float)
        settings = fitted(expression, labels, np.arange(300))[0].settings["contexts"]
        assert sum(settings.values()) == pytest.approx(1, abs=0.05)
        chance.append(settings.get("Ery", 0.0))
    assert np.mean(chance) == pytest.approx(0.125, abs=0.1)

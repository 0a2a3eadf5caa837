"""A Phenformer begins at the linear score of expression, and learns what that leaves."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from phenviz.disease.cohort import covariates as covariate_model
from phenviz.disease.cohort.config import read_config
from phenviz.disease.cohort.covariates import fit_covariates
from phenviz.disease.cohort.ensemble import combine
from phenviz.disease.cohort.expression_score import Expression
from phenviz.disease.cohort.folder import open_cohort
from phenviz.disease.cohort.phenformer_fit import Split, covariates_for, fit_phenformer
from phenviz.disease.cohort.training import choose_expression
from phenviz.models import phenformer as model
from phenviz.models.phenformer_checkpoint import load_phenformer
from phenviz.models.phenformer_training import LOG, logits_of
from phenviz.results.tokens import TokenStore


@pytest.fixture(scope="module")
def fitting(additive, world):
    """Everything that a fit takes, and what is known of the trait without it."""
    cohort, store = open_cohort(additive, world.reference), TokenStore(additive / "tokens.zarr")
    split = Split.of(cohort)
    tokens = store.read(cohort.people.samples)
    expression = Expression.of(store, tokens, split.train)
    labels = split.labels[:, 0]
    base = fit_covariates(split.covariates, labels, split.train)
    score, _ = choose_expression(expression, labels, split, base)
    return cohort, store, tokens, split, expression, base, score


def fitted(fitting, folder, score=None, epochs=1, **architecture):
    cohort, store, tokens, split, expression, base, chosen = fitting
    # a rate of next to nothing: what comes out is where it began
    config = read_config(None, epochs=epochs, learning_rate=1e-12)
    config = replace(config, architecture=replace(config.architecture, **architecture))
    known = {"T": (base, chosen if score is None else score)}
    phenformer, run = fit_phenformer(cohort, store, tokens, split, expression, known, config, folder)
    return phenformer, logits_of(phenformer, tokens, covariates_for(phenformer, split.covariates))[:, 0], run


def linear_logits(fitting, score):
    _, _, _, split, expression, base, _ = fitting
    parts = {"covariates": base.logits, "expression": expression.values @ score.weights}
    return combine(("expression",), parts, split.labels[:, 0], split.validation).apply(parts)


def test_it_begins_at_covariates_and_the_linear_score_of_expression(fitting, tmp_path):
    *_, score = fitting
    # the sign that the validation people find must not matter here
    _, _, _, split, expression, base, _ = fitting
    parts = {"covariates": base.logits, "expression": expression.values @ score.weights}
    if combine(("expression",), parts, split.labels[:, 0], split.validation).weights[0] < 0:
        score = replace(score, weights=-score.weights)
    _, logits, run = fitted(fitting, tmp_path, score)
    np.testing.assert_allclose(logits, linear_logits(fitting, score), atol=2e-3)
    assert np.ptp(linear_logits(fitting, score) - base.logits) > 0.05
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1] and lines[0]["train_loss"] is None
    assert run["best_epoch"] <= 1


def test_a_score_that_says_the_opposite_counts_nothing(fitting, tmp_path):
    _, _, _, split, expression, base, score = fitting
    parts = {"covariates": base.logits, "expression": expression.values @ score.weights}
    if combine(("expression",), parts, split.labels[:, 0], split.validation).weights[0] > 0:
        score = replace(score, weights=-score.weights)
    phenformer, logits, _ = fitted(fitting, tmp_path, score)
    assert not phenformer.linear_weights.any()
    shift = logits - base.logits
    np.testing.assert_allclose(shift, shift[0], atol=1e-4)


def test_a_model_without_the_linear_part_begins_at_random(fitting, tmp_path):
    *_, score = fitting
    phenformer, logits, _ = fitted(fitting, tmp_path, linear=False)
    assert phenformer.linear_weights is None
    assert np.abs(logits - linear_logits(fitting, score)).mean() > 0.05


def test_the_linear_part_stays_while_the_rest_learns(fitting, tmp_path):
    cohort, store, tokens, split, expression, base, score = fitting
    config = read_config(None, epochs=3, learning_rate=5e-3)
    began, _, _ = fitted(fitting, tmp_path / "began", score)
    found, _ = fit_phenformer(
        cohort, store, tokens, split, expression, {"T": (base, score)}, config, tmp_path / "learnt"
    )
    assert (found.linear_weights == began.linear_weights).all()


def test_traits_keep_their_own_scores(fitting, tmp_path):
    """Two traits of one model: each begins at its own score, whatever the order."""
    cohort, store, tokens, _, expression, base, score = fitting
    people = cohort.people
    table = people.table.assign(U=1 - people.table["T"])
    both = replace(cohort, people=replace(people, table=table, traits=("T", "U")))
    two = Split.of(both)
    other = fit_covariates(two.covariates, two.labels[:, 1], two.train)
    opposite = replace(score, weights=-score.weights)
    known = {"T": (base, score), "U": (other, opposite)}
    config = read_config(None, epochs=1, learning_rate=1e-12)
    phenformer, _ = fit_phenformer(both, store, tokens, two, expression, known, config, tmp_path)
    logits = logits_of(phenformer, tokens, covariates_for(phenformer, two.covariates))
    np.testing.assert_allclose(logits[:, 1], -logits[:, 0], atol=2e-3)


def test_extreme_covariates_are_held_back_alike():
    assert model.COVARIATE_LIMIT == covariate_model.LIMIT


def test_what_was_trained_before_there_was_a_linear_part_opens(trained, world, tmp_path):
    for name in ("phenformer.safetensors", "phenformer.json"):
        shutil.copy(trained / name, tmp_path / name)
    tensors = load_file(tmp_path / "phenformer.safetensors")
    del tensors["linear_weights"]
    save_file(tensors, tmp_path / "phenformer.safetensors")
    card = json.loads((tmp_path / "phenformer.json").read_text())
    del card["config"]["linear"]
    content = (tmp_path / "phenformer.safetensors").read_bytes()
    card["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "phenformer.json").write_text(json.dumps(card))
    old = load_phenformer(tmp_path / "phenformer.safetensors", world.backbone, world.readout)
    assert old.linear_weights is None and not old.linear

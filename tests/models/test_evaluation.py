"""Evaluation: the four metrics and their intervals, against scikit-learn and known answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from phenviz.errors import ModelError
from phenviz.models.checkpoint import read_card, save_backbone
from phenviz.models.evaluation import (
    BLOCK,
    METRICS,
    _intervals,
    auroc,
    block_bootstrap,
    evaluate_backbone,
    predict_centres,
    sample_background,
    score_activity,
    score_contexts,
    write_metrics,
)
from phenviz.models.evaluation_intervals import BlockDraws
from tests.toys import CONTEXTS, toy_backbone


@pytest.mark.parametrize("seed", range(5))
def test_auroc_agrees_with_scikit_learn_even_with_ties(seed):
    rng = np.random.default_rng(seed)
    positive, negative = rng.integers(0, 12, 40) + 2.0, rng.integers(0, 12, 70) + 0.0
    truth = np.r_[np.ones(40), np.zeros(70)]
    assert auroc(positive, negative) == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]))


def test_auroc_without_positives_is_unknown():
    assert np.isnan(auroc(np.array([]), np.ones(3)))


def test_a_perfect_model_scores_one_and_noise_a_half():
    rng = np.random.default_rng(0)
    truth = np.exp(rng.normal(2, 1, (3_000, 4))) * (rng.random((3_000, 4)) < 0.5)
    off = np.zeros((3_000, 4))
    perfect = score_activity(truth + 1e-6, truth, off)
    assert perfect["context_summit"] == pytest.approx(1)
    assert perfect["within_summits"] == pytest.approx(1)
    assert perfect["context_correlation"] == pytest.approx(1)
    noise = score_activity(rng.random((3_000, 4)), truth, rng.random((3_000, 4)))
    assert noise["any_summit"] == pytest.approx(0.5, abs=0.03)
    assert noise["within_summits"] == pytest.approx(0.5, abs=0.03)
    assert noise["context_correlation"] == pytest.approx(0, abs=0.03)


def test_signal_common_to_all_contexts_gives_no_context_correlation():
    rng = np.random.default_rng(1)
    truth = np.exp(rng.normal(2, 1, (2_000, 4)))
    shared = np.repeat(truth.mean(1, keepdims=True), 4, axis=1) + rng.random((2_000, 4)) * 1e-3
    assert abs(score_activity(shared, truth, shared)["context_correlation"]) < 0.05


def test_block_bootstrap_is_wider_when_blocks_are_alike_inside():
    rng = np.random.default_rng(2)
    positions = np.arange(0, 10_000_000, 10_000)
    block_value = np.repeat(rng.normal(size=40), 25)
    alone = rng.normal(size=len(positions))

    def width(values):
        interval = block_bootstrap(
            lambda rows, _: {"mean": values[rows].mean()}, positions, positions[:0], np.random.default_rng(3)
        )["mean"]
        return interval[1] - interval[0]

    assert width(alone) == pytest.approx(4 / np.sqrt(len(positions)), rel=0.3)
    assert width(block_value) > 3 * width(alone)


def test_background_keeps_away_from_summits_and_gaps():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 4, 200_000).astype(np.uint8)
    codes[50_000:60_000] = 4
    summits = np.sort(rng.integers(0, 200_000, 30))
    background = sample_background(codes, summits, (0, 200_000), 300, rng)
    assert len(background) == 300
    assert np.abs(background[:, None] - summits).min() > 1_000
    assert not ((background > 49_488) & (background < 60_512)).any()


def test_a_region_without_background_is_refused():
    codes = np.zeros(20_000, np.uint8)
    with pytest.raises(ModelError, match="choose a larger region"):
        sample_background(codes, np.arange(0, 20_000, 500), (0, 20_000), 5, np.random.default_rng(0))


def test_both_strands_give_the_same_score():
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, 4_096).astype(np.uint8)
    forward = predict_centres(toy_backbone(), codes, np.array([2_048]))
    reverse = predict_centres(toy_backbone(), 3 - codes[::-1], np.array([2_048]))
    np.testing.assert_allclose(forward, reverse, rtol=1e-5)


def test_the_report_goes_into_the_card(tmp_path):
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 4, 600_000).astype(np.uint8)
    summits = rng.integers(2_000, 598_000, 60)
    peaks = pd.DataFrame(
        {
            "context": rng.choice([context.name for context in CONTEXTS], 60),
            "summit": summits,
            "fold_enrichment": rng.random(60) * 9 + 1,
        }
    )
    backbone = toy_backbone()
    report = evaluate_backbone(backbone, codes, peaks, [(0, 600_000)], repeats=20)
    path = save_backbone(backbone, tmp_path / "toy")
    write_metrics(path, test=report)
    metrics = read_card(path)["metrics"]["test"]
    for name in METRICS:
        low, high = metrics[name]["interval"]
        assert low <= high
    assert metrics["background"] == 4 * metrics["summits"]


@pytest.mark.parametrize("seed", range(5))
def test_intervals_from_counts_of_blocks_are_those_of_scoring_each_draw(seed):
    rng = np.random.default_rng(seed)
    n, m, contexts = 80, 200, 3
    position, background = np.sort(rng.integers(0, 5_000_000, n)), np.sort(rng.integers(0, 5_000_000, m))
    # few different values, so that there are ties
    at, off = rng.integers(1, 9, (n, contexts)) + 0.0, rng.integers(0, 7, (m, contexts)) + 0.0
    enrichment = rng.random((n, contexts)) * (rng.random((n, contexts)) < 0.3)
    enrichment[:, 2] = 0

    def score(rows, others):
        each = score_contexts(at[rows], enrichment[rows], off[others])
        flat = {f"{name}/{c}": value for name, values in each.items() for c, value in enumerate(values)}
        return score_activity(at[rows], enrichment[rows], off[others]) | flat

    slow = block_bootstrap(score, position, background, np.random.default_rng(7), repeats=40)
    draws = BlockDraws.of(position, background, np.random.default_rng(7), block=BLOCK, repeats=40)
    fast = _intervals(draws, at, enrichment, off)
    assert set(fast) == set(slow)
    for name in slow:
        np.testing.assert_allclose(fast[name], slow[name], rtol=1e-9, atol=1e-9, err_msg=name)
    assert np.isnan(fast["against_background/2"]).all()

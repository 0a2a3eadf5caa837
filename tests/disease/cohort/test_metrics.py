"""Measures of risk against the slow obvious ways, other packages, and numbers of R."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from phenviz.disease.cohort import metrics
from phenviz.disease.cohort.judging import FEWEST_CASES, judge


def people(seed, count=200, ties=False):
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.3).astype(float)
    one = rng.normal(size=count) + labels
    two = 0.5 * one + rng.normal(size=count)
    return labels, np.round(one) if ties else one, np.round(two) if ties else two


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_area_counts_pairs_of_cases_and_controls(seed, ties):
    labels, scores, _ = people(seed, ties=ties)
    cases, controls = scores[labels == 1], scores[labels == 0]
    above = cases[:, None] > controls
    slow = (above + 0.5 * (cases[:, None] == controls)).mean()
    assert metrics.auroc_delong(labels, scores).value == pytest.approx(slow)
    assert metrics.area(labels, scores) == pytest.approx(slow)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_delong_s_test_is_that_of_another_package(seed, ties):
    from MLstatkit import Delong_test

    labels, one, two = people(seed, ties=ties)
    _, p_value, interval, _, area, _, _ = Delong_test(labels, one, two)
    found = metrics.auroc_delong(labels, one)
    assert (found.value, found.low, found.high) == pytest.approx((area, *interval))
    difference, own_p = metrics.delong_difference(labels, one, two)
    assert own_p == pytest.approx(p_value)
    assert difference.value == pytest.approx(found.value - metrics.area(labels, two))


def test_liability_r2_is_what_the_liability_was_made_of():
    rng = np.random.default_rng(0)
    n, share, prevalence = 400_000, 0.3, 0.05
    score = rng.normal(size=n)
    liability = np.sqrt(share) * score + np.sqrt(1 - share) * rng.normal(size=n)
    labels = (liability > norm.isf(prevalence)).astype(float)
    assert metrics.liability_r2(labels, score, prevalence) == pytest.approx(share, abs=0.02)
    # half of the sample are cases: what was taken in more often is taken out again
    cases = np.flatnonzero(labels == 1)
    some = np.concatenate([cases, rng.choice(np.flatnonzero(labels == 0), len(cases), replace=False)])
    assert metrics.liability_r2(labels[some], score[some], prevalence) == pytest.approx(share, abs=0.03)


def test_calibration_of_true_risks_is_perfect_and_of_halved_logits_is_two():
    rng = np.random.default_rng(1)
    logits = rng.normal(-1, 1, 60_000)
    labels = (rng.random(60_000) < 1 / (1 + np.exp(-logits))).astype(float)
    slope, intercept = metrics.calibration(labels, logits)
    assert slope.low < 1 < slope.high and intercept.low < 0 < intercept.high
    assert metrics.calibration(labels, logits / 2)[0].value == pytest.approx(2 * slope.value)
    table = metrics.deciles(labels, logits)
    assert table["people"].sum() == 60_000 and table["cases"].sum() == labels.sum()
    assert ((table["low"] < table["predicted"]) & (table["predicted"] < table["high"])).sum() >= 8
    assert metrics.odds_ratio(labels, logits).value == pytest.approx(np.exp(slope.value * logits.std()))


def test_net_benefit_by_hand():
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=float)
    risk = np.array([0.9, 0.2, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = metrics.net_benefit(labels, np.log(risk / (1 - risk)), [0.15, 0.5])
    # above 0.15: both cases and one control; above 0.5: one of each
    assert found["net_benefit"].tolist() == pytest.approx([0.2 - 0.1 * 0.15 / 0.85, 0.1 - 0.1])
    assert found["treat_all"].tolist() == pytest.approx([0.2 - 0.8 * 0.15 / 0.85, 0.2 - 0.8])


def test_the_bootstrap_covers_about_what_it_says():
    rng = np.random.default_rng(2)
    inside = 0
    for seed in range(60):
        labels, scores, _ = people(seed, 150)
        found = metrics.bootstrap(
            lambda rows, labels=labels, scores=scores: metrics.area(labels[rows], scores[rows]),
            labels,
            150,
            rng,
        )
        inside += found.low <= norm.cdf(1 / np.sqrt(2)) <= found.high
    assert inside >= 50


def table(seed=0, ancestries=("EUR", "AFR"), counts=(300, 40)):
    rng = np.random.default_rng(seed)
    parts = []
    for ancestry, count in zip(ancestries, counts, strict=True):
        labels = (rng.random(count) < 0.3).astype(float)
        score = rng.normal(size=count) + labels - 1
        columns = ("covariates", "prs", "expression", "phenformer", "ensemble", "ensemble_linear")
        parts.append(
            pd.DataFrame(
                {
                    "sample": [f"{ancestry}{row}" for row in range(count)],
                    "trait": "T",
                    "ancestry": ancestry,
                    "label": labels,
                    **{name: score + rng.normal(0, 0.3, count) for name in columns},
                    "distance": rng.normal(1, 0.1, count) + (ancestry != "EUR"),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_every_stratum_is_measured_and_small_ones_are_not_shown():
    scores = table()
    scores.loc[3, "label"] = np.nan
    found = judge(scores, {"T": 0.3}, resamples=20)
    afr = found.metrics[found.metrics["ancestry"] == "AFR"]
    cases = int(scores.loc[scores["ancestry"] == "AFR", "label"].sum())
    assert cases < FEWEST_CASES and afr["value"].isna().all() and (afr["cases"] == cases).all()
    assert any("AFR" in line for line in found.suppressed)
    assert "AFR" not in found.deciles["ancestry"].tolist()
    whole = found.metrics[found.metrics["ancestry"] == "all"]
    wanted = {"auroc", "auprc", "liability_r2", "calibration_slope", "odds_ratio_per_sd", "auroc_difference"}
    assert wanted <= set(whole["metric"])
    known = whole[whole["low"].notna()]
    assert (known["low"] <= known["value"] + 1e-9).mean() > 0.9
    distances = found.metrics.loc[found.metrics["ancestry"].str.startswith("distance"), "ancestry"].unique()
    assert len(distances) == 5
    assert whole["cases"].iloc[0] + whole["controls"].iloc[0] == len(scores) - 1


def test_the_same_seed_gives_the_same_intervals():
    with warnings.catch_warnings():
        one, two = (judge(table(), {}, resamples=10, seed=3).metrics for _ in range(2))
    pd.testing.assert_frame_equal(one, two)

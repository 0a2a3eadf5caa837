from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.disease_calibration import rates
from evaluation.disease_expected import EXPECTED, score
from evaluation.disease_power import power
from evaluation.disease_prior import by_locus, chosen
from evaluation.disease_studies import as_traits, simulated_study
from phenviz.data.blood16 import BLOOD16
from phenviz.disease.ld_panel import LdPanel, standardised

NAMES = [context.name for context in BLOOD16]


def test_every_expected_cell_is_a_context_and_lies_on_its_own_path():
    for expectation in EXPECTED.values():
        assert set(expectation.cells) <= set(expectation.path) and set(expectation.cells) <= set(NAMES)
    assert len(EXPECTED) == 16


def test_a_perfect_order_scores_1_and_the_reverse_0():
    z = np.array([10.0 if name == "Ery" else -float(place) for place, name in enumerate(NAMES)])
    found = score(NAMES, z, EXPECTED["MCV"])
    assert (found.rank, found.auroc, found.tested) == (1, 1, 16)
    assert score(NAMES, -z, EXPECTED["MCV"]).auroc == 0 and score(NAMES, -z, EXPECTED["MCV"]).rank == 16


def test_chance_is_what_random_orders_give():
    rng = np.random.default_rng(0)
    drawn = [score(NAMES, rng.normal(size=16), EXPECTED["LYMPH_COUNT"]) for _ in range(3_000)]
    for first in (1, 3):
        hits = np.mean([found.rank <= first for found in drawn])
        assert hits == pytest.approx(getattr(drawn[0], f"chance_top{first}"), abs=0.03)
    assert np.mean([found.auroc for found in drawn]) == pytest.approx(0.5, abs=0.02)


def test_ties_and_untested_contexts_take_no_side():
    assert score(NAMES, np.zeros(16), EXPECTED["MCV"]).auroc == 0.5
    assert score(NAMES, np.zeros(16), EXPECTED["MCV"]).rank == 8.5
    missing = np.where(np.array(NAMES) == "Ery", np.nan, 1.0)
    assert np.isnan(score(NAMES, missing, EXPECTED["MCV"]).auroc)


def test_false_positives_are_counted_once_a_set():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "set": np.repeat(np.arange(400), 5), "method": "m", "context": list("abcde") * 400,
            "p_value": rng.random(2_000),
        }
    )  # fmt: skip
    row = rates(frame).iloc[0]
    assert row["sets"] == 400 and row["low_0.05"] < 0.05 < row["high_0.05"]
    assert row["all_0.05"] == pytest.approx((frame["p_value"] <= 0.05).mean())


def test_power_of_a_method_that_knows_the_answer_is_1_and_of_one_that_guesses_is_chance():
    rng = np.random.default_rng(2)
    truth = {"a": 9.0}
    rows = [
        (f"s{n}", method, name, truth.get(name, 0.0) if method == "knows" else rng.normal(), 0.01)
        for n in range(200) for method in ("knows", "guesses") for name in "abcd"
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["set", "method", "context", "z", "p_value"])
    table = power(frame.assign(truth="a", loci=5, share=1.0)).set_index("method")
    assert table.loc["knows", ["rank", "top_1", "auprc"]].tolist() == [1, 1, 1]
    assert table.loc["guesses", "top_1"] == pytest.approx(0.25, abs=0.1)
    assert table.loc["guesses", "top_1_low"] < 0.25 < table.loc["guesses", "top_1_high"]


def test_simulated_studies_have_the_ld_of_their_people_and_the_effects_that_are_asked_for():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(1, 200))
    g = standardised(np.concatenate([shared + 0.3 * rng.normal(size=(2, 200)), rng.normal(size=(2, 200))]))
    table = pd.DataFrame({"contig": "20", "position": [5, 6, 7, 8], "ref": "A", "alt": "C", "frequency": 0.5})
    panel, r = LdPanel(table, g), np.corrcoef(g)
    effects = np.array([4.0, 0, 0, 0])
    z = np.array([simulated_study(panel, effects, rng)["z"] for _ in range(2_000)])
    np.testing.assert_allclose(z.mean(0), r @ effects, atol=0.1)
    np.testing.assert_allclose(np.cov(z.T), r, atol=0.1)


def test_a_simulated_study_without_a_locus_is_a_trait_all_the_same():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"contig": "20", "position": np.arange(30) + 1, "ref": "A", "alt": "C"})
    quiet, loud = table.assign(z=rng.normal(size=30)), table.assign(z=[9.0] + [0.0] * 29)
    studies = {name: one.assign(beta=0.005 * one["z"], se=0.005, id="") for name, one in
               (("quiet", quiet), ("loud", loud))}  # fmt: skip
    traits = as_traits(studies)
    assert traits.traits == ["loud"] and traits.every_trait == ["loud", "quiet"]
    assert as_traits({"quiet": studies["quiet"]}).traits == []


def test_a_prior_that_knows_the_causal_variant_finds_it_and_a_flat_one_gives_its_posterior():
    rng = np.random.default_rng(4)
    posterior = rng.dirichlet(np.ones(5), 200)
    causal = np.array([rng.multinomial(1, row) for row in posterior], bool)
    table = pd.DataFrame(
        {"locus": np.repeat(np.arange(200), 5), "posterior": posterior.ravel(), "causal": causal.ravel()}
    )
    flat = by_locus(table, np.ones(len(table)))
    assert flat["share"].mean() == pytest.approx(posterior[causal].mean())
    ordered = -np.sort(-posterior, axis=1)
    np.testing.assert_array_equal(flat["size"], 1 + (np.cumsum(ordered, 1) < 0.95 - 1e-9).sum(1))
    assert flat["holds"].mean() > 0.9 and flat["first"].mean() < 0.8
    knows = by_locus(table, np.where(table["causal"], 1e6, 1.0))
    assert knows[["share", "holds", "first"]].mean().min() > 0.98 and knows["size"].max() <= 2


def test_the_rule_takes_the_best_candidate_and_of_equal_ones_the_milder():
    rows = [
        ("mean", 0.0, 0.9),
        ("mean", 0.5, 0.5),
        ("mean", 1.0, 0.6),
        ("max", 1.0, 0.6005),
        ("max", 2.0, 0.601),
    ]
    candidates = pd.DataFrame(rows, columns=["over", "power", "both"])
    assert chosen(candidates) == ("mean", 1.0)
    assert chosen(candidates.assign(both=[0.9, 0.5, 0.6, 0.61, 0.613])) == ("max", 2.0)

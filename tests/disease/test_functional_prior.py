"""The functional prior: what it does to posteriors, and that tests with it hold their size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.disease import hypotheses, locus_evidence, methods_paragraph, table_to_keep, variant_evidence
from phenviz.disease.engine import locus_sums, matched_test
from phenviz.disease.functional_prior import (
    NO_EFFECT,
    FunctionalPrior,
    effect_size,
    follows_prior,
    prior_of,
    prior_weight,
    reweighted,
)
from phenviz.disease.matching import Replicas
from phenviz.errors import DataError
from phenviz.figures.disease import footer_of
from phenviz.results.comments import comments
from phenviz.service.disease import EvidenceRequest, HypothesesRequest
from tests.disease import worlds


def _slowly_reweighted(posterior, weight):
    """Share the sum out in proportion; who would get more than 1 gets 1, and the rest is shared again."""
    result, free = np.zeros(len(posterior)), list(range(len(posterior)))
    left = sum(posterior)
    while free:
        total = sum(posterior[i] * weight[i] for i in free)
        if total == 0:
            break
        share = {i: left * posterior[i] * weight[i] / total for i in free}
        above = [i for i in free if share[i] > 1]
        for i in above or free:
            result[i] = 1.0 if above else share[i]
        free = [i for i in free if above and i not in above]
        left -= len(above)
    return result


@pytest.mark.parametrize("seed", range(30))
def test_reweighted_posteriors_are_those_of_the_plain_loop_and_keep_their_sum(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    posterior = rng.uniform(0, 1, count) * rng.choice([0, 0.2, 1], count)
    if seed % 2:
        posterior = posterior / max(posterior.sum(), 1)
    weight = np.exp(rng.normal(0, 2, (4, count)))
    found = reweighted(posterior, weight)
    for one, own in zip(found, weight, strict=True):
        np.testing.assert_allclose(one, _slowly_reweighted(posterior, own), atol=1e-12)
        np.testing.assert_allclose(one, reweighted(posterior, own))
        assert one.sum() == pytest.approx(posterior.sum()) and one.max() <= 1 + 1e-12


def test_equal_weights_change_nothing_and_a_larger_effect_never_counts_less():
    rng = np.random.default_rng(0)
    posterior = rng.dirichlet(np.ones(6))
    np.testing.assert_allclose(reweighted(posterior, np.full(6, 3.0)), posterior)
    sizes = np.sort(rng.exponential(0.1, 50))
    assert (np.diff(prior_weight(sizes)) > 0).all() and prior_weight(np.zeros(1)) == 1
    assert prior_weight(np.array([NO_EFFECT]), 1.0) == pytest.approx(2)


def test_a_variant_that_cannot_be_scored_counts_as_without_effect():
    magnitude = np.array([[0.1, 0.3], [np.nan, 0.5]], np.float32)
    np.testing.assert_allclose(effect_size(magnitude, "mean"), [0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(effect_size(magnitude, "max"), [0.3, 0], rtol=1e-6)


def test_sums_with_a_prior_are_those_of_a_plain_loop():
    rng = np.random.default_rng(8)
    values, pool = rng.random((7, 2)), rng.random((30, 2))
    posterior, level, pool_level = rng.random(7) / 4, rng.random(7) + 0.5, rng.random(30) + 0.5
    size, pool_size = rng.random(7), rng.random(30)
    order = (np.array([0, 2, 4]), np.array([1, 3, 5, 6]))
    rows = tuple(rng.integers(0, 30, (5, len(part))) for part in order)
    prior = FunctionalPrior(size, pool_size, level, pool_level)
    sums = locus_sums(
        values, posterior, Replicas(rows, order, ("a", "b"), {}), pool, level, pool_level,
        prior.of(np.arange(7), posterior),
    )  # fmt: skip
    for locus, (own, stand_in) in enumerate(zip(order, rows, strict=True)):
        mine = _slowly_reweighted(posterior[own], prior_weight(size[own]))
        np.testing.assert_allclose(
            sums.observed[locus], sum(w * values[v] for w, v in zip(mine, own, strict=True))
        )
        for replica in range(5):
            s = stand_in[replica]
            scale = np.clip(level[own] / pool_level[s], 0.5, 2.0)
            theirs = _slowly_reweighted(posterior[own], prior_weight(scale * pool_size[s]))
            np.testing.assert_allclose(sums.null[locus, replica], (theirs * scale) @ pool[s])
        assert sums.weight[locus] == pytest.approx(posterior[own].sum())


@pytest.fixture(scope="module")
def traits(world):
    rng = np.random.default_rng(4)
    # posteriors that leave the causal variant in doubt
    tables = [
        worlds.trait_at(world, worlds.elements_of(name, 8, rng), trait=name, posterior=0.4, seed=number)
        for number, name in enumerate(("Ery", "B"))
    ]
    return worlds.variants_of(*tables)


@pytest.fixture(scope="module")
def both(world, traits):
    names = ["variant", "sequence", "accessibility", "gchromvar", "overlap", "control-track-variance"]
    how = {"permutations": 500, "scorer": worlds.known_scores}
    return [hypotheses(traits, world, method=names, prior=prior, **how) for prior in ("flat", "effect")]


def test_a_prior_counts_in_tests_of_matched_loci_alone_and_is_named(both):
    flat, effect = both
    for name in map(str, flat["method"].values):
        same = flat["effect"].sel({"method": name}).equals(effect["effect"].sel({"method": name}))
        assert same == (not follows_prior(name)), name
    assert follows_prior("sequence") and not follows_prior("overlap")
    assert "prior" not in flat.attrs and "prior" not in methods_paragraph(flat)
    assert effect.attrs["prior"] == "effect"
    said = methods_paragraph(effect)
    assert "PolyFun" in said and "counted in variant, sequence, accessibility:" in said
    assert "gchromvar, overlap, control-track-variance: posteriors as given" in said
    assert any(line.startswith("prior: effect") for line in comments(effect))
    kept = table_to_keep(effect).groupby("method")["prior"].unique().str.join(",")
    assert kept["variant"] == "effect" and kept["overlap"] == "flat" and "prior" not in table_to_keep(flat)


def test_a_figure_names_a_prior_only_where_a_method_that_is_drawn_follows_it(both):
    flat, effect = both
    assert "prior" not in footer_of(flat)
    assert "| prior effect |" in footer_of(effect, ["variant"])
    assert "| prior effect in sequence |" in footer_of(effect, ["overlap", "sequence"])
    assert "prior" not in footer_of(effect, ["overlap"])
    # as older results are
    assert "| prior effect |" in footer_of(effect.drop_vars("method_prior"), ["variant"])
    priors = [prior_of(effect, name) for name in effect["method"].values]
    assert effect["method_prior"].values.tolist() == priors


def test_a_prior_moves_weight_to_the_variant_in_the_element(both, traits, world):
    how = {"scorer": worlds.known_scores}
    table = variant_evidence(traits, "Ery", world, prior="effect", **how)
    inside = worlds.element_context(table["position"]) >= 0
    gained = table["posterior"] - table["posterior_given"]
    assert gained[inside].sum() > 0.5 and gained.sum() == pytest.approx(0, abs=1e-9)
    for _, own in table.groupby("locus"):
        slow = _slowly_reweighted(
            own["posterior_given"].to_numpy(), prior_weight(own[worlds.NAMES].abs().mean(axis=1).to_numpy())
        )
        np.testing.assert_allclose(own["posterior"], slow, rtol=1e-5)
    assert "posterior_given" not in variant_evidence(traits, "Ery", world, **how)


def test_parts_of_loci_add_up_to_the_effect_under_a_prior(both, traits, world):
    how = {"permutations": 500, "scorer": worlds.known_scores}
    for method in ("variant", "accessibility"):
        loci = locus_evidence(traits, "Ery", world, method=method, prior="effect", **how)
        whole = both[1]["effect"].sel({"method": method, "trait": "Ery"}).sel(context=worlds.NAMES)
        np.testing.assert_allclose(loci["excess"].sum("locus"), whole, rtol=1e-6, atol=1e-9)
        assert loci.attrs["prior"] == "effect"


def test_a_prior_keeps_the_size_of_a_test_which_reweighting_the_loci_alone_does_not():
    rng, level = np.random.default_rng(11), np.ones(1_000)
    called = {"flat": 0, "both": 0, "loci alone": 0}
    for _ in range(600):
        # drawn anew: what a background lacks by chance would count in all traits alike
        pool = rng.exponential(0.05, (1_000, 3))
        values, posterior = rng.exponential(0.05, (15, 3)), rng.dirichlet(np.ones(5), 3).ravel()
        order = tuple(np.arange(15).reshape(3, 5))
        replicas = Replicas(tuple(rng.integers(0, 1_000, (3, 60, 5))), order, ("a", "b", "c"), {})
        prior = FunctionalPrior(effect_size(values), effect_size(pool), level[:15], level)
        of_loci = np.concatenate([reweighted(posterior[o], prior_weight(prior.size[o])) for o in order])
        for name, weight, reweigh in (
            ("flat", posterior, None),
            ("both", posterior, prior.of(np.arange(15), posterior)),
            ("loci alone", of_loci, None),
        ):
            sums = locus_sums(values, weight, replicas, pool, level[:15], level, reweigh)
            called[name] += matched_test(sums, 200, rng).p_value[0] <= 0.05
    assert called["flat"] < 0.075 * 600 and called["both"] < 0.075 * 600
    assert called["loci alone"] > 0.085 * 600


@pytest.mark.parametrize(
    ("prior", "method", "says"),
    [
        ("polyfun", "variant", "no prior 'polyfun': choose from flat, effect"),
        ("effect", "overlap", "add one of"),
    ],
)
def test_a_prior_that_is_unknown_or_counts_in_nothing_is_refused(world, traits, prior, method, says):
    with pytest.raises(DataError, match=says):
        hypotheses(traits, world, method=method, prior=prior, scorer=worlds.known_scores)


def test_a_prior_is_part_of_what_a_result_is_kept_under(traits):
    from phenviz import open_world

    world = open_world()
    for of, how in ((HypothesesRequest.of, {}), (EvidenceRequest.of, {"trait": "Ery"})):
        keys = [
            [chunk.identity for chunk in of(world, traits, **how, **prior).chunks(world)]
            for prior in ({}, {"prior": "flat"}, {"prior": "effect"})
        ]
        assert keys[0] == keys[1] != keys[2]


def test_the_command_refuses_a_prior_that_counts_in_no_method(tmp_path):
    rows = pd.DataFrame({"chr": ["20"], "pos": [1_600_925], "ref": ["G"], "alt": ["A"], "pip": [0.9]})
    rows.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    words = ["--table", str(tmp_path / "t.tsv"), "--method", "overlap-remo", "--prior", "effect"]
    run = CliRunner().invoke(main, ["hypotheses", *words, "-o", str(tmp_path / "h.tsv")])
    assert run.exit_code != 0 and "leave the prior flat" in run.output and "Traceback" not in run.output

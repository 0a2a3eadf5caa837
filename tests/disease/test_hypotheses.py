from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from phenviz import results
from phenviz.disease import (
    hypotheses,
    locus_evidence,
    methods_paragraph,
    reservations,
    table_of,
    variant_evidence,
)
from phenviz.errors import DataError, ResultError, TargetError
from tests.disease import worlds

MODEL = (
    "variant", "variant-specific", "variant-relative", "variant-signed", "variant-activity",
    "control-shuffled",
)  # fmt: skip
OBSERVED = ("accessibility", "gchromvar", "overlap", "overlap-remo", "accessibility-rank")


@pytest.fixture(scope="module")
def planted(world):
    rng = np.random.default_rng(0)
    return worlds.variants_of(
        *worlds.red_and_white(world, rng),
        worlds.trait_at(world, rng.integers(1_000, worlds.LENGTH - 10_000, 8), trait="nothing", seed=2),
    )


@pytest.fixture(scope="module")
def result(world, planted):
    return hypotheses(
        planted, world, method=[*MODEL, *OBSERVED], permutations=1_000, scorer=worlds.known_scores
    )


@pytest.mark.parametrize(
    "method",
    [
        "variant",
        "variant-specific",
        "variant-relative",
        "variant-activity",
        "accessibility",
        "gchromvar",
        "overlap",
    ],
)
def test_a_planted_context_is_ranked_first(result, method):
    z = result["z"].sel({"method": method})
    assert str(z.context[int(np.argmax(z.sel(trait="red").values[:5]))].values) == "Ery"
    assert str(z.context[int(np.argmax(z.sel(trait="white").values[:5]))].values) == "B"


def test_a_planted_context_is_significant_and_what_was_not_planted_is_not(result):
    p = result["p_value"].sel({"method": "variant"})
    assert float(p.sel(trait="red", context="Ery")) < 0.01
    assert float(p.sel(trait="nothing")[:5].min()) > 0.001


def test_methods_test_their_own_contexts_only(result):
    remo = result.sel({"method": "overlap-remo"})
    assert np.isfinite(remo["p_value"].sel(context="Ery kind")).all()
    assert np.isnan(remo["p_value"].sel(context="Ery")).all()
    assert np.isnan(result["p_value"].sel({"method": "variant", "context": "any"})).all()


def test_the_result_says_how_it_was_made_and_reads_back(result, tmp_path):
    for name in results.schema.REQUIRED_ATTRS:
        assert name in result.attrs
    assert result.attrs["seed"] == 0 and result.attrs["permutations"] == 1_000
    for suffix in (".nc", ".parquet"):
        results.save(result, tmp_path / f"h{suffix}")
        again = results.load(tmp_path / f"h{suffix}")
        np.testing.assert_allclose(again["p_value"].values, result["p_value"].values)
        assert again.attrs["background"] == result.attrs["background"]


def test_the_table_holds_tested_pairs_only_best_first(result):
    table = table_of(result)
    assert list(table.columns[:7]) == [
        "trait", "context", "context_label", "curie", "group", "method", "effect",
    ]  # fmt: skip
    assert table["p_value"].notna().all()
    for _, own in table.groupby(["trait", "method"]):
        assert own["p_value"].is_monotonic_increasing


def test_the_same_seed_gives_the_same_result_whatever_else_is_run(world, planted, result):
    alone = hypotheses(planted, world, method="variant", permutations=1_000, scorer=worlds.known_scores)
    together = result.sel({"method": ["variant"]}).sel(context=worlds.NAMES)
    np.testing.assert_array_equal(alone["p_value"].values, together["p_value"].values)
    one = hypotheses(
        planted.select(["red"]),
        world,
        method="variant",
        permutations=1_000,
        seed=5,
        scorer=worlds.known_scores,
    )
    assert not np.array_equal(one["p_value"].values, alone["p_value"].sel(trait=["red"]).values)


def test_the_paragraph_names_the_settings_that_were_used(result):
    text = methods_paragraph(result)
    assert "1,000 times" in text and "seed 0" in text and "3 traits" in text
    assert "g-chromVAR" in text and str(result.attrs["background"]) in text
    assert "on chr1, chr2 (" in methods_paragraph(result.assign_attrs(contig="chr1,2"))
    with pytest.raises(ResultError, match="no hypotheses"):
        methods_paragraph(result[["variants"]].drop_dims("method", errors="ignore"))


def test_what_few_loci_cannot_show_is_said_and_nothing_where_there_are_enough(result):
    few = result.assign(loci=("trait", [9, 4, 1]))
    (said,) = reservations(few)
    assert said.startswith("2 of 3 traits have fewer than 5 loci on chr20 (the median trait 4)")
    assert reservations(result.assign(loci=("trait", [5, 9, 7]))) == []


def test_contexts_are_chosen_by_name_group_and_term(world, planted):
    chosen = hypotheses(
        planted, world, contexts=["red", "CL:0000003"], permutations=200, scorer=worlds.known_scores
    )
    assert chosen["context"].values.tolist() == ["Ery", "Mega", "B"]
    with pytest.raises(TargetError, match="no context 'spleen'"):
        hypotheses(planted, world, contexts=["spleen"], permutations=200, scorer=worlds.known_scores)


def test_unknown_methods_traits_and_empty_tables_are_refused_with_what_there_is(world, planted):
    with pytest.raises(DataError, match="no method 'magic': choose from variant"):
        hypotheses(planted, world, method="magic")
    with pytest.raises(DataError, match="no trait 'blue'"):
        planted.select(["blue"])
    with pytest.raises(DataError, match=r"nothing to test: none of the .* is a variant on chr20"):
        hypotheses(worlds.variants_of(worlds.trait_at(world, [])), world)
    weightless = replace(planted, table=planted.table.assign(posterior=0.0))
    with pytest.raises(DataError, match=r"nothing to test: every posterior of .* is 0"):
        hypotheses(weightless, world)


def test_loci_add_up_to_the_effect(world, planted, result):
    evidence = locus_evidence(planted, "red", world, permutations=1_000, scorer=worlds.known_scores)
    effect = result["effect"].sel({"method": "variant", "trait": "red"}).sel(context=worlds.NAMES)
    np.testing.assert_allclose(evidence["excess"].sum("locus"), effect, rtol=1e-6)
    assert evidence.sizes["locus"] == 8 and all(evidence["gene"].values)


def test_variants_behind_a_trait_come_with_their_signed_effects(world, planted):
    table = variant_evidence(planted, "red", world, scorer=worlds.known_scores)
    assert table["posterior"].is_monotonic_decreasing and set(worlds.NAMES) <= set(table)
    lead = table.iloc[0]
    row = worlds.known_scores(table.iloc[:1], None, None)["effect"].values[0]
    np.testing.assert_allclose(lead[worlds.NAMES].astype(float), row, rtol=1e-5)


def test_signed_effects_follow_the_sign_of_beta(world, planted):
    turned = planted.table.assign(beta=-planted.table["beta"])
    there, back = (
        hypotheses(
            worlds.TraitVariants(table, planted.report),
            world,
            method="variant-signed",
            permutations=200,
            scorer=worlds.known_scores,
        )
        for table in (planted.table, turned)
    )
    np.testing.assert_allclose(there["effect"].values, -back["effect"].values, atol=1e-9)


def test_without_peaks_observed_methods_say_what_is_missing(world, planted):
    without = SimpleNamespace(**{**vars(world), "peaks": None})
    with pytest.raises(DataError, match="no observed peaks"):
        hypotheses(planted, without, method="accessibility")


def test_a_reporter_assay_is_no_place_for_a_disease(world, planted):
    reporter = replace(worlds.CONTEXTS[0], unit="RNA/DNA")
    without = SimpleNamespace(**{**vars(world), "contexts": (reporter, *worlds.CONTEXTS[1:])})
    found = hypotheses(planted, without, method="variant", permutations=200, scorer=worlds.known_scores)
    assert found["context"].values.tolist() == worlds.NAMES[1:]


def test_what_was_never_observed_in_a_context_is_not_taken_for_nothing(world, planted):
    peaks = world.peaks[world.peaks["context"] != "B"]
    without = SimpleNamespace(**{**vars(world), "peaks": peaks})
    found = hypotheses(
        planted, without, method=["variant", *OBSERVED], permutations=200, scorer=worlds.known_scores
    )
    p = found["p_value"].sel(context=worlds.NAMES)
    assert np.isfinite(p.sel({"method": "variant"})).all()
    for method in set(OBSERVED) - {"overlap-remo"}:
        own = p.sel({"method": method})
        assert np.isnan(own.sel(context="B")).all()
        assert np.isfinite(own.sel(context=[name for name in worlds.NAMES if name != "B"])).all()


def test_p_values_of_random_loci_are_true(world):
    rng = np.random.default_rng(3)
    tables = [
        worlds.trait_at(world, rng.integers(1_000, worlds.LENGTH - 10_000, 5), trait=f"null{n}", seed=n)
        for n in range(120)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = hypotheses(
            worlds.variants_of(*tables),
            world,
            method=["variant", "accessibility"],
            permutations=300,
            scorer=worlds.known_scores,
        )
    for method in ("variant", "accessibility"):
        one = found["p_value"].sel({"method": method}).values[np.arange(120), np.arange(120) % 5]
        assert np.mean(one <= 0.05) <= 0.12

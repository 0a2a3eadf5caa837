from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from phenviz.disease import hypotheses, locus_evidence
from phenviz.disease.combined import combine
from phenviz.disease.engine import LocusSums, matched_test
from phenviz.disease.gene_activity import REACH, STEP, GeneActivity
from phenviz.disease.inputs import Inputs, Settings
from phenviz.disease.moved_loci import gene_covariates, left_over
from tests.disease import worlds


def _parts(rng, loci=6, replicas=120, contexts=3, shift=0.0):
    """Make two parts that are correlated, on scales far apart."""
    shared = rng.gamma(1.0, 1.0, (loci, replicas + 1, contexts))
    parts = []
    for scale in (1.0, 1e4):
        numbers = scale * (shared + rng.gamma(1.0, 1.0, shared.shape))
        numbers[:, -1] += scale * shift
        parts.append(LocusSums(numbers[:, -1], numbers[:, :-1], np.ones(loci)))
    return parts


def test_p_is_that_of_adding_the_parts_in_every_draw():
    parts = _parts(np.random.default_rng(0), loci=3, replicas=9, contexts=2)
    found = matched_test(combine(parts), 40_000, np.random.default_rng(1)).p_value
    # the slow way: all 10 x 10 x 10 draws of a locus or one of its replicas, part by part
    numbers = [np.concatenate([part.null, part.observed[:, None]], axis=1) for part in parts]
    draws = np.array([[i, j, k] for i in range(10) for j in range(10) for k in range(10)])
    total = np.zeros((1000, 2))
    for part in numbers:
        sums = sum(part[locus, draws[:, locus]] for locus in range(3))
        total += sums / sums.std(0)
    expected = (total >= total[-1] - 1e-9).mean(0)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_p_of_correlated_parts_is_uniform_where_there_is_nothing():
    rng = np.random.default_rng(2)
    p = np.array([matched_test(combine(_parts(rng)), 400, rng).p_value[0] for _ in range(400)])
    for level in (0.05, 0.2):
        assert binomtest(int((p <= level).sum()), len(p), level).pvalue > 0.001


def test_parts_together_find_what_each_alone_misses():
    rng = np.random.default_rng(3)
    alone, together = [], []
    for _ in range(60):
        parts = _parts(rng, loci=12, shift=0.9)
        alone.append([matched_test(part, 300, rng).p_value[0] for part in parts])
        together.append(matched_test(combine(parts), 300, rng).p_value[0])
    assert np.mean(np.array(together) <= 0.05) > np.mean(np.array(alone) <= 0.05)


def test_a_part_that_is_the_same_everywhere_counts_for_nothing():
    first, second = _parts(np.random.default_rng(4))
    same = LocusSums(np.ones_like(second.observed), np.ones_like(second.null), second.weight)
    one, both = combine([first]), combine([first, same])
    np.testing.assert_allclose(2 * both.excess, one.excess)


def test_scales_of_the_parts_change_nothing():
    first, second = _parts(np.random.default_rng(5))
    scaled = LocusSums(1e-6 * second.observed, 1e-6 * second.null, second.weight)
    np.testing.assert_allclose(combine([first, second]).excess, combine([first, scaled]).excess)


@pytest.fixture(scope="module")
def planted(world):
    return worlds.variants_of(*worlds.red_and_white(world, np.random.default_rng(0)))


def test_activity_around_genes_is_what_the_scorer_says_place_by_place(world, planted):
    inputs = Inputs(planted, world, Settings(200, 0), scorer=worlds.known_scores)
    found = GeneActivity().prepare(inputs, inputs.model)
    genes = world.annotation.genes.sort_values("tss").reset_index(drop=True)
    rows = []
    for tss in genes["tss"]:
        places = [p for p in range(tss - REACH, tss + REACH + 1, STEP) if 0 <= p < worlds.LENGTH]
        own = worlds.element_context(np.array(places) + 1)
        active = np.where(own[:, None] == np.arange(5), 6.0, 0.2)
        rows.append(np.log2(1 + active).mean(0))
    slow = np.array(rows)
    mean = slow.mean(1)
    expected = left_over(slow - mean[:, None], gene_covariates(genes, mean))
    order = [found.row[name] for name in genes["gene_name"]]
    np.testing.assert_allclose(found.left[order], expected, atol=1e-5)


def test_sequence_finds_what_was_planted_and_its_loci_add_up(world, planted):
    result = hypotheses(
        planted, world, method="sequence", permutations=1_000, scorer=worlds.known_scores
    ).sel({"method": "sequence"})
    for trait, context in (("red", "Ery"), ("white", "B")):
        own = result.sel(trait=trait)
        assert str(own["context"].values[int(np.argmax(own["z"].values))]) == context
        assert float(own["p_value"].sel(context=context)) < 0.01
    loci = locus_evidence(
        planted, "red", world, method="sequence", permutations=200, scorer=worlds.known_scores
    )
    np.testing.assert_allclose(loci["excess"].sum("locus"), result["effect"].sel(trait="red"), atol=1e-9)
    assert result.attrs["model"] == "known@unsaved"


def test_sequence_holds_its_size_on_loci_placed_at_random(world):
    tables = [
        worlds.trait_at(
            world, np.random.default_rng(seed).integers(1_000, worlds.LENGTH - 10_000, 4), trait=f"n{seed}",
            seed=seed,
        )
        for seed in range(150)
    ]  # fmt: skip
    result = hypotheses(
        worlds.variants_of(*tables), world, method="sequence", permutations=300, scorer=worlds.known_scores
    )
    # one context of each set: the five of a set depend on each other
    one = result["p_value"].values[np.arange(150), np.arange(150) % 5, 0]
    assert binomtest(int((one <= 0.05).sum()), 150, 0.05).pvalue > 0.001


def test_without_genes_the_other_parts_are_tested(world, planted):
    from types import SimpleNamespace

    from phenviz.genome import Annotation

    bare = SimpleNamespace(**vars(world))
    bare.annotation = Annotation(world.annotation.genes.drop(columns="tss").head(3))
    result = hypotheses(planted, bare, method="sequence", permutations=200, scorer=worlds.known_scores)
    assert np.isfinite(result["p_value"]).all()

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.background import common_background, elements, random_background
from phenviz.disease.covariates import covariates, gc_content, nearest_genes, tss_distance
from phenviz.disease.matching import Matcher
from phenviz.errors import DataError
from tests.disease import worlds


@pytest.fixture(scope="module")
def background(world):
    def activity(variants):
        return worlds.known_scores(variants, None, None)["active"].values.mean(1)

    return random_background(
        world.reference, world.annotation, ["20"], activity, seed=0, singles=900, deep=200
    ).variants


def test_background_alleles_are_those_of_the_reference(world, background):
    for row in background.itertuples():
        codes = world.reference.fetch_codes("20", row.position - 1, row.position - 1 + len(row.ref))
        assert "".join("ACGTN"[code] for code in codes) == row.ref != row.alt
    indel = background["ref"].str.len() != background["alt"].str.len()
    assert 0.07 < indel.mean() < 0.17


def test_background_elements_lie_side_by_side_within_their_reach(background):
    starts = background.groupby("element")["position"].agg(["min", "max", "size"])
    assert (starts["max"] - starts["min"] <= 600).all() and starts["size"].max() == 5
    assert (np.diff(background["element"]) >= 0).all() and starts["min"].is_monotonic_increasing


def test_the_same_seed_draws_the_same_background(world):
    def flat(variants):
        return np.zeros(len(variants))

    args = (world.reference, world.annotation, ["20"], flat)
    one, two, other = (random_background(*args, seed=s, singles=200, deep=50).variants for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one["position"].equals(other["position"])


def test_elements_are_neighbours_within_300_bp_five_at_most():
    contig = np.array(["1"] * 9 + ["2"])
    position = np.array([100, 350, 651, 1_000, 1_050, 1_100, 1_150, 1_200, 1_250, 1_260])
    assert elements(contig, position).tolist() == [0, 0, 1, 2, 2, 2, 2, 2, 3, 4]


def test_replicas_stand_in_for_every_variant_and_are_alike_in_activity(world, background):
    rng = np.random.default_rng(0)
    activity = worlds.known_scores(background, None, None)["active"].values.mean(1)
    matcher = Matcher(background, covariates(background, world.reference, world.annotation, activity))
    table = worlds.variants_of(worlds.trait_at(world, worlds.elements_of("Ery", 6, rng), extra=4)).table
    own = covariates(
        table,
        world.reference,
        world.annotation,
        worlds.known_scores(table, None, None)["active"].values.mean(1),
    )
    replicas = matcher.replicas(table, own, lambda locus: rng, count=50)
    assert sorted(np.concatenate(replicas.order).tolist()) == list(range(len(table)))
    for order, rows in zip(replicas.order, replicas.rows, strict=True):
        assert rows.shape[1] == len(order) and 20 <= len(rows) <= 50 and rows.max() < len(background)
        lead = int(table["posterior"].to_numpy()[order].argmax())
        np.testing.assert_allclose(activity[rows[:, lead]], own["activity"].to_numpy()[order][lead], atol=0.3)
    assert abs(replicas.imbalance["activity"]) < 0.2


def test_covariates_are_those_of_the_slow_way(world):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"contig": "20", "position": rng.integers(1, worlds.LENGTH + 1, 40)})
    genes = world.annotation.genes
    gc = gc_content(table, world.reference)
    tss, near = tss_distance(table, world.annotation), nearest_genes(table, world.annotation)
    for row, position in enumerate(table["position"]):
        away = (genes["tss"] - (position - 1)).abs()
        assert tss[row] == pytest.approx(np.log10(1 + away.min()))
        assert away[genes["gene_name"] == near[row]].iloc[0] == away.min()
        codes = world.reference.fetch_codes("20", max(position - 251, 0), min(position + 250, worlds.LENGTH))
        assert gc[row] == pytest.approx(np.isin(codes, (1, 2)).mean())


def test_common_variants_serve_as_background_and_bring_their_frequency(world):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {"contig": "20", "position": np.sort(rng.integers(1, 300_000, 500)), "ref": "A", "alt": "C"}
    ).assign(allele_frequency=rng.random(500))
    drawn = common_background(table, seed=0, most=200).variants
    assert 150 < len(drawn) <= 200
    found = covariates(drawn, world.reference, world.annotation, np.zeros(len(drawn)))
    assert found["allele_frequency"].max() <= np.log10(0.5)
    with pytest.raises(DataError, match="no common variant"):
        common_background(table.iloc[:0], seed=0)

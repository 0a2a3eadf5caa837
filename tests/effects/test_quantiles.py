from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phenviz.effects import (
    Background,
    background_of,
    common_variants,
    quantiles,
    score_variants,
    with_quantiles,
    world_background,
)
from phenviz.errors import DataError
from phenviz.variation import open_individuals
from tests.effects.oracles import random_variants
from tests.effects.toys import SAMPLES, write_people


def slow_quantile(value: float, background: np.ndarray) -> float:
    below = sum(one < value for one in background) + 0.5 * sum(one == value for one in background)
    return 2 * below / len(background) - 1


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    st.lists(st.one_of(st.integers(-6, 6), st.just(np.nan)), min_size=1, max_size=10),
)
def test_a_quantile_is_the_middle_rank_on_a_scale_from_minus_one_to_one(background, values):
    effects = np.sort(np.array([background, background], dtype=np.float32), axis=1)
    asked = np.array([values, values], dtype=np.float64).T
    found = Background(("A", "B"), effects, "").quantile(asked, ["B", "A"])
    expected = [[np.nan if np.isnan(v) else slow_quantile(v, background)] * 2 for v in values]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_quantiles_are_of_each_context_and_rows_without_score_stay_nan(toy_world):
    variants = random_variants(np.random.default_rng(1), toy_world.reference, 50)
    scores = score_variants(variants, toy_world.reference, toy_world.backbone)
    background = background_of(scores, "themselves")
    variants.loc[3, "ref"] = "T" if variants.loc[3, "ref"][0] != "T" else "A"
    again = score_variants(variants, toy_world.reference, toy_world.backbone, contexts=["B", "Ery"])
    ranked = with_quantiles(again, background)["quantile"]
    assert ranked.dims == ("variant", "context") and ranked[3].isnull().all()
    for context in ("B", "Ery"):
        row = scores["effect"].sel(context=context).values
        expected = slow_quantile(row[10], row)
        assert ranked.sel(context=context)[10] == pytest.approx(expected, abs=0.05)
    with pytest.raises(DataError, match="no context liver"):
        background.quantile(np.zeros((1, 1)), ["liver"])


@pytest.fixture
def world(toy_world, tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "people.vcf"
    written = write_people(path, toy_world.reference, 4, count=80)
    people = open_individuals(path, toy_world.reference)
    made = SimpleNamespace(
        name="toy", reference=toy_world.reference, backbone=toy_world.backbone, individuals=people,
        project=SimpleNamespace(individuals=(path,)),
    )  # fmt: skip
    return made, written


def test_common_variants_are_those_whose_rarer_allele_is_common(world):
    made, written = world
    columns = [f"{sample}.{number}" for sample in SAMPLES for number in (1, 2)]
    frequency = written[columns].mean(axis=1).to_numpy()
    found = common_variants(made.individuals, made.reference, frequency=0.2)
    kept = np.minimum(frequency, 1 - frequency) > 0.2
    assert len(found) == kept.sum() > 0
    np.testing.assert_allclose(np.sort(found["allele_frequency"]), np.sort(frequency[kept]))
    few = common_variants(made.individuals, made.reference, frequency=0.2, most=1)
    assert len(few) <= len(found)


def test_the_background_is_computed_once_and_again_for_another_model_or_a_damaged_file(world, monkeypatch):
    made, _ = world
    computed = []
    score = quantiles.score_variants

    def counting(*args, **kwargs):
        computed.append(1)
        return score(*args, **kwargs)

    monkeypatch.setattr(quantiles, "score_variants", counting)
    first = world_background(made)
    again = world_background(made)
    assert len(computed) == 1
    np.testing.assert_array_equal(first.effects, again.effects)
    assert first.source == again.source and "4 individuals" in first.source
    (kept,) = (quantiles.cache_dir("quantiles")).iterdir()
    for damage in (b"", kept.read_bytes()[:200], kept.read_bytes()[:-3_000] + b"x" * 3_000):
        kept.write_bytes(damage)
        np.testing.assert_array_equal(world_background(made).effects, first.effects)
    assert len(computed) == 4
    monkeypatch.setattr(made.backbone, "weights_hash", "another")
    world_background(made)
    assert len(computed) == 5


def test_a_world_without_individuals_has_no_background(world):
    made, _ = world
    made.individuals = None
    assert world_background(made) is None

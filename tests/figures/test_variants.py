from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from phenviz import figures
from phenviz.errors import ResultError
from phenviz.figures.variants import RARE, strongest_variants, variant_name
from phenviz.genome import Locus
from phenviz.results import context_coords, result_attrs
from tests.toys import CONTEXTS


def _scores(variants: int = 60, seed: int = 0, *, quantiles: bool = True) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=(variants, len(CONTEXTS)))
    dims = ("variant", "context")
    data = {"effect": (dims, effect)}
    if quantiles:
        data["quantile"] = (dims, np.tanh(effect * 2), {"definition": "rank among toys"})
    return xr.Dataset(
        data,
        coords={
            "contig": ("variant", ["20"] * variants),
            "position": ("variant", 1_000 + 10 * np.arange(variants)),
            "ref": ("variant", ["A"] * variants),
            "alt": ("variant", ["G"] * variants),
            "id": ("variant", [f"rs{row}" for row in range(variants)]),
            "status": ("variant", ["scored"] * variants),
            **context_coords(CONTEXTS),
        },
        attrs=result_attrs(
            Locus("20", 1_000, 2_000), definition="log2 of ALT over REF", units="log2 fold change",
            assembly="toy1",
        ),
    )  # fmt: skip


def _unscored(scores: xr.Dataset, rows) -> xr.Dataset:
    status = scores["status"].values.astype("U18")
    status[rows] = "reference mismatch"
    scores["effect"][rows] = np.nan
    return scores.assign_coords(status=("variant", status))


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_come_first_and_unscored_ones_never(seed):
    scores = _unscored(_scores(seed=seed), slice(0, 50))
    largest = np.abs(scores["effect"]).max("context")
    expected = largest[50:].sortby(largest[50:], ascending=False)["id"].values
    assert strongest_variants(scores, 40)["id"].values.tolist() == expected.tolist()
    assert strongest_variants(scores, 3)["id"].values.tolist() == expected[:3].tolist()


def test_a_heat_map_says_how_many_of_how_many_it_shows_and_dots_rare_effects():
    scores = _scores()
    chart = figures.figure_of(scores)
    assert chart.title == "Effects of variants: the 40 strongest of 60"
    map_ = chart.figure.axes[0]
    shown = strongest_variants(scores)
    np.testing.assert_allclose(map_.images[0].get_array(), shown["effect"].values)
    rare = np.argwhere(np.abs(shown["quantile"].values) > RARE)
    assert sorted(map(tuple, map_.collections[0].get_offsets()[:, ::-1])) == sorted(map(tuple, rare))
    svg = chart.render("svg").decode()
    for word in ("chr20:", "A&gt;G", "Mono", "rank among toys", "toy1"):
        assert word in svg
    assert figures.variants_figure(strongest_variants(scores), total=60).render("svg").decode() == svg


def test_a_heat_map_of_few_says_nothing_of_a_choice():
    assert figures.variants_heatmap(_scores(3)).title == "Effects of variants: 3"


def test_one_variant_becomes_a_forest_with_its_quantiles():
    scores = _scores(1)
    chart = figures.figure_of(scores)
    assert chart.title == "chr20:1,000 A>G rs0"
    texts = [text.get_text().replace("−", "-") for text in chart.figure.axes[0].texts]
    assert texts[:3] == [f"{value:+.3f}" for value in scores["quantile"].values[0]]
    dots = [line.get_xdata()[0] for line in chart.figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, scores["effect"].values[0])


def test_a_forest_without_quantiles_or_with_one_side_only_is_drawn():
    scores = abs(_scores(2, quantiles=False)).assign_attrs(_scores(2).attrs)
    scores["effect"][1, 0] = np.nan
    ax = figures.variant_forest(scores, 1).figure.axes[0]
    low, high = ax.get_xlim()
    assert low < 0 < high and -low < high
    assert sum(line.get_marker() == "o" for line in ax.lines) == 2


def test_an_effect_of_nothing_at_all_is_drawn():
    scores = _scores(4)
    scores["effect"][:] = 0.0
    assert figures.variants_figure(scores).render("png")
    assert figures.variant_forest(scores, 2).render("png")


def test_long_alleles_are_cut_with_their_length():
    scores = _scores(1)
    scores = scores.assign_coords(ref=("variant", ["ACGTACGTACGT"]), contig=("variant", ["chr1"]))
    assert variant_name(scores, 0) == "chr1:1,000 ACGTA… (12 bp)>G rs0"
    assert variant_name(scores.drop_vars("id"), 0, longest=12) == "chr1:1,000 ACGTACGTACGT>G"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ResultError, match="reference mismatch"):
        figures.variants_figure(_unscored(_scores(3), slice(None)))
    with pytest.raises(ResultError, match="couldn't be scored"):
        figures.variant_forest(_unscored(_scores(3), [1]), 1)
    with pytest.raises(ResultError, match="no variant 3"):
        figures.variant_forest(_scores(3), 3)
    with pytest.raises(ResultError, match="holds no variant"):
        figures.variants_figure(_scores(3).isel(variant=[]))
    with pytest.raises(ResultError, match="no prediction"):
        figures.variants_heatmap(xr.Dataset({"x": ("y", [1])}))

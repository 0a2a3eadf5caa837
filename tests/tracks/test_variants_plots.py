"""Volcano, heat map and forest of variants."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from bokeh.document import Document

from phenviz.tracks import EffectMap, Forest, Volcano
from tests.tracks.toys import CONTEXTS


def variants(count, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "key": [f"20:{index}:A:C" for index in range(count)], "id": "", "position": np.arange(count),
            "ref": "A", "alt": "C", "gene": "G", "context": "Ery", "effect": rng.normal(size=count),
            "quantile": rng.uniform(-1, 1, count), "active": rng.random(count),
        }
    )  # fmt: skip


def tap(plot, x, y):
    plot._on_tap(SimpleNamespace(x=x, y=y))


def test_rarity_is_the_share_of_common_variants_farther_from_the_middle():
    plot, table = Volcano(), variants(50)
    plot.show(table)
    np.testing.assert_allclose(plot._points.data["y"], -np.log10(1 - table["quantile"].abs()), rtol=1e-6)
    assert plot.note == ""


def test_a_volcano_of_many_keeps_all_of_the_strongest():
    plot, table = Volcano(), variants(20_000)
    plot.show(table)
    drawn = set(plot._points.data["key"])
    strongest = table.loc[table["effect"].abs().nlargest(3_000).index, "key"]
    assert len(drawn) == 4_000 and set(strongest) <= drawn
    assert plot.note == "4,000 of 20,000 points drawn"


def test_a_click_on_a_point_tells_its_key_and_one_beside_all_points_nothing():
    plot, picked = Volcano(), []
    plot.on_pick(picked.append)
    plot.show(variants(20))
    tap(plot, plot._points.data["x"][7], plot._points.data["y"][7])
    tap(plot, plot.layout.x_range.end, plot.layout.y_range.end)
    assert picked == ["20:7:A:C"]
    plot.choose("20:7:A:C")
    assert plot._chosen.data["x"] == [plot._points.data["x"][7]]


def test_variants_without_effect_or_quantile_can_be_drawn():
    plot = Volcano()
    table = variants(5).assign(quantile=np.nan)
    table.loc[2, "effect"] = np.nan
    plot.show(table)
    assert len(plot._points.data["x"]) == 4
    assert plot.layout.yaxis.axis_label == "log10(1 + activity)"
    plot.show(variants(0))
    assert len(plot._points.data["x"]) == 0


def test_the_map_has_the_first_variant_on_top_and_its_rows_can_be_clicked():
    shown, picked = EffectMap(), []
    shown.on_pick(picked.append)
    effects = np.array([[0.5, -0.1], [0.0, 0.2], [np.nan, 0.3]])
    shown.show(["a", "b", "c"], ["A", "B", "C"], CONTEXTS[:2], effects)
    np.testing.assert_array_equal(shown._image.data["image"][0][::-1], effects.astype(np.float32))
    tap(shown, 0.5, 2.5)
    tap(shown, 0.5, 0.2)
    tap(shown, 0.5, 9)
    assert picked == ["a", "c"]
    shown.choose("b")
    assert shown._chosen.data["y"] == [1.5]
    shown.show([], [], [], np.empty((0, 0)))
    assert shown._image.data["image"] == []


def test_a_forest_draws_each_context_over_the_range_of_common_variants():
    forest = Forest(CONTEXTS)
    effects, quantiles = np.array([0.4, -0.2, np.nan]), np.array([0.9, np.nan, np.nan])
    forest.show(effects, quantiles, (np.full(3, -0.1), np.full(3, 0.1)))
    np.testing.assert_array_equal(forest._points.data["x"], effects)
    assert list(forest._points.data["y"]) == [2.5, 1.5, 0.5]
    assert forest._points.data["quantile"] == ["+0.900", "not known", "not known"]
    forest.set_theme("dark")
    Document().add_root(forest.layout)

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from phenviz.errors import ResultError
from phenviz.figures import disease, disease_qq


def _result(traits=3, contexts=4, seed=0):
    rng = np.random.default_rng(seed)
    shape, dims = (traits, contexts, 2), ("trait", "context", "method")
    z = rng.normal(size=shape)
    z[0, 1] = 9
    p = np.exp(-(np.abs(z) ** 1.5))
    names = ["z", "effect", "interval_low", "interval_high", "p_value", "q_value"]
    values = [z, z, z - 1, z + 1, p, np.minimum(p * 3, 1)]
    return xr.Dataset(
        {name: (dims, value) for name, value in zip(names, values, strict=True)}
        | {"effective_contexts": ("method", [3.0, np.nan])},
        coords={
            "trait": [f"T{n}" for n in range(traits)],
            "context": [f"C{n}" for n in range(contexts)],
            "group": ("context", ["red", "white"] * (contexts // 2)),
            "colour": ("context", ["#9c3440", "#039164"] * (contexts // 2)),
            "method": ["one", "two"],
            "method_label": ("method", ["first way", "second way"]),
        },
        attrs={
            "assembly": "toy", "contig": "20", "model": "m@1", "source": "made up", "seed": 0,
            "phenviz_version": "0", "multiple_testing": "Benjamini-Hochberg",
        },
    )  # fmt: skip


def test_a_heat_map_names_traits_contexts_and_stars_as_text():
    svg = disease.heatmap_figure(_result()).render("svg").decode()
    for word in ("T0", "C3", "first way", "second way", "***", "q &lt; 0.05"):
        assert f"{word}" in svg
    assert svg == disease.heatmap_figure(_result()).render("svg").decode()


def test_traits_are_sorted_by_a_context():
    result = _result()
    chart = disease.heatmap_figure(result, methods=["one"], sort="C1")
    labels = [text.get_text() for text in chart.figure.axes[0].get_yticklabels()]
    order = np.argsort(-result["z"].sel({"method": "one", "context": "C1"}).values)
    assert labels == [f"T{n}" for n in order]


def test_bars_show_both_thresholds_where_the_effective_number_is_known():
    for method, lines in (("one", 2), ("two", 1)):
        ax = disease.bars_figure(_result(), method=method).figure.axes[0]
        assert len(ax.lines) == lines
        assert ax.lines[0].get_ydata()[0] == pytest.approx(-np.log10(0.05 / 12))


def test_a_forest_leaves_out_intervals_that_are_not_known():
    result = _result()
    result["interval_low"][0, 2, 0] = np.nan
    ax = disease.forest_figure(result, method="one", traits=["T0"]).figure.axes[0]
    assert len(ax.lines) == 1 + 4 + 3


def test_what_is_no_hypothesis_or_not_there_is_refused():
    with pytest.raises(ResultError, match="no hypotheses"):
        disease.heatmap_figure(xr.Dataset({"x": ("y", [1])}))
    with pytest.raises(ResultError, match="no method 'three'"):
        disease.bars_figure(_result(), method="three")
    with pytest.raises(ResultError, match="no trait 'X'"):
        disease.bars_figure(_result(), traits=["X"])
    with pytest.raises(ResultError, match="no context 'X'"):
        disease.heatmap_figure(_result(), sort="X")


def test_the_beta_band_holds_uniform_p_values_as_often_as_it_says():
    rng = np.random.default_rng(0)
    low, high = disease_qq.beta_band(50)
    drawn = np.sort(rng.random((4_000, 50)), axis=1)
    np.testing.assert_allclose(((drawn >= low) & (drawn <= high)).mean(0), 0.95, atol=0.02)


def test_a_qq_plot_refuses_what_is_no_p_value(tmp_path):
    path = disease_qq.qq_figure({"a": [0.1, 0.5, np.nan]}, title="t").save(tmp_path / "qq.png")
    assert path.stat().st_size > 1_000
    with pytest.raises(ResultError, match="between 0 and 1"):
        disease_qq.qq_figure({"a": [1.5]})
    with pytest.raises(ResultError, match="no p-value"):
        disease_qq.qq_figure({"a": [np.nan]})


def test_power_curves_and_leave_one_out_are_drawn(tmp_path):
    rows = [
        {"method": m, "loci": n, "share": s, "top_1": 0.5, "top_1_low": 0.4, "top_1_high": 0.6}
        for m in ("a", "b") for n in (5, 10) for s in (0.5, 1.0)
    ]  # fmt: skip
    drawn = disease_qq.power_figure(pd.DataFrame(rows)).render("svg")
    assert b"50 % of loci true" in drawn and b"SIMULATED" in drawn
    evidence = xr.Dataset(
        {
            "excess": (("locus", "context"), [[1.0], [2.0]]),
            "z_without": (("locus", "context"), [[3.0], [1.0]]),
            "lead": ("locus", ["20:1:A:C", "20:9:A:C"]),
            "gene": ("locus", ["G1", "G2"]),
        },
        coords={"context": ["Ery"]},
        attrs={"trait": "MCV", "method": "variant"},
    )
    assert b"20:9:A:C G2" in disease_qq.leave_one_out_figure(evidence, "Ery").render("svg")
    with pytest.raises(ResultError, match="no context"):
        disease_qq.leave_one_out_figure(evidence, "B")

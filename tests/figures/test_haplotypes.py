from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import PathCollection

from phenviz import figures
from phenviz.errors import ResultError
from phenviz.figures.haplotypes import DIFFERENCE, difference_of, most_changed
from phenviz.figures.reduce import reduce_strongest
from phenviz.genome import Locus
from phenviz.results import context_coords, result_attrs
from tests.figures.toys import make_annotation
from tests.toys import CONTEXTS

START = 128 * 40


def _personal(bins: int = 200, seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    activity = np.repeat(rng.exponential(2.0, (1, len(CONTEXTS), bins)), 3, axis=0)
    activity[1, 0, 50:53] *= 0.3
    activity[2, 2, 120] += 4
    locus = Locus("20", START, START + 128 * bins)
    return xr.Dataset(
        {"activity": (("haplotype", "context", "bin"), activity)},
        coords={
            "haplotype": ["reference", "1", "2"],
            "bin_start": ("bin", START + 128 * np.arange(bins)),
            **context_coords(CONTEXTS),
        },
        attrs=result_attrs(
            locus, definition="d", units="fold enrichment", sample="ann", bin_size=128, assembly="toy1"
        ),
    )


def _variants() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "position": [START + 1, START + 6_500, START + 15_000, 9],
            "haplotype_1": [1, 1, 0, 1],
            "haplotype_2": [0, 1, 1, 1],
            "effect": [-0.5, np.nan, 0.25, 3.0],
        }
    )


def _drawn(component, locus):
    """Return the axes that one component was drawn into."""
    (ax,) = figures.LocusFigure(locus, [component]).figure.axes[:1]
    return ax


def test_a_person_is_drawn_with_both_differences_and_the_contexts_that_change():
    personal = _personal()
    figure = figures.figure_of(personal, make_annotation())
    svg = figure.render("svg").decode()
    for word in ("haplotype 1", "haplotype 2", "reference", "Ery", "sample ann", "fold enrichment"):
        assert word in svg
    assert DIFFERENCE in re.sub(r"\s+", " ", svg)
    assert svg == figures.figure_of(personal, make_annotation()).render("svg").decode()


def test_the_difference_is_that_of_the_logarithms():
    personal = _personal()
    values = personal["activity"].values
    np.testing.assert_allclose(
        difference_of(personal).values, np.log2((1 + values[1:]) / (1 + values[:1])), atol=1e-9
    )


@pytest.mark.parametrize("bins", [7, 200, 5_000])
@pytest.mark.parametrize("haplotype", ["1", "2"])
def test_the_map_shows_the_strongest_difference_of_each_interval_on_one_scale(bins, haplotype):
    personal = _personal(max(bins, 121))
    locus = Locus("20", START, START + 128 * bins)
    image = _drawn(figures.HaplotypeDifference(personal, haplotype), locus).images[0]
    inside = difference_of(personal).isel(bin=slice(0, bins))
    size = -(-bins // 1_600)
    expected = reduce_strongest(inside.sel(haplotype=haplotype).transpose("context", "bin").values, size)
    np.testing.assert_allclose(image.get_array(), expected)
    assert image.get_clim()[1] == pytest.approx(max(float(np.abs(inside).max()), 0.05))


def test_the_contexts_that_change_most_come_in_the_order_of_lineages():
    assert most_changed(_personal(), 2) == ["Ery", "B"]
    assert most_changed(_personal(), 9) == ["Ery", "Mono", "B"]


def test_all_rows_of_haplotypes_share_a_scale_that_holds_the_highest_of_all_three():
    personal = _personal()
    ax = _drawn(figures.HaplotypeTracks(personal, ["B", "Ery"]), Locus("20", START, START + 128 * 200))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [f"{float(personal.sel(context=['B', 'Ery'])['activity'].max()):.3g}"] * 2 + ["0"]
    names = [text.get_text() for text in ax.texts]
    assert names.index("B") < names.index("Ery")


def test_a_variant_stands_on_each_haplotype_that_carries_it():
    table = _variants()
    locus = Locus("20", START, START + 16_000)
    ax = _drawn(figures.CarriedVariants(table), locus)
    dots = [part for part in ax.collections if isinstance(part, PathCollection)]
    inside = table[table["position"].between(locus.start + 1, locus.end)]
    for row, part in enumerate(dots):
        places = inside.loc[inside[f"haplotype_{row + 1}"] == 1, "position"] - 0.5
        assert sorted(part.get_offsets()[:, 0]) == sorted(places)
        assert set(part.get_offsets()[:, 1]) == {row + 0.5}
    blue, white = sorted(dots[0].get_facecolors().tolist())[0], [1.0] * 4
    assert blue[2] > blue[0] and white in dots[0].get_facecolors().tolist()


def test_variants_without_effects_are_drawn_and_none_in_view_leaves_the_track_out():
    table = _variants().drop(columns="effect")
    track = figures.CarriedVariants(table)
    assert track.height(Locus("20", 20, 1_000), 100) == 0
    assert _drawn(track, Locus("20", START, START + 8_000)).collections
    personal = _personal()
    figure = figures.personal_figure(personal, variants=table.iloc[:0])
    assert "Variants" not in figure.render("svg").decode()


def test_haplotypes_that_are_the_reference_give_a_white_map_and_unknown_bins_a_grey_one():
    personal = _personal()
    personal["activity"][1:] = personal["activity"][0].values
    personal["activity"][:, :, :10] = np.nan
    locus = Locus("20", START, START + 128 * 200)
    image = _drawn(figures.HaplotypeDifference(personal, "1"), locus).images[0]
    assert image.get_array().mask[:, :10].all()
    assert not np.any(image.get_array().compressed())
    assert figures.figure_of(personal).render("png")


def test_what_is_no_person_is_refused():
    personal = _personal()
    plain = personal.sel(haplotype="1", drop=True)
    for make in (figures.HaplotypeTracks, figures.personal_figure):
        with pytest.raises(ResultError, match="predict_haplotypes"):
            make(plain)
    with pytest.raises(ResultError, match="no haplotype '3'"):
        figures.HaplotypeDifference(personal, "3")
    with pytest.raises(ResultError, match="no context X"):
        figures.personal_figure(personal, contexts=["X"])
    with pytest.raises(ResultError, match="no bin"):
        figures.personal_figure(personal, locus=Locus("20", 50_000_000, 50_001_000)).render("svg")

"""What the tracks say of each base: how it was computed, how sure it is, and whether it is known at all."""

import numpy as np
import pytest
import xarray as xr

from phenviz.genome import Locus
from phenviz.results import base_starts, context_coords
from phenviz.tracks.signed_signal import Bases
from tests.tracks.toys import ATTRIBUTED, CONTEXTS, LENGTH, MUTATED, attribution, browser, mutagenesis, track

CLOSE = Locus("20", 120_000, 120_100)
EXACT = [(120_010, 120_042), (120_300, 120_332)]


def coarse():
    dataset = mutagenesis()
    positions = base_starts(dataset)
    exact = np.any([(positions >= start) & (positions < end) for start, end in EXACT], axis=0)
    return dataset.assign(method=("position", np.where(exact, "exact", "first-order")))


def with_spread(seed=1):
    dataset = attribution()
    spread = np.random.default_rng(seed).uniform(0.1, 3, ATTRIBUTED.length).astype(np.float32)
    return dataset.assign(attribution_std=("position", spread)).assign_attrs(n_baselines=10)


def gapped():
    """Two windows, 5 kb apart."""
    return attribution().isel(position=np.r_[0:5_000, 10_000:20_000])


def tinted(one):
    data = one.source.data
    return [(x0 - 0.5, x1 - 0.5) for x0, x1 in zip(data["x0"], data["x1"], strict=True)]


def test_bases_predicted_exactly_are_tinted_and_the_track_says_so():
    shown = browser(locus=Locus("20", 120_000, 120_400))
    shown.set_mutagenesis(coarse())
    contribution = track(shown, "contribution")
    assert tinted(contribution._exact) == EXACT
    assert "predicted exactly, elsewhere to first order" in contribution.texts.description


def test_a_result_of_one_method_tints_nothing():
    shown = browser(locus=CLOSE)
    shown.set_mutagenesis(coarse())
    shown.set_mutagenesis(mutagenesis())
    contribution = track(shown, "contribution")
    assert tinted(contribution._exact) == []
    assert "first order" not in contribution.texts.description


def test_tints_are_cut_where_the_loaded_interval_ends():
    shown = browser(locus=Locus("20", 120_020, 120_040))
    shown.set_mutagenesis(coarse())
    (only,) = tinted(track(shown, "contribution")._exact)
    loaded = track(shown, "contribution").loaded.locus
    assert only == (max(EXACT[0][0], loaded.start), min(EXACT[0][1], loaded.end))


@pytest.mark.parametrize("locus", [CLOSE, Locus("20", 115_000, 116_000)])
def test_the_band_reaches_one_deviation_to_each_side_of_each_base(locus):
    result = with_spread()
    shown = browser(locus=locus)
    shown.set_attribution(result)
    band = track(shown, "attribution")._plot.band.data
    first = round(band["x"][0] - 0.5) - ATTRIBUTED.start
    count = len(band["x"]) // 2
    values, spread = (result[name].to_numpy()[first:] for name in ("attribution", "attribution_std"))
    step = round(band["x"][1] - band["x"][0])
    lows = [(values - spread)[i * step : (i + 1) * step].min() for i in range(count)]
    highs = [(values + spread)[i * step : (i + 1) * step].max() for i in range(count)]
    np.testing.assert_allclose(np.asarray(band["low"])[::2], lows, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(band["high"])[::2], highs, rtol=1e-5)
    assert "one standard deviation over 10 baselines" in track(shown, "attribution").texts.description


def test_the_axis_holds_the_band():
    result = with_spread()
    result["attribution_std"][:] = 40
    shown = browser(locus=CLOSE)
    shown.set_attribution(result)
    low, high = track(shown, "attribution")._plot.limits
    assert low < -39 and high > 39


def test_the_value_under_the_pointer_is_the_attribution_and_not_its_band():
    result = with_spread()
    shown = browser(locus=Locus("20", 115_000, 115_100))
    shown.set_attribution(result)
    under = track(shown, "attribution")._under.data
    first = round(under["x"][0] - 0.5) - ATTRIBUTED.start
    image = under["image"][0]
    assert image.shape[0] == 1
    np.testing.assert_allclose(image[0], result["attribution"][first : first + image.shape[1]], rtol=1e-6)


def test_one_baseline_after_several_takes_the_band_away():
    shown = browser(locus=CLOSE)
    shown.set_attribution(with_spread())
    shown.set_attribution(attribution())
    assert len(track(shown, "attribution")._plot.band.data["x"]) == 0


def test_what_lies_between_windows_is_tinted():
    shown = browser(locus=Locus("20", 112_000, 122_000))
    shown.set_attribution(gapped())
    one = track(shown, "attribution")
    assert tinted(one._unread) == [(115_000, 120_000)]
    assert "outside of all gene windows" in one.texts.description
    shown.set_locus(Locus("20", 700_000, 701_000))
    assert tinted(one._unread) == []


def test_no_letter_is_drawn_between_windows():
    shown = browser(locus=Locus("20", 114_950, 115_050))
    shown.set_attribution(gapped())
    letters = track(shown, "attribution")._plot.letters.data
    assert len(letters["xs"]) > 50
    assert max(np.max(x[0][0]) for x in letters["xs"]) <= 115_000.5


@pytest.mark.parametrize("seed", range(5))
def test_bases_with_and_without_gaps_read_as_they_were_laid(seed):
    rng = np.random.default_rng(seed)
    start, length = int(rng.integers(0, 1_000)), int(rng.integers(50, 500))
    values = rng.normal(size=(3, length)).astype(np.float32)
    positions = np.arange(start, start + length)
    chosen = np.sort(rng.choice(length, size=length // 2, replace=False))
    for rows in (slice(None), chosen, rng.permutation(length)):
        bases = Bases.of("20", positions[rows], values[:, rows])
        begin, read = bases.values(Locus("20", 0, LENGTH))
        expected = np.full_like(read, np.nan)
        expected[:, positions[rows] - begin] = values[:, rows]
        np.testing.assert_array_equal(read, expected)


def test_the_context_in_focus_is_drawn_with_its_own_spread():
    shares = xr.concat([attribution(seed=seed)["attribution"] for seed in range(2)], "context")
    result = attribution().assign(
        attribution=shares.transpose("position", "context"),
        attribution_std=abs(shares.transpose("position", "context")) / 2,
    )
    result = result.assign_coords(context_coords(CONTEXTS[:2]))
    shown = browser(locus=CLOSE)
    shown.set_attribution(result)
    for context in CONTEXTS[:2]:
        shown.set_focus_context(context.name)
        one = track(shown, "attribution")
        begin, read = one._bases.values(MUTATED)
        expected = result["attribution"].sel(context=context.name, position=slice(begin + 1, MUTATED.end))
        np.testing.assert_allclose(read[0], expected)
        np.testing.assert_allclose(read[2] - read[0], abs(expected) / 2, rtol=1e-5, atol=1e-6)
        assert one.texts.description.startswith(context.label)


@pytest.mark.filterwarnings("default")  # HoloViews asks other libraries for things that they have deprecated
def test_a_notebook_shows_the_band_behind_the_curve():
    import holoviews as hv

    from phenviz.tracks.notebook_view import view

    result = with_spread().isel(position=slice(0, 300))
    band, curve = view(result)
    assert isinstance(band, hv.Area) and isinstance(curve, hv.Curve)
    values, spread = result["attribution"].to_numpy(), result["attribution_std"].to_numpy()
    np.testing.assert_allclose(band.dimension_values("lower"), values - spread, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(band.dimension_values("upper"), values + spread, rtol=1e-5, atol=1e-6)
    assert isinstance(view(attribution()), hv.Curve)


def test_a_result_of_part_of_the_view_says_which_part_was_computed():
    shown = browser(locus=Locus("20", 100_000, 120_200))
    shown.set_attribution(attribution())
    shown.set_mutagenesis(mutagenesis())
    assert "computed here: chr20:110,001-120,200" in track(shown, "attribution").texts.note
    assert "computed here: chr20:120,001-120,200" in track(shown, "contribution").texts.note
    shown.set_locus(CLOSE)
    assert [track(shown, name).texts.note for name in ("attribution", "contribution")] == ["", ""]

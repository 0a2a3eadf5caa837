"""What a figure says of each base: how it was computed, how sure it is, and whether it is known at all."""

import io

import matplotlib.image
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from phenviz.figures import Attribution, BaseTrack, LocusFigure, Logo, MutagenesisHeatmap, figure_of
from phenviz.figures.bases import BAND
from phenviz.figures.style import POSITIVE, UNKNOWN
from phenviz.genome.locus import Locus
from phenviz.results import base_starts, context_coords

from ..results.toys import CONTEXTS, make_attribution, make_mutagenesis

CLOSE = Locus("20", 1_000, 1_200)
WIDE = Locus("20", 100_000, 400_000)
EXACT = [(1_010, 1_030), (1_100, 1_132), (1_199, 1_200)]


def coarse(locus: Locus = CLOSE, intervals=EXACT) -> xr.Dataset:
    dataset = make_mutagenesis(locus, CONTEXTS[2:])
    exact = np.zeros(locus.length, dtype=bool)
    for start, end in intervals:
        exact[start - locus.start : end - locus.start] = True
    return dataset.assign(method=("position", np.where(exact, "exact", "first-order")))


def with_spread(locus: Locus = CLOSE, seed: int = 1) -> xr.Dataset:
    dataset = make_attribution(locus)
    spread = np.random.default_rng(seed).uniform(0.01, 0.05, locus.length).astype(np.float32)
    return dataset.assign(attribution_std=("position", spread))


def boxes_of(figure: LocusFigure, colour: str) -> np.ndarray:
    """Left, right, bottom and top of what is filled with a colour, shape (n, 4)."""
    found = [
        path.vertices
        for ax in figure.figure.axes
        for collection in ax.collections
        if isinstance(collection, PolyCollection) and to_hex(collection.get_facecolor()[0]) == colour
        for path in collection.get_paths()
    ]
    return np.array([[*points[:, 0].min(keepdims=True), points[:, 0].max(), points[:, 1].min(),
                      points[:, 1].max()] for points in found])  # fmt: skip


def lines_of(figure: LocusFigure) -> list[list[tuple[float, float]]]:
    return [
        sorted((float(path.vertices[0, 0]), float(path.vertices[1, 0])) for path in collection.get_paths())
        for ax in figure.figure.axes
        for collection in ax.collections
        if isinstance(collection, LineCollection) and len(collection.get_paths())
    ]


def tints_of(figure: LocusFigure) -> list[tuple[float, float]]:
    return [
        (patch.get_x(), patch.get_x() + patch.get_width())
        for ax in figure.figure.axes
        for patch in ax.patches
        if isinstance(patch, Rectangle) and to_hex(patch.get_facecolor()) == UNKNOWN
    ]


@pytest.mark.parametrize("track", [Logo, MutagenesisHeatmap])
def test_a_line_lies_under_the_bases_that_were_predicted_exactly(track):
    (lines,) = lines_of(LocusFigure(CLOSE, [track(coarse())]))
    assert lines == EXACT


def test_exact_bases_of_a_wide_view_keep_a_visible_line():
    (lines,) = lines_of(LocusFigure(WIDE, [MutagenesisHeatmap(coarse(WIDE, [(200_000, 200_032)]))]))
    ((start, end),) = lines
    assert start == 200_000
    assert end - start == pytest.approx(WIDE.length / 600)


def test_the_footer_says_what_the_line_means_only_where_there_are_two_methods():
    assert "to first order" in LocusFigure(CLOSE, [Logo(coarse())]).footer
    assert "to first order" in LocusFigure(CLOSE, [Logo(coarse(intervals=[]))]).footer
    assert "to first order" not in LocusFigure(CLOSE, [Logo(make_mutagenesis(CLOSE))]).footer
    assert lines_of(LocusFigure(CLOSE, [Logo(make_mutagenesis(CLOSE))])) == []


@pytest.mark.parametrize("track", [Logo, Attribution])
def test_the_band_reaches_one_deviation_to_each_side_of_each_base(track):
    dataset = with_spread()
    figure = LocusFigure(CLOSE, [track(dataset)])
    values = dataset["attribution"].values.astype(float)
    spread = dataset["attribution_std"].values.astype(float)
    expected = np.stack(
        [dataset["position"] - 1, dataset["position"], values - spread, values + spread], axis=1
    )
    np.testing.assert_allclose(boxes_of(figure, BAND), expected)
    assert "one standard deviation" in figure.footer


def test_the_scale_holds_the_band():
    dataset = with_spread()
    dataset["attribution_std"][50] = 7.0
    ax = LocusFigure(CLOSE, [Attribution(dataset)]).figure.axes[0]
    low, high = ax.get_ylim()
    assert low < dataset["attribution"][50] - 7
    assert high > dataset["attribution"][50] + 7


def test_the_band_of_a_wide_view_keeps_its_extremes_and_few_points():
    dataset = with_spread(WIDE)
    dataset["attribution_std"][12_345] = 9.0
    boxes = boxes_of(LocusFigure(WIDE, [Attribution(dataset)]), BAND)
    assert len(boxes) <= 4_000
    assert boxes[:, 2].min() == pytest.approx(dataset["attribution"][12_345].item() - 9)


def test_without_several_baselines_there_is_no_band():
    assert len(boxes_of(LocusFigure(CLOSE, [Attribution(make_attribution(CLOSE))]), BAND)) == 0


@pytest.mark.parametrize("locus", [CLOSE, WIDE])
def test_what_lies_between_windows_is_tinted_and_holds_no_value(locus):
    whole = make_attribution(locus)
    cut = [(locus.start + locus.length // 4, locus.start + locus.length // 2)]
    cut.append((cut[0][1] + 10, cut[0][1] + 60))
    outside = [all(not start <= p < end for start, end in cut) for p in base_starts(whole)]
    gapped = whole.isel(position=np.flatnonzero(outside))
    figure = LocusFigure(locus, [Attribution(gapped)])
    assert tints_of(figure) == cut
    boxes = boxes_of(figure, POSITIVE)
    inside_first = (boxes[:, 0] > cut[0][0] + locus.length // 100) & (boxes[:, 1] < cut[0][1])
    assert len(boxes) > 10 and not (inside_first & (boxes[:, 1] < cut[0][1] - locus.length // 100)).any()
    assert boxes[:, 3].max() == pytest.approx(gapped["attribution"].max().item())


def test_bars_of_a_result_with_gaps_stand_at_their_bases():
    whole = make_attribution(CLOSE)
    kept = np.r_[0:40, 90:200]
    boxes = boxes_of(LocusFigure(CLOSE, [Attribution(whole.isel(position=kept))]), POSITIVE)
    values = whole["attribution"].values[kept]
    np.testing.assert_array_equal(boxes[:, 0], CLOSE.start + kept[values > 0])
    np.testing.assert_allclose(boxes[:, 3], values[values > 0])


@pytest.mark.parametrize("dpi", [110, 150, 300])
def test_no_peak_of_a_megabase_falls_between_two_pixels(dpi):
    window = Locus("20", 1_000_000, 2_000_000)
    peaks = np.sort(np.random.default_rng(dpi).choice(200, 60, replace=False)) * 5_000 + 1_234
    values = np.zeros(window.length)
    values[peaks] = 1.0
    track = BaseTrack(np.arange(window.start, window.end), values, units="u", label="peaks")
    picture = LocusFigure(window, [track]).render("png", dpi=dpi)
    image = matplotlib.image.imread(io.BytesIO(picture))[:, :, :3]
    red = (image[:, :, 0] - image[:, :, 2] > 0.3).any(axis=0)
    assert np.count_nonzero(np.diff(red.astype(int)) == 1) == len(peaks)


def test_an_attribution_in_several_contexts_gets_a_track_for_each_of_the_strongest():
    shares = xr.concat([make_attribution(CLOSE, seed)["attribution"] for seed in range(3)], "context")
    dataset = make_attribution(CLOSE).assign(attribution=shares.transpose("position", "context"))
    dataset = dataset.assign_coords(context_coords(CONTEXTS))
    figure = figure_of(dataset)
    assert [track.label for track in figure.components if isinstance(track, Logo)] == [
        f"Attribution\n{context.name}" for context in CONTEXTS
    ]
    for context in CONTEXTS:
        drawn = Attribution(dataset, context.name)
        np.testing.assert_array_equal(
            drawn.values, dataset["attribution"].sel(context=context.name).astype(float)
        )

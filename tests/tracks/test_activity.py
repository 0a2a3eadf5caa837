"""Predicted activity: what of many bins is drawn."""

import numpy as np
import pytest

from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.tracks import Pyramid
from tests.tracks.toys import (
    CONTEXTS,
    LENGTH,
    N_BINS,
    activity,
    attribution,
    browser,
    far_out,
    full,
    mutagenesis,
    track,
)


def test_the_heat_map_shows_the_maximum_of_each_point_first_context_on_top():
    shown = browser(locus=Locus("20", 128 * 100, 128 * 200))
    pyramid = activity()
    shown.set_activity(pyramid)
    data = track(shown, "activity")._heat.source.data
    first = round((data["x"][0] - 0.5) / 128)
    expected = np.log1p(pyramid.read(first, first + data["image"][0].shape[1], 10_000)[2])
    np.testing.assert_allclose(data["image"][0][::-1], expected, rtol=1e-6)


def test_a_pyramid_of_some_contexts_is_drawn_where_they_stand_and_nothing_is_known_of_others():
    shown = browser(locus=Locus("20", 128 * 100, 128 * 200))
    shown.set_activity(activity())
    everything = track(shown, "activity")._heat.source.data["image"][0][::-1]
    some = Pyramid.of(activity().read(0, N_BINS, N_BINS)[1][[0, 2]], 128)
    with pytest.raises(ResultError, match="2 rows doesn't fit 1 contexts"):
        shown.set_activity(some, [2])
    shown.set_activity(some, [0, 2])
    drawn = track(shown, "activity")._heat.source.data["image"][0][::-1]
    np.testing.assert_array_equal(drawn[[0, 2]], everything[[0, 2]])
    assert np.isnan(drawn[1]).all()
    shown.set_contexts(["B"])
    drawn = track(shown, "activity")._heat.source.data["image"][0]
    np.testing.assert_array_equal(drawn, everything[[2]])


def test_chosen_contexts_are_drawn_in_their_order_from_their_own_rows():
    shown = browser(locus=Locus("20", 128 * 100, 128 * 200))
    shown.set_activity(activity())
    everything = track(shown, "activity")._heat.source.data["image"][0][::-1]
    shown.set_contexts([CONTEXTS[2], "Ery"])
    chosen = track(shown, "activity")._heat.source.data["image"][0][::-1]
    np.testing.assert_array_equal(chosen, everything[[2, 0]])
    assert list(track(shown, "activity").texts.rows) == ["B", "Ery"]


def test_what_was_written_to_the_pyramid_appears_on_refresh():
    shown = browser(locus=Locus("20", 0, 128 * 50))
    pyramid = Pyramid(N_BINS, 3, 128)
    shown.set_activity(pyramid)
    assert np.isnan(track(shown, "activity")._heat.source.data["image"][0]).all()
    assert track(shown, "activity")._hatching.source.data["left"]
    pyramid.write(0, np.ones((3, 200)))
    shown.refresh()
    assert np.isfinite(track(shown, "activity")._heat.source.data["image"][0]).all()
    assert not track(shown, "activity")._hatching.source.data["left"]


def test_a_view_of_nothing_but_background_looks_empty():
    shown = browser(locus=Locus("20", 990 * 128, 1_010 * 128))
    shown.set_activity(Pyramid.of(np.full((3, N_BINS), 0.2, dtype=np.float32), 128))
    assert shown.display().activity.high == 5


def test_a_fixed_scale_keeps_its_meaning_while_one_moves_to_weaker_parts():
    values = np.ones((3, N_BINS), dtype=np.float32)
    values[:, 1_000] = 40
    shown = browser(locus=Locus("20", 990 * 128, 1_010 * 128))
    shown.set_activity(Pyramid.of(values, 128))
    high = track(shown, "activity")._heat.mapper.high
    shown.fix_activity(shown.display().activity.high)
    shown.set_locus(Locus("20", 5_000 * 128, 5_020 * 128))
    assert track(shown, "activity")._heat.mapper.high == high
    shown.fix_activity(0)
    assert track(shown, "activity")._heat.mapper.high < high


@pytest.mark.parametrize("seed", range(6))
def test_scales_are_those_of_the_view_whatever_was_looked_at_before(seed):
    rng = np.random.default_rng(seed)
    pyramid = Pyramid.of(rng.gamma(0.3, 5.0, (3, N_BINS)).astype(np.float32), 128)

    def opened(locus):
        shown = browser(locus=locus)
        shown.set_activity(pyramid)
        shown.set_mutagenesis(mutagenesis())
        shown.set_attribution(attribution())
        return shown

    wanderer = opened(Locus("20", 400_000, 402_000))
    for _ in range(8):
        length = int(rng.integers(100, 300_000))
        start = int(rng.integers(0, LENGTH - length))
        wanderer.set_locus(Locus("20", start, start + length))
    near = Locus("20", 119_000 + int(rng.integers(500)), 121_000)
    # a little aside first: what was loaded there serves here
    wanderer.set_locus(Locus("20", near.start - 300, near.end - 300))
    wanderer.set_locus(near)
    assert wanderer.display() == opened(near).display()


def test_areas_are_drawn_for_the_chosen_contexts_only():
    shown = full()
    shown.set_contexts(["Ery", "B"])
    shown.set_activity_style("areas")
    assert [renderer.visible for _, renderer in track(shown, "activity")._areas] == [True, True]
    shown.set_contexts(["B"])
    assert [renderer.visible for _, renderer in track(shown, "activity")._areas] == [True, False]
    shown.set_activity_style("heatmap")
    assert not any(renderer.visible for _, renderer in track(shown, "activity")._areas)


def test_far_out_the_mean_is_drawn_because_nearly_every_pixel_holds_a_peak():
    shown, values = far_out()
    activity = track(shown, "activity")
    drawn = np.expm1(activity._heat.source.data["image"][0][::-1])
    np.testing.assert_allclose(drawn.mean(axis=1), values.mean(axis=1), rtol=0.02)
    assert np.expm1(activity._heat.mapper.high) < 6
    assert "mean over each 8.19 kb" in activity.texts.description


def test_near_by_the_maximum_is_drawn_so_that_no_peak_is_lost():
    shown, _ = far_out()
    shown.set_locus(Locus("20", 0, 8_000 * 128))
    activity = track(shown, "activity")
    drawn = np.expm1(activity._heat.source.data["image"][0])
    assert drawn.max() == pytest.approx(80)
    assert "maximum in a pixel" in activity.texts.description


def test_rows_are_named_by_groups_where_they_are_low_and_units_are_said():
    shown = browser(locus=Locus("20", 128 * 100, 128 * 200))
    shown.set_activity(activity())
    drawn = track(shown, "activity")
    assert drawn.texts.row_groups == tuple(context.group for context in CONTEXTS)
    html = drawn.overlay.element.html
    for group in dict.fromkeys(drawn.texts.row_groups):
        assert f">{group}</div>" in html
    assert "fold enrichment" in drawn.texts.description
    shown.set_contexts(["Ery"])
    assert drawn.texts.row_groups == (CONTEXTS[0].group,)

import json

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource

from phenviz.errors import DataError, ResultError
from phenviz.genome import Locus
from phenviz.tracks import TRACKS, Pyramid
from phenviz.tracks.frame import GUTTER
from tests.tracks.toys import (
    LENGTH,
    LOCUS,
    activity,
    attribution,
    browser,
    full,
    mutagenesis,
    names,
    peaks,
    track,
)

# where it is


def test_the_locus_asked_for_is_shown():
    shown = browser()
    shown.set_locus(Locus("chr20", 5_000, 6_000))
    assert shown.locus == Locus("20", 5_000, 6_000)


def test_a_locus_beyond_the_end_is_moved_onto_the_contig():
    shown = browser()
    shown.set_locus(Locus("20", LENGTH - 100, LENGTH + 900))
    assert shown.locus == Locus("20", LENGTH - 1_000, LENGTH)


def test_another_contig_is_refused():
    with pytest.raises(ResultError, match="chr21"):
        browser().set_locus(Locus("21", 0, 100))


def test_the_range_never_reverses_on_its_way():
    shown, reversed_ = browser(), []

    def look(attr, old, new):
        reversed_.append(shown._stack.range.start >= shown._stack.range.end)

    shown._stack.range.on_change("start", look)
    shown._stack.range.on_change("end", look)
    rng = np.random.default_rng(0)
    for start in rng.integers(0, LENGTH - 1_000, 50):
        shown.set_locus(Locus("20", int(start), int(start) + int(rng.integers(20, 900))))
    assert reversed_ and not any(reversed_)


def test_a_move_by_the_program_tells_nobody():
    shown, told = browser(), []
    shown.on_locus(told.append)
    shown.set_locus(Locus("20", 5_000, 6_000))
    assert told == []


def test_a_move_by_the_user_is_told():
    shown, told = browser(), []
    shown.on_locus(told.append)
    shown._stack.range.update(end=160_000.5)
    shown._stack.range.update(start=110_000.5)
    assert told[-1] == shown.locus == Locus("20", 110_000, 160_000)


def test_a_callback_that_sets_the_locus_does_not_echo():
    shown, told = browser(), []

    def answer(locus):
        told.append(locus)
        shown.set_locus(locus)

    shown.on_locus(answer)
    shown._stack.range.update(start=110_000.5)
    assert told == [Locus("20", 110_000, 150_000)]


def test_all_tracks_share_one_axis_and_one_gutter():
    figures = [track.figure for track in browser()._stack.tracks()]
    assert len({id(figure.x_range) for figure in figures}) == 1
    assert {figure.min_border_left for figure in figures} == {GUTTER}


# what it loads


def test_a_small_pan_loads_no_activity_again():
    shown = full()
    before = track(shown, "activity")._heat.source.data
    shown.set_locus(Locus("20", LOCUS.start + 20_000, LOCUS.end + 20_000))
    assert track(shown, "activity")._heat.source.data is before


@pytest.mark.parametrize(
    "locus", [Locus("20", 400_000, 450_000), Locus("20", 120_000, 125_000), Locus("20", 0, LENGTH)]
)
def test_leaving_the_margin_or_the_zoom_level_loads_again(locus):
    shown = full()
    before = track(shown, "activity")._heat.source.data
    shown.set_locus(locus)
    assert track(shown, "activity")._heat.source.data is not before


@pytest.mark.parametrize(
    "locus", [Locus("20", 0, LENGTH), Locus("20", 0, 2_000), Locus("20", 300_000, 700_000)]
)
def test_no_view_sends_more_than_a_few_points_a_pixel(locus):
    shown = full(locus=locus)
    assert track(shown, "activity")._heat.source.data["image"][0].shape[1] <= 6_000
    assert len(track(shown, "attribution")._plot.steps.data["x"]) <= 12_002


def test_a_width_reported_while_the_page_is_laid_out_is_not_believed():
    shown = full()
    before = track(shown, "activity")._heat.source.data
    shown._stack._on_width("inner_width", 1_000, 0)
    assert track(shown, "activity")._heat.source.data is before
    shown._stack._on_width("inner_width", 1_000, 2_000)
    assert track(shown, "activity")._heat.source.data is not before


def test_results_of_another_contig_are_not_drawn_at_the_same_numbers():
    shown = browser(locus=Locus("20", 120_000, 120_200))
    shown.set_mutagenesis(mutagenesis(Locus("21", 120_000, 120_400)))
    shown.set_attribution(attribution(Locus("21", 110_000, 130_000)))
    for name in ("contribution", "attribution"):
        assert not len(track(shown, name)._plot.letters.data["xs"])
    assert "computed for chr21:120,001-120,400" in track(shown, "contribution").texts.empty
    assert "computed for chr21:110,001-130,000" in track(shown, "attribution").texts.empty
    shown.set_mutagenesis(mutagenesis(Locus("chr20", 120_000, 120_400)))
    shown.set_attribution(attribution(Locus("chr20", 110_000, 130_000)))
    for name in ("contribution", "attribution"):
        assert len(track(shown, name)._plot.letters.data["xs"])


# what it refuses


def test_what_does_not_fit_is_refused_in_words():
    shown = browser()
    with pytest.raises(ResultError, match="3 contexts"):
        shown.set_activity(Pyramid(10, 7, 128))
    with pytest.raises(ResultError, match="Neuron"):
        shown.set_contexts(["Neuron"])
    with pytest.raises(ResultError, match="no track 'gene'"):
        shown.set_tracks(hidden=["gene"])
    with pytest.raises(ResultError, match="pie"):
        shown.set_activity_style("pie")
    with pytest.raises(DataError, match="fold_enrichment"):
        shown.set_observed(peaks().drop(columns="fold_enrichment"))


# what it looks like


def test_heights_stay_when_results_arrive():
    shown = browser()
    before = [track.figure.height for track in shown._stack.tracks()]
    shown.set_activity(activity())
    shown.set_mutagenesis(mutagenesis())
    shown.set_attribution(attribution())
    assert [track.figure.height for track in shown._stack.tracks()] == before


def test_a_page_scrolls_only_where_it_is_lower_than_the_least_of_all_tracks():
    shown = full()
    for hidden in ((), ("activity",), ("genes", "mutagenesis")):
        shown.set_tracks(hidden=hidden)
        figures = list(shown.layout.children)
        least = [int(figure.styles["min-height"].removesuffix("px")) for figure in figures]
        assert shown.layout.styles["min-height"] == f"{sum(least)}px"
        for figure, lowest in zip(figures, least, strict=True):
            highest = int(figure.styles["max-height"].removesuffix("px"))
            assert lowest <= figure.height <= highest


def test_genes_are_as_high_as_the_rows_on_screen():
    shown = browser()
    genes = track(shown, "genes")
    for locus in (LOCUS, Locus("20", 0, LENGTH), Locus("20", 120_000, 120_200)):
        shown.set_locus(locus)
        here = genes._on_screen(genes.view)
        rows = int(genes._packed.rows[here].max(initial=0)) + 1
        assert (genes.y_range.start, genes.y_range.end) == (-rows, 0)
        assert genes.figure.height == rows * 23 + 20


def test_tracks_can_be_ordered_and_hidden():
    shown = browser()
    shown.set_tracks(order=["activity", "genes"], hidden=["elements"])
    assert names(shown) == ["activity", "genes", "ruler", "attribution", "contribution", "effects"]
    shown.set_tracks()
    assert names(shown)[0] == "ruler" and "elements" in names(shown)
    assert set(TRACKS) >= {"ruler", "mutagenesis"}


def test_a_page_sends_the_tracks_that_it_shows_and_no_others():
    few = browser(hidden=["activity", "attribution", "mutagenesis"])
    sent = {model.name for model in few.layout.references() if model.name}
    assert sent == {"ruler", "genes", "elements"}
    assert len(few.layout.references()) < 0.6 * len(full().layout.references())


def test_a_track_shown_later_is_as_if_it_had_been_there():
    later = full(hidden=["observed", "activity", "attribution", "mutagenesis"])
    later.set_focus_context("Mono")
    later.set_activity_style("areas")
    later.set_tracks()
    always = full()
    always.set_focus_context("Mono")
    always.set_activity_style("areas")
    assert _colours(later) == _colours(always)
    for name in ("observed", "activity", "attribution", "contribution", "effects"):
        assert track(later, name).texts == track(always, name).texts


def test_a_hidden_track_shows_the_present_view_when_it_comes_back():
    shown = full()
    shown.set_tracks(hidden=["activity"])
    shown.set_locus(Locus("20", 700_000, 701_000))
    shown.set_tracks()
    assert track(shown, "activity").loaded.locus.overlaps(Locus("20", 700_000, 701_000))


@pytest.mark.parametrize(
    "name", ["ruler", "genes", "elements", "activity", "attribution", "contribution", "effects"]
)
def test_every_text_changes_its_colour_with_the_theme(name):
    shown = full()
    figure = track(shown, name).figure
    light = figure.xgrid[0].grid_line_color
    shown.set_theme("dark")
    dark = figure.xgrid[0].grid_line_color
    shown.set_theme("light")
    assert light != dark and figure.xgrid[0].grid_line_color == light


def test_a_changed_theme_looks_as_if_it_had_been_made_so():
    changed, made = full(), full(theme="dark")
    changed.set_theme("dark")
    assert _colours(changed) == _colours(made)


def _colours(shown):
    """Collect every colour property of every model, in a stable order, without ids."""
    found = []
    for one in shown._stack.tracks():
        for model in sorted(one.figure.references(), key=lambda model: int(model.id[1:])):
            for name in model.properties():
                if name.endswith("_color") or name == "palette":
                    found.append((one.name, type(model).__name__, name, str(getattr(model, name))))
    return sorted(found)


def test_empty_tracks_say_what_would_be_there():
    shown = browser()
    assert "Run mutagenesis" in track(shown, "contribution").texts.empty
    assert "Run integrated gradients" in track(shown, "attribution").texts.empty
    shown.set_mutagenesis(mutagenesis())
    assert track(shown, "contribution").texts.empty == ""


def test_a_result_outside_the_view_says_where_it_is():
    shown = browser()
    shown.set_mutagenesis(mutagenesis())
    shown.set_locus(Locus("20", 700_000, 701_000))
    assert "chr20:120,001-120,400" in track(shown, "contribution").texts.empty


# bases


def test_the_logo_shows_minus_the_mean_effect_of_the_three_changes():
    result = mutagenesis()
    shown = browser(locus=Locus("20", 120_000, 120_100))
    shown.set_mutagenesis(result)
    shown.set_focus_context("Mono")
    letters = track(shown, "contribution")._plot.letters.data
    effect = result["effect"].sel(context="Mono").to_numpy()
    reference = result["reference"].to_numpy()
    positions = [base for base in range(160) if reference[base] != "N"]
    for index, base in enumerate(positions):
        expected = -sum(effect[base, a] for a, letter in enumerate("ACGT") if letter != reference[base]) / 3
        y = np.array(letters["ys"][index][0][0])
        extreme = y.max() if expected > 0 else y.min()
        np.testing.assert_allclose(extreme, expected, rtol=1e-4)
        assert abs(np.mean(letters["xs"][index][0][0]) - (120_000 + base + 1)) < 0.5


def test_zoomed_out_the_strongest_base_is_not_lost():
    result = attribution()
    result["attribution"][7_777] = -50.0
    shown = browser(locus=Locus("20", 0, LENGTH))
    shown.set_attribution(result)
    np.testing.assert_allclose(min(track(shown, "attribution")._plot.steps.data["low"]), -50)


def test_a_short_result_in_a_wide_view_gets_no_more_points_than_pixels():
    shown = browser(locus=Locus("20", 0, LENGTH))
    shown.set_attribution(attribution())
    shown.set_mutagenesis(mutagenesis())
    bases_per_pixel = LENGTH / 1_000
    assert len(track(shown, "attribution")._plot.steps.data["x"]) / 2 <= 20_000 / bases_per_pixel + 2
    assert track(shown, "effects")._heat.source.data["image"][0].shape[1] <= 400 / bases_per_pixel + 2


def test_what_is_said_about_a_result_follows_every_small_move():
    shown = browser(locus=Locus("20", 120_100, 120_300))
    shown.set_mutagenesis(mutagenesis())
    assert track(shown, "contribution").texts.description.startswith("erythroid")
    shown.set_locus(Locus("20", 120_410, 120_610))
    assert "move there" in track(shown, "contribution").texts.empty


def test_the_effect_map_is_symmetric_about_zero():
    shown = browser(locus=Locus("20", 120_000, 120_100))
    shown.set_mutagenesis(mutagenesis())
    mapper = track(shown, "effects")._heat.mapper
    assert mapper.low == -mapper.high


def test_the_effect_map_has_a_row_an_allele_in_their_order():
    result = mutagenesis()
    shown = browser(locus=Locus("20", 120_000, 120_100))
    shown.set_mutagenesis(result)
    image = track(shown, "effects")._heat.source.data["image"][0][::-1]
    np.testing.assert_array_equal(
        image, result["effect"].sel(context="Ery").to_numpy().T[:, : image.shape[1]]
    )
    assert list(track(shown, "effects").texts.rows) == list("ACGT")


def test_growing_results_are_drawn_as_far_as_they_go():
    result = mutagenesis()
    shown = browser(locus=Locus("20", 120_000, 120_100))
    for end in (10, 50, 400):
        shown.set_mutagenesis(result.isel(position=slice(0, end)))
        assert track(shown, "contribution")._mutations.contributions.locus.length == end


def test_bases_are_written_only_where_they_can_be_read():
    shown = browser(locus=Locus("20", 1_000, 1_100))
    assert len(track(shown, "ruler")._letters.data["xs"]) > 100
    shown.set_locus(LOCUS)
    assert len(track(shown, "ruler")._letters.data["xs"]) == 0


# marks


def test_marks_stand_on_the_middle_of_their_base_in_every_track():
    shown = browser()
    shown.set_marks([41])
    shown.set_highlight([Locus("20", 10, 20)])
    assert shown._stack.marks.lines.data["x"] == [42.0]
    assert shown._stack.marks.strips.data == {"x0": [10.5], "x1": [20.5]}
    for one in shown._stack.tracks():
        sources = [renderer.data_source for renderer in one.figure.renderers]
        assert shown._stack.marks.lines in sources and shown._stack.marks.strips in sources


def test_highlights_tint_no_track_whose_colours_are_values():
    shown = full()
    strips = shown._stack.marks.strips
    tinted = {
        one.name
        for one in shown._stack.tracks()
        for renderer in one.figure.renderers
        if renderer.data_source is strips and renderer.glyph.fill_color is not None
    }
    assert tinted == {"ruler", "genes"}


def test_two_browsers_live_in_two_documents():
    # a model shared between sessions would make the second page fail
    for _ in range(2):
        Document().add_root(full().layout)


def test_a_browser_whose_tab_was_closed_draws_no_more():
    shown = full()
    shown.close()
    for model in shown.layout.references():
        if isinstance(model, ColumnDataSource):
            model.data = {}  # as happens to the models of a document that is taken down
    shown._stack.range.update(start=110_000.5)
    shown._stack._on_width("inner_width", 1_000, 900)
    shown.refresh()
    shown.set_theme("dark")
    shown.set_locus(Locus("20", 5_000, 6_000))


def test_no_glyph_is_used_that_hangs_a_page_while_it_is_empty():
    glyphs = {type(model).__name__ for model in full().layout.references()}
    assert "VArea" in glyphs and not glyphs & {"VAreaStep", "HAreaStep"}


def test_everything_can_be_sent_to_a_page():
    document = Document()
    document.add_root(full(locus=Locus("20", 120_000, 120_200)).layout)
    assert json.dumps(document.to_json(), default=str)
    document.validate()

"""The page without a browser: what its components do to the state, and the state to them."""

from __future__ import annotations

import pytest
from bokeh.document import Document

from phenviz.app.shell.exports import DATA_FORMATS, FIGURE_FORMATS, saved_file, stem
from phenviz.app.shell.state import ExploreState
from phenviz.genome import Locus
from phenviz.service.explained import explain
from tests.app.explore import SITE, finish


def test_a_page_of_any_world_opens_at_its_first_gene(page):
    assert page.state.locus == Locus("20", 6_000, 9_000)
    assert page.state.contexts == ("Ery", "Mono", "B")


def test_going_to_a_gene_moves_the_tracks_and_frames_it(page):
    page.locus_bar.go_to("beta")
    assert page.state.highlight == Locus("20", 8_500, 15_000, "-")
    assert page.state.locus.start < 8_500 < 15_000 < page.state.locus.end
    assert page.tracks._browser.locus == page.state.locus


def test_an_unknown_name_leaves_the_view_and_offers_names(page):
    before = page.state.locus
    page.locus_bar.go_to("GAMMA")
    assert page.state.locus == before
    assert "GAMMA1" in page.locus_bar._box.suggestions
    assert "no gene" in page.locus_bar._box.message


def test_no_names_are_offered_for_an_unknown_rsid(page):
    page.locus_bar.go_to("rs1")
    assert "rs1 is not among" in page.locus_bar._box.message
    assert page.locus_bar._box.suggestions == []


def test_what_fails_in_a_callback_is_told_in_words(page, caplog):
    said = []
    page.session.show_error = said.append
    page.session.safely(lambda: 1 / 0)
    assert isinstance(said[0], ZeroDivisionError)


def test_what_our_own_components_hear_waits_for_the_lock_that_figures_need(page, monkeypatch):
    run = page.runs.start(explain("mutagenesis", SITE, ("Ery",)))
    finish(page, run)
    before, waiting = page.state.locus, []
    monkeypatch.setattr(page.session, "run_soon", waiting.append)
    hearers = [
        (page.locus_bar._zoom_buttons, {"action": "zoom", "amount": 3}),
        (page.locus_bar._box, {"text": "GAMMA1"}),
        (page.results._dock, {"table": "bases", "row": 0}),
        (page.jobs._list, {"id": str(run.job.id)}),
    ]
    for component, message in hearers:
        component._handle_msg(message)
        assert page.state.locus == before
        while waiting:
            waiting.pop(0)()
        assert page.state.locus != before
        before = page.state.locus


@pytest.mark.parametrize("suffix", FIGURE_FORMATS.values())
def test_every_figure_format_can_be_exported_with_a_result_on_screen(page, suffix):
    finish(page, page.runs.start(explain("mutagenesis", SITE, ("Ery", "Mono"))))
    page.state.param.update(locus=SITE, focus="Mono")
    file = page._make_file(suffix)()
    assert file.name == f"phenviz_chr20_6001-6200{suffix}"
    assert len(file.content) > 1_000


def test_an_exported_figure_shows_the_tracks_of_the_screen(page):
    finish(page, page.runs.start(explain("mutagenesis", SITE, ("Ery", "Mono"))))
    page.state.param.update(locus=SITE, focus="Mono")
    drawn = page._make_file(".svg")().content.decode()
    page.state.hidden = ("genes", "mutagenesis")
    fewer = page._make_file(".svg")().content.decode()
    assert [label in drawn for label in (">Genes<", ">Mono<", ">Effect<")] == [True, True, True]
    assert [label in fewer for label in (">Genes<", ">Mono<", ">Effect<")] == [False, True, False]


@pytest.mark.parametrize("suffix", DATA_FORMATS.values())
def test_every_data_format_can_be_exported(page, suffix):
    run = page.runs.start(explain("mutagenesis", SITE, ("Ery", "Mono")))
    finish(page, run)
    file = saved_file(page.runs.dataset, stem(page.runs.dataset), suffix)
    assert file.name.startswith("phenviz_mutagenesis_chr20_6001-6200")
    assert len(file.content) > 100


def test_a_closed_page_is_not_drawn_again(page, caplog):
    finish(page, page.runs.start(explain("mutagenesis", SITE, ("Ery",))))
    told = []
    page.runs.param.watch(told.append, ["current", "dataset", "all"])
    page.session.close()
    assert page.runs.dataset is None
    assert (told, caplog.messages) == ([], [])


def test_what_is_offered_last_is_what_a_click_does(page):
    pressed = []
    for name in ("fetch", "try again"):
        page.toolbar.offer("a note", name, lambda name=name: pressed.append(name))
    page.toolbar.menu._handle_msg({"action": True})
    assert pressed == ["try again"]


def test_a_page_opens_with_few_models_because_each_costs_the_browser_time(page):
    document = page.page.server_doc(Document())
    assert len(document.models) < 300


def test_a_marked_variant_is_a_line_and_stays_in_the_address(page):
    contexts = page.runtime.world.contexts
    assert page.state.take({"mark": "20:7001:AC:A"}, contexts) == []
    assert page.tracks.display().strips == ((7_000, 7_002),)
    page.state.mark = "20:7500:A:G"
    assert page.tracks.display().lines == (7_499,)
    assert page.state.query(contexts)["mark"] == "20:7500:A:G"
    for wrong in ("20:0:A:G", "20:7500:A", "20:7500:<b>:G"):
        (problem,) = ExploreState().take({"mark": wrong}, contexts)
        assert "no variant" in problem


def test_a_tick_keeps_the_scale_and_the_address_holds_it(page):
    page.runtime.activity.want(page.session, page.state.locus)
    assert all(job.wait(120) for job in page.runtime.activity._jobs[page.session])
    page.session._tick()
    high = page.tracks.activity_high()
    assert high > 0
    page.toolbar.menu._handle_msg({"hidden": ["transcripts", "region", "marks"]})
    assert page.state.high == high
    assert page.state.query(page.runtime.world.contexts)["high"] == f"{high:g}"
    again = ExploreState()
    again.take({"high": f"{high:g}"}, page.runtime.world.contexts)
    assert again.high == pytest.approx(high)
    page.toolbar.menu._handle_msg({"hidden": ["transcripts", "fixed-scale", "region", "marks"]})
    assert page.state.high == 0


def test_all_transcripts_are_drawn_on_demand_and_exported(page):
    page.toolbar.menu._handle_msg({"hidden": ["fixed-scale", "region", "marks"]})
    assert page.state.transcripts == "all"
    page.runtime.background.submit(lambda: None).result(300)
    assert page.runtime.world.transcripts is not None
    page.tracks._take_transcripts(page.runtime.background.submit(lambda: page.runtime.world.transcripts))
    assert page.tracks.display().transcripts
    page.toolbar.menu._handle_msg({"hidden": ["fixed-scale", "transcripts", "region", "marks"]})
    assert not page.tracks.display().transcripts


def test_a_result_stands_below_the_peaks_and_room_is_made_when_it_is_asked_for(page):
    page.state.locus = page.state.settled = SITE
    run = page.runs.start(explain("mutagenesis", SITE, ("Ery", "Mono")))
    asked = page.tracks.display().tracks
    figures = list(page.tracks._browser.layout.children)
    finish(page, run)
    assert page.tracks.display().tracks == asked
    assert list(page.tracks._browser.layout.children) == figures
    assert asked.index("mutagenesis") < asked.index("activity")
    assert asked.index("genes") < asked.index("mutagenesis")


def test_regions_of_interest_are_marked_by_a_tick_and_kept_in_the_address(page):
    nothing = ["transcripts", "fixed-scale", "region", "marks"]
    assert page.toolbar.menu.hidden == nothing
    page.state.locus = page.state.settled = Locus("20", 7_000, 8_000)
    page.toolbar.menu._handle_msg({"hidden": nothing[:2] + nothing[3:]})
    page.state.locus = page.state.settled = Locus("20", 6_500, 9_000)
    assert page.state.regions == ("chr20:7001-8000",)
    assert page.tracks.display().strips == ((7_000, 8_000),)
    assert page.toolbar.menu.hidden == nothing[:3]
    query = page.state.query(page.runtime.world.contexts)
    again = ExploreState()
    assert again.take(query, page.runtime.world.contexts) == []
    assert again.regions == page.state.regions
    (problem,) = ExploreState().take({"regions": "chr20:9-1"}, page.runtime.world.contexts)
    assert "region of interest" in problem
    page.toolbar.menu._handle_msg({"hidden": nothing})
    assert (page.state.regions, page.tracks.display().strips) == ((), ())

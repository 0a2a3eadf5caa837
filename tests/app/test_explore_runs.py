"""Runs of the Explore page without a browser: what they cost, what they show, and how they come back."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import xarray as xr

from phenviz.app.explore import results_table
from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.runs import LetGo, Run, Runs
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.state import ExploreState
from phenviz.errors import JobError, LocusError
from phenviz.genome import Locus
from phenviz.service.explained import explain, request_at
from phenviz.world import open_world
from tests.app.explore import SITE, finish
from tests.phenformer_toys import GlobalToy
from tests.toys import toy_backbone
from tests.toys import toy_project as toy_project_file


def test_a_run_shows_its_result_and_its_strongest_bases(page):
    page.state.locus = page.state.settled = SITE
    run = page.runs.start(explain("mutagenesis", SITE, ("Ery", "Mono")))
    finish(page, run)
    assert page.runs.dataset.sizes["position"] == SITE.length
    assert not page.runs.partial
    assert len(page.results._dock.tables["bases"]["rows"]) > 50
    assert page.state.shown == run.request
    page.runs.hide()
    assert page.state.shown is None
    assert page.runs.dataset is None


def test_the_cost_is_that_of_what_run_would_do_now(page):
    def cost():
        return page.run_panel._cost.object

    page.state.locus = page.state.settled = Locus("20", 6_000, 6_150)
    page.run_panel._first_estimate()
    assert "150 bp" in cost() and "already computed" not in cost()
    finish(page, page.runs.start(page.run_panel.request()))
    assert "150 bp · already computed" in cost()
    page.state.locus = Locus("20", 7_000, 7_200)
    assert "200 bp" in cost() and not page.run_panel._run.disabled
    # without a browser a view settles at once
    page.state.settled = Locus("20", 6_000, 6_150)
    page.run_panel._wait_for_view(None)
    assert "waiting" in cost() and page.run_panel._run.disabled


def test_an_address_reopens_a_kept_result_and_says_when_it_is_gone(page, runtime):
    request = explain("integrated-gradients", SITE, ("Mono",), n_steps=8)
    page.state.shown = request
    assert "isn't kept any more" in page.runs.restore()
    finish(page, page.runs.start(request))
    other = ExplorePage(runtime)
    other.state.shown = request
    assert other.runs.restore() is None
    finish(other, other.runs.current)
    assert other.runs.dataset.sizes["position"] == SITE.length
    other.session.close()


def test_the_jobs_of_a_tab_are_listed_again_after_a_reload(page, runtime):
    page.runs.adopt("this tab")
    elsewhere = Locus("20", 7_000, 7_150)
    asked = [
        explain("mutagenesis", elsewhere, ("Ery", "Mono")),
        explain("integrated-gradients", elsewhere, ("B",), n_steps=4),
        explain("integrated-gradients", elsewhere, ("B",), n_steps=2, baseline="10-shuffles"),
    ]
    for request in asked:
        finish(page, page.runs.start(request))
    again = ExplorePage(runtime)
    again.runs.adopt("this tab")
    assert [run.request for run in again.runs.all] == asked[::-1]
    again.runs.show(again.runs.all[2])
    assert again.runs.dataset.sizes["position"] == elsewhere.length
    stranger = ExplorePage(runtime)
    stranger.runs.adopt("another tab")
    assert stranger.runs.all == []
    again.session.close()
    stranger.session.close()


def test_a_job_that_goes_on_in_view_is_shown_after_a_reload_and_an_ended_one_is_listed(page, runtime):
    page.runs.adopt("that tab")
    # what another test has computed would be there at once
    own_site = Locus("20", SITE.end, SITE.end + 110)
    started, leave = threading.Event(), threading.Event()

    def wait_in_line(self, world):
        def compute(backend, progress):
            started.set()
            assert leave.wait(60)
            return real(self, world)[0].compute(backend, progress)

        return [replace(chunk, compute=compute) for chunk in real(self, world)]

    request = explain("mutagenesis", own_site, ("Ery",))
    real = type(request).chunks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(request), "chunks", wait_in_line)
        run = page.runs.start(request)
        assert started.wait(60)
    elsewhere, again = ExplorePage(runtime), ExplorePage(runtime)
    elsewhere.state.locus = Locus("21", 0, 2_000)
    again.state.locus = page.state.locus = own_site
    for one in (elsewhere, again):
        one.runs.adopt("that tab")
        assert [listed.request for listed in one.runs.all] == [request]
    assert elsewhere.runs.current is None
    assert "press Run, or a run below" in elsewhere.run_panel._status._words.object
    assert again.runs.current.request == request and again.state.shown == request
    leave.set()
    finish(again, again.runs.current)
    finish(page, run)
    assert again.runs.dataset.sizes["position"] == own_site.length
    late = ExplorePage(runtime)
    late.state.locus = own_site
    late.runs.adopt("that tab")
    assert late.runs.current is None and len(late.runs.all) == 1
    for one in (elsewhere, again, late):
        one.session.close()


def test_the_form_asks_for_what_it_says(page):
    page.state.settled = SITE
    page.state.method = "saliency"
    page.state.focus = "B"
    assert page.run_panel.request() == explain("saliency", SITE, ("B",))
    page.state.param.update(method="integrated-gradients", steps="auto", baseline="10-shuffles")
    assert page.run_panel.request() == explain(
        "integrated-gradients", SITE, ("B",), n_steps="auto", baseline="10-shuffles"
    )
    page.state.param.update(window="gene", gene="ALPHA", flank=100)
    assert page.run_panel.request().locus == Locus("20", 5_900, 9_100)
    page.state.gene = "NOBODY"
    with pytest.raises(LocusError, match="NOBODY"):
        page.run_panel.request()


def test_a_flank_that_is_not_possible_is_refused_until_it_is_corrected(page):
    page.state.param.update(window="gene", gene="ALPHA", flank=100)
    field = page.run_panel._flank
    for wrong in (-5, 99_999_999):
        field.value = wrong
        page.state.focus = "B" if page.state.focus == "Ery" else "Ery"
        assert (field.value, field.error_state, field.helper_text) == (wrong, True, "0 to 1,000,000 bp")
        with pytest.raises(JobError, match="flank"):
            page.run_panel.request()
    field.value = 100
    assert (field.error_state, field.helper_text) == (False, "")
    assert page.run_panel.request().locus == Locus("20", 5_900, 9_100)
    field.value = None
    assert page.run_panel.request().locus == Locus("20", 6_000, 9_000)


def test_steps_and_baselines_are_asked_for_where_there_is_a_path(page):
    panel = page.run_panel
    shown = {}
    for method in ("mutagenesis", "integrated-gradients", "saliency"):
        page.state.method = method
        shown[method] = panel._path.visible
    assert shown == {"mutagenesis": False, "integrated-gradients": True, "saliency": False}
    panel._baseline.value, panel._steps.value = "10-shuffles", "64"
    assert (page.state.baseline, page.state.steps) == ("10-shuffles", "64")


def test_a_model_that_sees_its_whole_window_is_mutated_coarse_to_fine(tmp_path, monkeypatch):
    folder = toy_project_file(tmp_path).parent
    text = (folder / "project.yaml").read_text()
    published = "backbone: {kind: enformer, weights: toy.safetensors}"
    (folder / "project.yaml").write_text(text.replace("checkpoint: toy.safetensors", published))
    monkeypatch.setattr(
        "phenviz.models.adapters.load_adapter", lambda *_: GlobalToy(toy_backbone(), window=2_048).eval()
    )
    runtime = Runtime(open_world(folder / "project.yaml"), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    page = ExplorePage(runtime)
    try:
        assert "mutagenesis-coarse" in page.run_panel._method.options.values()
        page.state.method = "mutagenesis"
        assert page.state.query(())["method"] == "mutagenesis"
        page.state.method = "mutagenesis-coarse"
        assert "method" not in page.state.query(())
        page.state.settled = SITE
        page.state.focus = "Mono"
        request = page.run_panel.request()
        assert request_at(request.address) == request == explain("mutagenesis-coarse", SITE, ("Mono",))
        finish(page, page.runs.start(request))
        assert set(page.runs.dataset["method"].values) == {"exact", "first-order"}
        exact = page.runs.dataset["method"].values == "exact"
        for position, _, _, change, *_ in page.results._dock.tables["bases"]["rows"]:
            assert ("~" in change) != exact[int(str(position).replace(",", "")) - 1 - SITE.start]
        assert page.runs.current.job.request == request
    finally:
        page.session.close()
        runtime.stop()


def test_a_local_model_offers_only_what_is_exact(page):
    assert "mutagenesis-coarse" not in page.run_panel._method.options.values()
    assert page.state.method == "mutagenesis"
    problems = page.state.take({"method": "mutagenesis-coarse"}, ())
    assert page.state.method == "mutagenesis" and "isn't possible" in problems[0]
    assert ExploreState(method="mutagenesis-coarse").method == "mutagenesis-coarse"


def test_several_baselines_show_their_spread(page):
    page.state.param.update(method="integrated-gradients", settled=SITE, steps="16", baseline="10-shuffles")
    finish(page, page.runs.start(page.run_panel.request()))
    assert page.runs.dataset.attrs["n_baselines"] == 10
    assert (page.runs.dataset["attribution_std"] > 0).any()


def test_a_part_that_takes_long_to_draw_is_drawn_less_often(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("phenviz.app.shell.job_view.time", SimpleNamespace(monotonic=lambda: clock[0]))
    tiles = []
    job = SimpleNamespace(over=False, state="running", stage="", progress=0.0, eta=0.0, partials=tiles,
                          partial_result=lambda: len(tiles))  # fmt: skip
    runs, drawn, seconds = Runs(ExploreState(locus=SITE), lambda: None), [], [0.0]

    def draw(event) -> None:
        if event.new is not None:
            drawn.append(clock[0])
            clock[0] += seconds[0]

    runs.param.watch(draw, "dataset")
    for seconds[0], most in ((0.0, 59), (0.5, 14)):
        drawn.clear()
        tiles.clear()
        runs.show(Run(explain("mutagenesis", SITE, ("Ery",)), job))
        end = clock[0] + 60
        while clock[0] < end:
            tiles.append(None)
            runs.tick()
            clock[0] += 0.1
        assert most / 2 < len(drawn) <= most


def test_nothing_ticked_is_refused_in_words(page):
    page.state.contexts = ()
    page.run_panel._estimate()
    assert "no context is ticked" in page.run_panel._cost.object
    assert page.run_panel._run.disabled


def test_a_run_that_does_not_fit_into_memory_is_refused_before_it_starts(page, monkeypatch):
    monkeypatch.setattr("phenviz.service.device.free_bytes", lambda device: 1_000)
    page.run_panel._estimate()
    assert "GB are free" in page.run_panel._cost.object
    assert page.run_panel._run.disabled


def test_motifs_of_another_result_at_the_same_place_in_memory_are_not_shown(page, monkeypatch):
    # a result may come to lie where one lay that was let go
    monkeypatch.setattr(results_table, "id", lambda _: 7, raising=False)
    searched = []

    def search(_find, dataset, _context) -> Future:
        searched.append(dataset)
        done: Future = Future()
        done.set_result(pd.DataFrame({"motif": [], "start": [], "end": [], "p_value": [], "q_value": []}))
        return done

    page.results._background = SimpleNamespace(submit=search)
    finish(page, page.runs.start(explain("mutagenesis", SITE, ("Ery",))))
    # on a slow machine also of what was finished before the end
    before = len(searched)
    assert before and searched[-1] is page.runs.dataset
    # drawn a moment later, so that nobody sees that there was no result in between
    page.runs.dataset = page.runs.dataset.copy()
    assert len(searched) == before + 1 and searched[-1] is page.runs.dataset


def test_the_methods_have_a_name_that_is_read_and_not_drawn(page):
    assert page.run_panel._method.label == "Method"
    assert "display: none" in page.run_panel._method.stylesheets[0]


def test_a_tab_holds_few_results_of_older_runs_and_finds_the_others_again(page, monkeypatch):
    loci = [Locus("20", start, start + 60) for start in range(6_000, 6_400, 60)]
    requests = [explain("mutagenesis", locus, ("Ery",)) for locus in loci]
    finish(page, page.runs.start(requests[0]))
    first, size = page.runs.dataset.copy(deep=True), page.runs.current.job.held_bytes
    monkeypatch.setattr("phenviz.app.shell.runs._HELD_BYTES", 2 * size)
    for request in requests[1:]:
        finish(page, page.runs.start(request))
        page.runs.show(page.runs.current)
        held = [run.job.held_bytes for run in page.runs.all if not isinstance(run.job, LetGo)]
        assert sum(held) <= 3 * size  # the one on screen, and two
    assert [run.request for run in page.runs.all] == requests[::-1]
    page.jobs._draw()
    row = page.jobs._list.rows[-1]
    assert (row["state"], row["progress"]) == ("done", 1.0)
    page.jobs._open(row["id"])
    finish(page, page.runs.current)
    assert page.runs.current.request == page.state.shown == requests[0]
    xr.testing.assert_allclose(page.runs.dataset, first)
    assert len(page.runs.all) == len(requests)


def test_an_older_run_that_the_store_has_lost_says_so(page, runtime, monkeypatch):
    monkeypatch.setattr("phenviz.app.shell.runs._HELD_BYTES", 0)
    said = []
    monkeypatch.setattr(page.session, "say", said.append)
    one, other = (explain("saliency", Locus("20", start, start + 70), ("B",)) for start in (7_300, 7_400))
    finish(page, page.runs.start(one))
    finish(page, page.runs.start(other))
    assert isinstance(page.runs.all[1].job, LetGo)
    runtime.service.store.clear()
    page.jobs._open(page.runs.all[1].job.id)
    assert "isn't kept any more" in said[0] and page.runs.current is None


@pytest.mark.parametrize(
    "run",
    [
        ("mutagenesis", Locus("20", 10_000, 10_080), ("Ery", "Mono")),
        ("integrated-gradients", Locus("20", 10_100, 10_180), ("B",), None, 4, "mean-shuffle"),
        ("saliency", Locus("20", 10_200, 10_280), ("B",)),
        ("mutagenesis-coarse", Locus("20", 10_300, 10_380), ("B",)),
    ],
)
def test_the_run_of_the_address_is_on_screen_again_after_a_reload(page, runtime, monkeypatch, run):
    page.runs.adopt("a tab of some name")
    started = page.runs.start(explain(*run))
    address = page._query()
    monkeypatch.setattr("phenviz.app.shell.page.arguments_of_address", lambda: address)
    again = ExplorePage(runtime)
    again._join("a tab of some name")
    again._restore_once()
    assert again.runs.current is not None and again.runs.current.job is started.job
    assert again.runs.current.request == started.request == again.state.shown
    finish(page, started)
    again.session.close()


def test_a_run_stands_in_the_address_before_the_page_comes_to_rest(runtime, monkeypatch):
    monkeypatch.setattr("phenviz.app.shell.session.Session.debounced", lambda *_: lambda *_events: None)
    page = ExplorePage(runtime)
    page.state.locus = page.state.settled = SITE
    run = page.runs.start(explain("mutagenesis", SITE, ("Ery",)))
    assert "run" in page._address._written
    finish(page, run)
    page.session.close()

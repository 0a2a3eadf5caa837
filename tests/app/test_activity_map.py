"""The activity that all tabs share: predicted where somebody looks, by one thread that nothing stops."""

from __future__ import annotations

import time
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np

from phenviz.app.explore.activity import ActivityMap
from phenviz.genome import Locus
from phenviz.world import open_world
from tests.app.explore import SITE
from tests.toys import GAP


def test_the_view_is_predicted_tile_by_tile_as_in_one_window(runtime):
    activity = runtime.activity
    length = runtime.world.reference.contigs["20"]
    activity.want("me", Locus("20", 0, length))
    for _ in range(600):
        if activity.covered("me") == 1:
            break
        time.sleep(0.05)
    whole = runtime.service.predict(Locus("20", 0, length))["activity"].to_numpy()
    _, mean, _ = activity.pyramid("20").read(0, whole.shape[1], whole.shape[1])
    inside = slice(GAP[0] // 128 + 40, None)
    np.testing.assert_allclose(mean[:, inside], whole[:, inside], rtol=1e-4, atol=1e-5)
    activity.forget("me")


def test_of_many_contexts_those_that_are_drawn_take_memory(runtime, monkeypatch):
    monkeypatch.setattr("phenviz.app.explore.activity._MOST_ROWS", 2)
    activity, locus = ActivityMap(runtime.world, runtime.service_ready), Locus("21", 0, 9_000)
    whole = runtime.service.predict(locus)["activity"].to_numpy()

    def drawn(who: str, names: list[str]) -> np.ndarray:
        rows = activity.rows(names)
        pyramid = activity.pyramid("21", rows)
        activity.want(who, locus, rows)
        for _ in range(600):
            if activity.covered(who) == 1:
                break
            time.sleep(0.05)
        return pyramid.read(0, whole.shape[1], whole.shape[1])[1]

    np.testing.assert_allclose(drawn("me", ["B"]), whole[[2]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(drawn("you", ["Ery", "B"]), whole[[0, 2]], rtol=1e-4, atol=1e-5)
    assert activity.pyramid("21", activity.rows(["B"])).n_rows == 1
    # nobody's are drawn: there still is a row to say where something is to come
    assert activity.rows([]) == (0,)
    activity.forget("me")
    activity.forget("you")


def test_a_view_that_cannot_be_predicted_leaves_the_thread_to_the_others(runtime, caplog):
    activity = runtime.activity

    def wait_until(answered) -> None:
        for _ in range(600):
            if answered():
                return
            time.sleep(0.05)
        raise AssertionError("not answered")

    activity.want("them", Locus("7", 0, 1_000))
    wait_until(lambda: "them" not in activity._wishes)
    assert "chr7:1-1,000 can't be predicted" in caplog.text
    activity.want("me", Locus("21", 0, 9_000))
    wait_until(lambda: activity.covered("me") == 1)
    activity.forget("me")


def test_a_model_that_cannot_be_loaded_is_told_and_does_not_stop_the_page(toy_project):
    world = open_world(toy_project)
    failed: Future = Future()
    failed.set_exception(RuntimeError("no weights"))
    activity = ActivityMap(world, failed)
    activity.want("me", SITE)
    assert activity.pyramid("20") is None
    assert activity.covered("me") == 0


def test_moving_away_cancels_what_nobody_looks_at_any_more(runtime, monkeypatch):
    activity, length = ActivityMap(runtime.world, runtime.service_ready, 2_048), 50_000
    asked, submit = [], runtime.service.submit

    def held_up(kind, **params):
        asked.append(submit(kind, **params))
        return asked[-1]

    monkeypatch.setattr(runtime.service, "submit", held_up)
    activity.want("me", Locus("20", 0, length))
    first = list(asked)
    activity.want("me", Locus("21", 0, 9_000))
    assert all(job.cancelled or job.over for job in first)
    activity.forget("me")
    assert all(job.cancelled or job.over for job in asked)
    assert activity.covered("me") == 0


def test_the_tile_in_the_middle_of_a_long_view_is_a_job_of_its_own(runtime, monkeypatch):
    activity, asked = ActivityMap(runtime.world, runtime.service_ready, 2_048), []
    job = SimpleNamespace(subscribe=lambda _heard: None, cancel=lambda: None)
    monkeypatch.setattr(runtime.service, "submit", lambda kind, locus: asked.append(locus) or job)
    activity.want("me", Locus("20", 0, 2_048 * 9))
    whole = [(0, 4), (4, 5), (5, 9)]
    assert [(locus.start // 2_048, locus.end // 2_048) for locus in asked] == whole


def test_a_long_view_is_drawn_from_an_overview_and_asks_for_no_single_bins(runtime, monkeypatch):
    monkeypatch.setattr("phenviz.app.explore.activity.OVERVIEW_FROM", 256)
    monkeypatch.setattr("phenviz.tracks.pyramid.OVERVIEW_FROM", 256)
    activity, length = (
        ActivityMap(runtime.world, runtime.service_ready),
        runtime.world.reference.contigs["20"],
    )
    asked, submit = [], runtime.service.submit
    monkeypatch.setattr(
        runtime.service, "submit", lambda kind, **params: asked.append(kind) or submit(kind, **params)
    )
    view = Locus("20", length % 1_000, length)
    activity.want("me", view)
    deadline = time.monotonic() + 120
    while activity.covered("me") < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert activity.covered("me") == 1
    assert set(asked) == {"overview"}
    whole = runtime.service.overview(view)
    seen = activity.pyramid("20").summary(0, length, length // 8_192 + 1)
    first = int(whole["bin_start"][0]) // (128 * 64)
    shown = slice(first, first + whole.sizes["bin"])
    np.testing.assert_array_equal(seen.mean[:, shown][:, :-1], whole["activity"].values[:, :-1])
    np.testing.assert_array_equal(seen.maximum[:, shown][:, :-1], whole["maximum"].values[:, :-1])
    asked.clear()
    activity.want("me", view)
    assert asked == []
    activity.want("me", Locus("20", 6_000, 7_000))
    assert asked == ["predict"]
    activity.forget("me")


def test_overviews_of_long_contigs_are_made_without_being_asked_for(runtime, monkeypatch):
    monkeypatch.setattr("phenviz.app.explore.activity.OVERVIEW_FROM", 256)
    monkeypatch.setattr("phenviz.tracks.pyramid.OVERVIEW_FROM", 256)
    activity = ActivityMap(runtime.world, runtime.service_ready)
    activity.start()
    lengths = runtime.world.reference.contigs
    assert set(activity._overviews) == {name for name, length in lengths.items() if length > 255 * 128}
    for contig, job in activity._overviews.items():
        job.result(120)
        activity.want("me", Locus(contig, 0, lengths[contig]))
        assert activity.covered("me") == 1
    activity.stop()


def test_twenty_people_who_look_at_the_same_are_answered_by_one_computation(runtime, monkeypatch):
    activity, asked, submit = ActivityMap(runtime.world, runtime.service_ready), [], runtime.service.submit
    computed: list[Locus] = []
    step = runtime.service._runner._compute

    def counted(work, chunk):
        computed.append(chunk.identity["cell"])
        return step(work, chunk)

    monkeypatch.setattr(runtime.service._runner, "_compute", counted)
    monkeypatch.setattr(
        runtime.service, "submit", lambda kind, **how: asked.append(submit(kind, **how)) or asked[-1]
    )
    view = Locus("21", 300, 8_700)
    for person in range(20):
        activity.want(person, view)
    for job in asked:
        job.result(60)
    assert len(computed) == len(set(computed)) <= 1
    assert all(activity.covered(person) == 1 for person in range(20))
    for person in range(20):
        activity.forget(person)

"""One view shows what is read in a thread and the jobs that follow."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import xarray as xr

from phenviz.app.shell.job_view import RESULT, JobView
from phenviz.errors import DataError
from phenviz.service import ModelService
from tests.service.fakes import Counting, fake_world, numbers
from tests.service.test_jobs import wait_until


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def service(tmp_path, counting):
    how = {"kinds": counting.registry, "store": tmp_path / "store", "costs": tmp_path / "costs.json"}
    with ModelService(fake_world(), "cpu", **how) as made:
        yield made
        counting.gate.set()


@pytest.fixture
def executor():
    with ThreadPoolExecutor(1) as made:
        yield made


def test_an_empty_view_is_neither_busy_nor_done():
    view = JobView()
    assert (view.state, view.progress, view.error, view.eta) == ("empty", 0.0, "", 0)


def test_a_job_is_shown_as_it_is_with_its_parts_and_its_result(service, counting):
    counting.gate.clear()
    view, seen = JobView(), []
    view.param.watch(lambda event: seen.append(numbers(event.new)), "dataset")
    view.attach(RESULT, service.submit("count", stop=3), parts=True)
    assert counting.begun.wait(60) and view.busy
    counting.gate.set()
    assert view.wait(60) and view.state == "done" and view.progress == 1
    assert view.tick() and seen[-1] == [0, 1, 2] and view.found[RESULT] is view.dataset
    assert not view.tick()


def test_reading_and_jobs_count_together_and_progress_never_goes_back(service, counting, executor):
    went_on, seen = threading.Event(), []

    def plan(view, progress):
        progress.stage("reading", 2)
        progress.advance()
        assert went_on.wait(60)
        view.add("table", "what was read")
        view.attach("one", service.submit("count", stop=2))
        view.attach("two", service.submit("count", start=5, stop=9))

    view = JobView().read(plan, executor, jobs=2)
    wait_until(lambda: view.stage == "reading")
    assert view.state == "running" and view.progress == pytest.approx(1 / 6)
    went_on.set()
    while not view.over:
        seen.append(view.progress)
    view.tick()
    assert seen == sorted(seen) and view.state == "done"
    assert view.found["table"] == "what was read" and numbers(view.found["two"]) == [5, 6, 7, 8]


def test_what_fails_while_reading_is_said_and_what_was_asked_for_before_goes_on(service, executor):
    def plan(view, progress):
        view.attach("one", service.submit("count", stop=2))
        raise DataError("line 3 is no variant")

    view = JobView().read(plan, executor, jobs=2)
    assert view.wait(60) and view.state == "failed" and view.error == "line 3 is no variant"
    view.tick()
    assert numbers(view.found["one"]) == [0, 1]


def test_a_cancel_reaches_reading_and_jobs_and_those_that_are_still_asked_for(service, counting, executor):
    counting.gate.clear()
    began, went_on = threading.Event(), threading.Event()

    def plan(view, progress):
        view.attach("one", service.submit("count", stop=3))
        began.set()
        assert went_on.wait(60)
        view.attach("late", service.submit("count", start=50, stop=90))
        progress.check()

    view = JobView().read(plan, executor, jobs=2)
    assert began.wait(60)
    view.cancel()
    went_on.set()
    counting.gate.set()
    assert view.wait(60) and view.state == "cancelled"
    assert {name: job.state for name, job in view.jobs.items()} == {"one": "cancelled", "late": "cancelled"}


def test_what_waits_for_a_thread_is_cancelled_at_once(executor):
    busy = threading.Event()
    executor.submit(busy.wait, 60)
    view = JobView().read(lambda view, progress: None, executor)
    assert view.state == "queued"
    view.cancel()
    assert view.state == "cancelled" and view.over
    busy.set()


def test_a_part_is_kept_after_a_cancel(service):
    view = JobView()
    view.attach(RESULT, service.submit("count", stop=400), parts=True)
    wait_until(lambda: view.jobs[RESULT].partials)
    view.cancel()
    assert view.wait(60)
    view.tick()
    assert isinstance(view.dataset, xr.Dataset) and view.dataset.attrs["complete"] == 0
    view.forget()
    assert view.state == "empty" and view.dataset is None and view.found == {}

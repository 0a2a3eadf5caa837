"""Jobs: what they report, how they are shared, cancelled and told about."""

import threading
import time
import weakref
from types import SimpleNamespace

import pytest

from phenviz.errors import Cancelled, JobError
from phenviz.service import Chunk
from phenviz.service.shared_task import Work
from tests.service.fakes import BATCHES, numbers


def start_held_up(service, counting, **params):
    """Submit a job and wait until its first batch is held up."""
    counting.gate.clear()
    counting.begun.clear()
    job = service.submit("count", **params)
    assert counting.begun.wait(60)
    return job


def test_result_is_that_of_all_chunks_in_order(service):
    job = service.submit("count", start=3, stop=8)
    assert numbers(job.result(60)) == [3, 4, 5, 6, 7]
    assert (job.state, job.progress, job.eta, job.error, job.stage) == ("done", 1.0, 0.0, None, "done")
    assert job.created <= job.started <= job.finished


def test_params_are_those_that_were_checked_and_completed(service):
    assert service.submit("count", stop=2).params == {"start": 0, "stop": 2, "memory": 0, "fail": ""}


def test_progress_counts_all_chunks_and_never_goes_back(service, counting):
    seen = []
    counting.gate.clear()
    job = service.submit("count", stop=3)
    job.subscribe(lambda job: seen.append(job.progress))
    # told about each batch, not ten times a second, so that the test sees every step
    job._tell = lambda at_once=False: seen.append(job.progress)
    counting.gate.set()
    job.result(60)
    assert seen == sorted(seen)
    assert {round(value, 3) for value in seen} >= {round(step / 3 / BATCHES, 3) for step in range(1, 30)}


def test_same_request_shares_the_work_while_it_runs(service, counting):
    first = start_held_up(service, counting, stop=4)
    second = service.submit("count", stop=4)
    assert first.id != second.id and first.key == second.key
    counting.gate.set()
    assert numbers(first.result(60)) == numbers(second.result(5)) == [0, 1, 2, 3]
    assert counting.computed == [0, 1, 2, 3]


def test_result_of_one_asker_is_not_changed_by_another(service, counting):
    first = start_held_up(service, counting, stop=2)
    second = service.submit("count", stop=2)
    counting.gate.set()
    first.result(60).attrs["note"] = "mine"
    assert "note" not in second.result(60).attrs


def test_same_holder_gets_its_own_job_again(service, counting):
    first = start_held_up(service, counting, stop=2, holder="tab 1")
    assert service.submit("count", stop=2, holder="tab 1") is first
    assert service.submit("count", stop=2, holder="tab 2") is not first


def test_cancelling_one_of_two_lets_the_other_go_on(service, counting):
    first = start_held_up(service, counting, stop=2)
    second = service.submit("count", stop=2)
    first.cancel()
    assert first.state == "cancelled" and second.state == "running"
    with pytest.raises(Cancelled):
        first.result(1)
    given_up_at = first.progress
    assert given_up_at < 1
    counting.gate.set()
    assert numbers(second.result(60)) == [0, 1]
    # what the other one gets is no part of what was given up
    assert (first.state, first.progress, first.partials) == ("cancelled", given_up_at, ())
    assert first.partial_result() is None


def test_cancel_stops_within_a_batch_once_all_have_cancelled(service, counting):
    first = start_held_up(service, counting, stop=50)
    second = service.submit("count", stop=50)
    first.cancel()
    second.cancel()
    begun = counting.batches
    counting.gate.set()
    assert second.wait(60)
    assert second.state == "cancelled" and second.stage == "cancelled"
    assert counting.batches == begun


def test_queued_job_is_cancelled_at_once(service, counting):
    running = start_held_up(service, counting, stop=2)
    waiting = service.submit("count", start=10, stop=90)
    waiting.cancel()
    assert waiting.state == "cancelled" and waiting.finished is not None
    counting.gate.set()
    running.result(60)
    assert counting.computed == [0, 1]


def test_asking_again_after_a_cancel_starts_a_new_job(service, counting):
    first = start_held_up(service, counting, stop=2)
    first.cancel()
    again = service.submit("count", stop=2)
    counting.gate.set()
    assert numbers(again.result(60)) == [0, 1]
    assert first.state == "cancelled"


def test_finished_tiles_stay_after_a_cancel_and_are_labelled(service, counting):
    job = service.submit("count", stop=200)
    while len(job.partials) < 3:
        time.sleep(0.001)
    job.cancel()
    assert job.wait(60)
    partial = job.partial_result()
    assert partial.attrs["complete"] == 0
    assert numbers(partial) == list(range(len(job.partials)))


def test_partial_result_of_a_finished_job_is_complete(service):
    job = service.submit("count", stop=2)
    job.result(60)
    assert job.partial_result().attrs["complete"] == 1
    assert len(job.partials) == 1


def test_there_is_no_partial_result_before_the_first_tile(service, counting):
    assert start_held_up(service, counting, stop=2).partial_result() is None


def test_waiting_too_long_for_a_result_is_an_error_in_words(service, counting):
    job = start_held_up(service, counting, stop=2)
    with pytest.raises(JobError, match=r"isn't finished after 0.01 s"):
        job.result(timeout=0.01)


def test_subscriber_hears_the_end_and_nothing_after_unsubscribing(service, counting):
    job = start_held_up(service, counting, stop=3)
    states, others = [], []
    job.subscribe(lambda job: states.append(job.state))
    unsubscribe = job.subscribe(lambda job: others.append(job.state))
    unsubscribe()
    counting.gate.set()
    job.result(60)
    wait_until(lambda: states and states[-1] == "done")
    assert others == []


def test_a_job_that_is_over_keeps_nobody_who_watched_it(service, counting):
    class Watcher:
        def hear(self, job):
            pass

    watchers = [Watcher() for _ in range(4)]
    gone = [weakref.ref(watcher) for watcher in watchers]
    job, other = start_held_up(service, counting, stop=3), service.submit("count", stop=4)
    shared = [service.submit("count", stop=5) for _ in range(2)]
    for watched, watcher in zip((job, other, shared[0]), watchers, strict=False):
        watched.subscribe(watcher.hear)
    other.cancel()
    shared[0].cancel()
    counting.gate.set()
    job.result(60), shared[1].result(60)
    job.subscribe(watchers[3].hear)
    watchers.clear()
    del watcher
    wait_until(lambda: not any(watcher() for watcher in gone))
    assert job in service.jobs


def test_subscriber_is_called_about_ten_times_a_second_at_most(service, counting):
    job = start_held_up(service, counting, stop=30)
    calls = []
    job.subscribe(lambda job: calls.append(time.monotonic()))
    began = time.monotonic()
    counting.gate.set()
    job.result(60)
    assert len(calls) <= 2 + 10 * (time.monotonic() - began)


def test_failing_subscriber_hurts_neither_the_job_nor_other_subscribers(service, counting, caplog):
    job = start_held_up(service, counting, stop=3)
    states = []
    job.subscribe(lambda job: 1 / 0)
    job.subscribe(lambda job: states.append(job.state))
    counting.gate.set()
    assert numbers(job.result(60)) == [0, 1, 2]
    wait_until(lambda: "done" in states)
    assert "ZeroDivisionError" in caplog.text


def test_late_subscriber_of_a_finished_job_is_told_at_once(service):
    job = service.submit("count", stop=1)
    job.result(60)
    states = []
    job.subscribe(lambda job: states.append(job.state))
    assert states == ["done"]


def test_cancel_of_a_running_job_tells_its_subscribers(service, counting):
    job = start_held_up(service, counting, stop=3)
    over = threading.Event()
    job.subscribe(lambda job: over.set() if job.state == "cancelled" else None)
    job.cancel()
    counting.gate.set()
    assert over.wait(60)


def test_time_left_follows_the_observed_speed(service, counting):
    job = start_held_up(service, counting, stop=40)
    guessed = job.eta
    # the fake's first guess is 1 ms per chunk: held up for longer, its first chunk is much slower
    time.sleep(0.2)
    counting.gate.set()
    wait_until(lambda: job.partials)
    counting.gate.clear()
    assert job.eta > guessed
    counting.gate.set()
    job.result(60)


def test_the_time_left_can_be_asked_for_while_a_chunk_ends_in_another_thread():
    class EndsMeanwhile(tuple):
        def __len__(self):
            work.next_chunk = 1
            return super().__len__()

    chunks = [Chunk({}, lambda *_: None, 4.0)]
    work = Work("key", SimpleNamespace(even=True), chunks, 8.0, 4.0, SimpleNamespace(), None)
    work.chunks, work._chunk_began, work._fraction = EndsMeanwhile(chunks), time.monotonic() - 1, 0.5
    assert 0 < work.seconds_left < 8


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_what_a_cancelled_job_has_finished_counts_as_held(service, counting):
    job = service.submit("count", stop=200)
    while len(job.partials) < 3:
        time.sleep(0.001)
    before = job.progress
    job.cancel()
    assert job.wait(60)
    assert job._work.held_bytes >= sum(part["value"].nbytes for part in job.partials)
    # closures of chunks would keep whatever they computed with
    assert job._work.chunks == () and job.progress >= before


def test_where_stages_have_no_known_length_the_time_left_is_the_estimate_and_then_unknown(
    make_service, counting
):
    counting.kind.even, counting.kind.seconds_per_unit = False, 4.0
    service = make_service(kinds=counting.registry)
    job = start_held_up(service, counting, stop=1)
    assert 0 < job.eta < 5
    # half of the first chunk seems to be done at once, and then nothing more is heard
    job._work._fraction = 0.5
    assert job.eta < 5
    wait_until(lambda: job.eta == 0.0)
    assert job.state == "running"
    counting.gate.set()
    job.result(60)


@pytest.mark.parametrize("notebook", [False, True])
def test_interrupting_the_cell_that_waits_cancels_the_job(service, counting, monkeypatch, notebook):
    monkeypatch.setattr("phenviz.service.jobs._in_notebook", lambda: notebook)
    job = start_held_up(service, counting, stop=4)
    waited = []

    def wait(timeout=None):
        waited.append(timeout)
        if len(waited) > 2 * notebook:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(job, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        job.result()
    counting.gate.set()
    monkeypatch.undo()
    assert job.wait(60) and job.state == "cancelled"


def test_a_notebook_shows_a_bar_and_gets_the_result(service, counting, monkeypatch, capsys):
    monkeypatch.setattr("phenviz.service.jobs._in_notebook", lambda: True)
    monkeypatch.setattr("phenviz.service.jobs._QUICK", 0.05)
    job = start_held_up(service, counting, stop=4)
    with pytest.raises(JobError, match=r"isn't finished after 0\.3 s"):
        job.result(0.3)
    threading.Timer(0.2, counting.gate.set).start()
    assert numbers(job.result(60)) == [0, 1, 2, 3]
    assert "%|" in capsys.readouterr().err
    # what is there at once has none
    job.result()
    assert capsys.readouterr().err == ""

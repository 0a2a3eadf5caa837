"""What is about people stays in memory, with who asked for it, and goes with them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import xarray as xr

from phenviz.errors import JobError
from phenviz.service.session_store import SessionStore
from tests.service.fakes import numbers
from tests.service.test_jobs import start_held_up, wait_until


def entries(service):
    return [path for path in service.store.folder.rglob("*") if path.is_file()]


def test_a_private_result_is_that_of_a_public_one_and_is_nowhere_on_disk(service):
    found = service.submit("count", stop=4, private=True, holder="tab").result(60)
    assert entries(service) == []
    assert numbers(found) == numbers(service.submit("count", stop=4).result(60)) == [0, 1, 2, 3]


def test_nobody_else_gets_a_private_job_by_asking_for_the_same_or_by_its_id(service, counting):
    mine = service.submit("count", stop=2, private=True, holder="mine")
    mine.result(60)
    for other in ("other", None):
        asked = service.submit("count", stop=2, private=True, holder=other)
        assert asked.id != mine.id and asked.key != mine.key
        asked.result(60)
        with pytest.raises(JobError, match="isn't there any more"):
            service.job(mine.id, other)
    assert counting.computed == [0, 1] * 3
    assert mine not in service.jobs and service.job(mine.id, "mine") is mine


def test_its_holder_computes_no_chunk_twice(service, counting):
    service.submit("count", stop=4, private=True, holder="mine").result(60)
    assert service.estimate("count", start=2, stop=6, private=True, holder="mine").stored == 0.5
    assert service.estimate("count", start=2, stop=6, private=True, holder="other").stored == 0
    assert service.estimate("count", start=2, stop=6).stored == 0
    found = service.submit("count", start=2, stop=6, private=True, holder="mine").result(60)
    assert numbers(found) == [2, 3, 4, 5] and counting.computed == [0, 1, 2, 3, 4, 5]


def test_a_private_job_is_not_answered_from_the_store(service, counting):
    service.submit("count", stop=2).result(60)
    service.submit("count", stop=2, private=True, holder="mine").result(60)
    assert counting.computed == [0, 1, 0, 1]


def test_what_is_private_is_gone_with_its_holder_and_others_keep_theirs(service):
    jobs = {who: service.submit("count", stop=2, private=True, holder=who) for who in ("mine", "other")}
    for job in jobs.values():
        job.result(60)
    work = weakref.ref(jobs["mine"]._work)
    service.forget("mine")
    with pytest.raises(JobError, match="isn't there any more"):
        service.job(jobs["mine"].id, "mine")
    with pytest.raises(JobError, match="went with its session"):
        jobs["mine"].result()
    assert jobs["mine"].partial_result() is None
    assert service.estimate("count", stop=2, private=True, holder="mine").stored == 0
    assert service.estimate("count", stop=2, private=True, holder="other").stored == 1
    assert numbers(jobs["other"].result()) == [0, 1]
    del jobs["mine"], job
    wait_until(lambda: gc.collect() >= 0 and work() is None)


def test_what_runs_for_a_holder_stops_when_it_is_forgotten(service, counting):
    job = start_held_up(service, counting, stop=90, private=True, holder="mine")
    waiting = service.submit("count", start=100, stop=190, private=True, holder="mine")
    work = weakref.ref(job._work)
    service.forget("mine")
    counting.gate.set()
    jobs = [job, waiting]
    wait_until(lambda: all(one.over for one in jobs))
    assert (job.state, waiting.state) == ("cancelled", "cancelled") and counting.computed == []
    del job, waiting
    jobs.clear()
    wait_until(lambda: gc.collect() >= 0 and work() is None)


def test_closing_forgets_what_is_private(make_service):
    service = make_service()
    job = service.submit("count", stop=2, private=True)
    job.result(60)
    service.close()
    assert job not in service.jobs and not service._sessions
    with pytest.raises(JobError, match="went with its session"):
        job.result()


def test_a_session_keeps_no_more_than_its_limit():
    store = SessionStore(limit=3_000)
    for number in range(5):
        store.put(str(number), xr.Dataset({"value": ("copy", np.full(125, float(number)))}))
        store.get("0")
    assert [number for number in range(5) if str(number) in store] == [0, 3, 4]
    store.clear()
    assert "0" not in store and store.get("0") is None


def test_who_asks_twice_may_cancel_one_of_them(service, counting):
    first = start_held_up(service, counting, stop=3, private=True, holder="mine")
    second = service.submit("count", stop=3, private=True, holder="mine")
    first.cancel()
    counting.gate.set()
    assert numbers(second.result(60)) == [0, 1, 2] and first.state == "cancelled"

"""The service as a whole: queue, store, failures, restarts, many askers at once."""

import gc
import logging
import threading
import time
import weakref

import numpy as np
import pytest
import torch

from phenviz.errors import JobError, LocusError, MemoryLimitError, ModelError
from phenviz.service import ModelService, get_service
from tests.service.fakes import Counting, fake_world, numbers
from tests.service.test_jobs import start_held_up, wait_until


def test_full_queue_refuses_in_words_and_takes_jobs_again_later(make_service, counting):
    service = make_service(max_queue=2)
    running = start_held_up(service, counting, stop=1)
    service.submit("count", start=10, stop=11)
    with pytest.raises(JobError, match=r"2 jobs are already waiting or running"):
        service.submit("count", start=20, stop=21)
    # sharing needs no place
    assert service.submit("count", stop=1).state == "running"
    counting.gate.set()
    running.result(60)
    wait_until(lambda: all(job.over for job in service.jobs))
    assert numbers(service.submit("count", start=20, stop=21).result(60)) == [20]


def test_unknown_kind_is_an_error_that_lists_the_kinds(service):
    with pytest.raises(JobError, match=r"'dance': use one of count"):
        service.submit("dance")


def test_short_job_is_served_between_the_chunks_of_a_long_one(service, counting):
    long = start_held_up(service, counting, stop=100)
    short = service.submit("count", start=500, stop=502)
    counting.gate.set()
    short.result(60)
    assert not long.over
    long.cancel()


def test_what_nobody_waits_for_goes_last_however_short_it_is_until_somebody_asks_for_it(service, counting):
    long = start_held_up(service, counting, stop=60)
    patient = service.submit("count", start=500, stop=503, patient=True)
    service.submit("count", start=600, stop=603, patient=True)
    asked = service.submit("count", start=600, stop=603)
    counting.gate.set()
    for job in (asked, long, patient):
        job.result(60)
    assert counting.computed == [0, 600, 601, 602, *range(1, 60), 500, 501, 502]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LocusError("chr20:1-5 holds only N: choose another"), "chr20:1-5 holds only N: choose another"),
        (
            ZeroDivisionError("division by zero"),
            "count failed during 'counting': ZeroDivisionError: division by",
        ),
        (SystemExit(3), "count failed during 'counting': SystemExit: 3"),
        (MemoryError(), "memory ran out during count (counting): choose a shorter locus"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory ran out during count"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), "memory ran out during count"),
    ],
)
def test_failing_job_says_why_and_takes_nobody_down(service, counting, error, words, caplog):
    counting.errors[1] = error
    job = service.submit("count", stop=3)
    assert job.wait(60)
    assert job.state == "failed" and job.error.startswith(words)
    assert numbers(job.partials[0]) == [0]
    with pytest.raises(type(job._work.error)):
        job.result()
    assert numbers(service.submit("count", start=5, stop=7).result(60)) == [5, 6]


def test_unexpected_error_leaves_its_traceback_in_the_log_only(service, counting, caplog):
    counting.errors[0] = ZeroDivisionError("division by zero")
    with pytest.raises(JobError) as caught:
        service.submit("count").result(60)
    assert "Traceback" not in str(caught.value)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None


def test_failed_job_is_tried_again_when_asked_again(service, counting):
    counting.errors[1] = ValueError("once")
    with pytest.raises(JobError):
        service.submit("count", stop=3).result(60)
    counting.errors.clear()
    assert numbers(service.submit("count", stop=3).result(60)) == [0, 1, 2]
    assert counting.computed == [0, 1, 2]


def test_finished_chunks_are_not_computed_again_by_a_new_service(make_service, counting):
    make_service().submit("count", stop=4).result(60)
    again = make_service().submit("count", start=2, stop=6)
    assert numbers(again.result(60)) == [2, 3, 4, 5]
    assert counting.computed == [0, 1, 2, 3, 4, 5]


def test_job_goes_on_after_a_restart_where_it_stopped(make_service, counting):
    first = make_service()
    job = first.submit("count", stop=500)
    wait_until(lambda: len(job.partials) >= 3)
    first.close()
    assert job.state == "cancelled"
    done = len(counting.computed)
    assert done < 500
    second = make_service()
    assert second.estimate("count", stop=500).stored == pytest.approx(done / 500)
    assert numbers(second.submit("count", stop=done + 3).result(60)) == list(range(done + 3))
    assert counting.computed == list(range(done + 3))


def test_damaged_chunk_is_computed_again(make_service, counting):
    service = make_service()
    service.submit("count", stop=3).result(60)
    for path in list(service.store.folder.glob("??/*.nc"))[:1]:
        path.write_bytes(path.read_bytes()[:-100])
    assert numbers(make_service().submit("count", stop=3).result(60)) == [0, 1, 2]
    assert len(counting.computed) == 4


def test_what_the_store_holds_does_not_wait_for_the_device(make_service, counting):
    make_service().submit("count", stop=3).result(60)
    service = make_service()
    busy = start_held_up(service, counting, start=100, stop=101)
    assert numbers(service.submit("count", stop=3).result(60)) == [0, 1, 2]
    assert busy.state == "running"


@pytest.mark.parametrize("changed", [{"weights_hash": "b" * 64}, {"fingerprint": "f2"}])
def test_another_model_or_reference_shares_nothing(make_service, counting, changed):
    make_service().submit("count", stop=2).result(60)
    make_service(fake_world(**changed)).submit("count", stop=2).result(60)
    assert counting.computed == [0, 1, 0, 1]


def test_store_that_keeps_nothing_fails_no_job(make_service, tmp_path):
    from phenviz.service import ResultStore

    service = make_service(store=ResultStore(tmp_path / "none", limit=0))
    assert numbers(service.submit("count", stop=3).result(60)) == [0, 1, 2]


def test_job_that_cannot_fit_into_memory_is_refused_before_it_starts(service, counting):
    with pytest.raises(MemoryLimitError, match=r"needs about 1000000.0 GB of memory"):
        service.submit("count", memory=10**15)
    assert counting.batches == 0


def test_estimate_learns_from_finished_runs_and_remembers(make_service, counting, tmp_path):
    service = make_service()
    guessed = service.estimate("count", start=100, stop=110)
    assert guessed.seconds == pytest.approx(0.05 + 10 * 0.001) and guessed.stored == 0
    job = start_held_up(service, counting, stop=2)
    time.sleep(0.3)
    counting.gate.set()
    job.result(60)
    wait_until(lambda: (tmp_path / "costs.json").exists())
    # two chunks took 0.3 s at least
    assert make_service().estimate("count", start=100, stop=110).seconds >= 1.5


def test_estimate_of_what_is_stored_is_nothing(make_service):
    make_service().submit("count", stop=3).result(60)
    estimate = make_service().estimate("count", stop=3)
    assert (estimate.seconds, estimate.stored) == (0, 1)


def test_jobs_are_found_by_id_until_they_are_forgotten(service, monkeypatch):
    monkeypatch.setattr("phenviz.service.service._REMEMBERED_JOBS", 3)
    jobs = [service.submit("count", start=n, stop=n + 1) for n in range(6) if not time.sleep(0.05)]
    for job in jobs:
        job.result(60)
    wait_until(lambda: len(service.jobs) == 3)
    assert service.jobs == tuple(reversed(jobs[-3:]))
    assert service.job(jobs[-1].id) is jobs[-1]
    with pytest.raises(JobError, match="isn't there any more"):
        service.job(jobs[0].id)


def test_results_in_memory_are_bounded(service, monkeypatch):
    monkeypatch.setattr("phenviz.service.service._REMEMBERED_BYTES", 20_000)
    for number in range(6):
        service.submit("count", start=number, stop=number + 1).result(60)
    # a result of the fake takes 8 kB
    wait_until(lambda: len(service.jobs) == 2)


def test_closed_service_cancels_its_jobs_and_takes_no_more(make_service, counting):
    service = make_service()
    running = start_held_up(service, counting, stop=5)
    waiting = service.submit("count", start=10, stop=50)
    threading.Timer(0.1, counting.gate.set).start()
    service.close()
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    with pytest.raises(JobError, match="closed"):
        service.submit("count")


def test_service_without_jobs_starts_no_thread(make_service):
    before = threading.active_count()
    make_service().estimate("count")
    assert threading.active_count() == before


def test_waiting_for_a_job_from_within_a_job_is_refused_instead_of_hanging(make_service):
    counting = Counting("predict")
    service = make_service(kinds=counting.registry)
    counting._compute = lambda number, progress: service._wait("predict", start=7, stop=8)
    with pytest.raises(JobError, match="from within a job"):
        service.submit("predict").result(60)


def test_process_has_one_service_for_a_world_and_a_device(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path))
    world = fake_world()
    service = get_service(world, "cpu")
    assert get_service(world, torch.device("cpu")) is service
    assert get_service(fake_world(), "cpu") is not service
    service.close()
    renewed = get_service(world, "cpu")
    assert renewed is not service
    renewed.close()


def test_a_closed_service_goes_and_its_world_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path))
    gone = weakref.ref(get_service(fake_world(), "cpu"))
    gone().close()
    get_service(fake_world(), "cpu").close()
    gc.collect()
    assert gone() is None


def test_device_that_is_not_there_is_an_error_that_lists_the_devices(tmp_path):
    with pytest.raises(ModelError, match=r"'cuda:7' isn't available here: use auto or .*cpu"):
        ModelService(fake_world(), "cuda:7", store=tmp_path)


def test_many_askers_at_once_all_get_what_they_asked_for(make_service, counting):
    service = make_service(max_queue=10_000)
    wrong = []

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(8):
            start = int(rng.integers(0, 20))
            stop = start + int(rng.integers(1, 6))
            job = service.submit("count", start=start, stop=stop)
            if rng.random() < 0.3:
                job.cancel()
                if not job.wait(60) or job.state not in ("cancelled", "done"):
                    wrong.append(job)
            elif numbers(job.result(60)) != list(range(start, stop)):
                wrong.append(job)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    # no number was computed twice: what one asked for, all shared
    assert len(counting.computed) == len(set(counting.computed))
    wait_until(lambda: not service._active)


def test_a_service_knows_what_it_is_running(service, counting):
    assert not service.is_running("count", stop=3)
    counting.gate.clear()
    job = service.submit("count", stop=3)
    assert service.is_running("count", stop=3)
    assert not service.is_running("count", stop=4)
    counting.gate.set()
    job.result(60)
    assert not service.is_running("count", stop=3)

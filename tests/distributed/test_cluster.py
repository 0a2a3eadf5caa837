"""Two worker processes: what dies, raises or is lost changes nothing in the result."""

from __future__ import annotations

import logging
import threading
import time

import pytest
import xarray as xr

from phenviz.distributed import ShardFolder, open_client, run
from phenviz.distributed.schedulers import check_scheduler
from phenviz.errors import Cancelled, JobError
from phenviz.progress import Progress
from tests.distributed.toys import IDENTITY, PERSON, ToyTask, computed, shards_of

# Dask warns about ports, and about connections that end with a killed worker
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def client():
    with open_client("local:2") as client:
        yield client


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path):
    return ShardFolder(tmp_path / "out.shards", IDENTITY)


def test_a_killed_worker_and_a_raising_shard_change_no_bit(client, notes, folder, tmp_path, caplog):
    shards = shards_of(12)
    wrong = {"shard-003": ("die", 1), "shard-005": ("raise", 2)}
    with caplog.at_level(logging.DEBUG, logger="distributed"):
        done = run(shards, ToyTask(notes, wrong), client, folder=folder)
    assert done.complete and done.computed == 12
    alone = ShardFolder(tmp_path / "alone", IDENTITY)
    (tmp_path / "own").mkdir()
    run(shards, ToyTask(tmp_path / "own"), folder=alone)
    for shard in shards:
        xr.testing.assert_identical(folder.load(shard.name), alone.load(shard.name))
    assert computed(notes, "shard-003") == 2 and computed(notes, "shard-005") == 3
    again = run(shards, ToyTask(notes), client, folder=folder)
    assert (again.computed, again.resumed) == (0, 12)
    assert PERSON not in caplog.text and PERSON not in folder.manifest().to_csv()


def test_each_worker_opens_the_task_once(client, notes, folder):
    run(shards_of(8), ToyTask(notes), client, folder=folder)
    opened = [path.name.rsplit("-", 1)[0] for path in notes.glob("opened-*")]
    assert len(opened) == len(set(opened)) <= 2


def test_what_kills_every_worker_is_set_aside_and_the_rest_goes_on(client, notes, folder):
    done = run(shards_of(4), ToyTask(notes, {"shard-001": ("die", 9)}), client, folder=folder)
    assert done.computed == 3 and computed(notes, "shard-001") == 3
    assert done.reasons() == {"every worker that computed it died: is there enough memory?": 1}


def test_a_full_disk_on_a_worker_ends_the_run_and_the_next_goes_on(client, notes, folder):
    task = ToyTask(notes, {"shard-002": ("full", 1)})
    with pytest.raises(JobError, match="no room is left"):
        run(shards_of(6), task, client, folder=folder)
    assert run(shards_of(6), task, client, folder=folder).complete


def test_a_worker_of_another_version_is_refused(client, notes, folder):
    with pytest.raises(JobError, match="has model b, and the process that gave it work has a"):
        run(shards_of(3), ToyTask(notes, identity={**IDENTITY, "model": "b"}), client, folder=folder)


def test_cancelling_stops_within_the_shards(client, notes, folder):
    task = ToyTask(notes, {name.name: ("wait", 1) for name in shards_of(4)})
    asked = threading.Event()
    threading.Timer(2, asked.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        run(shards_of(4), task, client, folder=folder, progress=Progress(cancel_event=asked))
    # both workers are free at once, not after the minute that the shards would take
    again = run(shards_of(4), ToyTask(notes), client, folder=folder)
    assert again.complete and time.monotonic() - begun < 30


def test_a_lost_scheduler_ends_with_one_message_and_the_next_run_goes_on(notes, folder):
    task = ToyTask(notes, {f"shard-{number:03d}": ("wait", 1) for number in (2, 3)})
    with open_client("local:1") as client:

        def close_in_the_third():
            while not computed(notes, "shard-002"):
                time.sleep(0.1)
            client.cluster.sync(client.cluster.scheduler.close)

        closing = threading.Thread(target=close_in_the_third, daemon=True)
        closing.start()
        with pytest.raises(JobError, match=r"the Dask scheduler .*is gone: start it anew; finished"):
            run(shards_of(4), task, client, folder=folder)
        closing.join()
    done = run(shards_of(4), ToyTask(notes), folder=folder)
    assert done.complete and done.resumed == 2


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    from phenviz.distributed import schedulers

    monkeypatch.setattr(schedulers, "_SECONDS_TO_CONNECT", 0.5)
    with (
        pytest.raises(JobError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"),
        open_client("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("name", ["", "locale", "local:0", "local:x", "localhost:8786", "pbs"])
def test_an_unknown_scheduler_is_refused_with_the_known_ones(name):
    with pytest.raises(JobError, match="choose none, local"):
        check_scheduler(name)


@pytest.mark.parametrize("name", ["none", "local", "local:16", "tcp://a:1", "tls://a:1", "slurm", "cuda"])
def test_known_schedulers_are_taken(name):
    assert check_scheduler(name) == name

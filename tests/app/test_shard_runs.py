"""How far runs of shards are, on the Explore page of a server that was told to show them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from phenviz.app.explore.shard_runs import ShardRuns
from phenviz.distributed import ShardFolder, run
from phenviz.distributed.shard_folder import TOTAL, last_begun
from tests.distributed.toys import IDENTITY, PERSON, ToyTask, shards_of


class FakeSession:
    """Calls what listens to its timer when it is told to."""

    def __init__(self):
        self.listening = []

    def on_tick(self, function):
        self.listening.append(function)

    def tick_until(self, found):
        deadline = time.monotonic() + 20
        while not found() and time.monotonic() < deadline:
            for function in self.listening:
                function()
            time.sleep(0.02)
        assert found()


@pytest.fixture
def background():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def begun(place, tmp_path, wrong=None, own=slice(None), identity=IDENTITY):
    folder = ShardFolder(place, identity)
    folder.prepare()
    folder.settled(TOTAL, 6)
    (tmp_path / "notes").mkdir(exist_ok=True)
    run(shards_of(6)[own], ToyTask(tmp_path / "notes", wrong or {}, identity), folder=folder)
    return folder


@pytest.mark.parametrize("place", ["x.zarr.shards", "memory://bucket/x.zarr.shards"])
def test_it_says_how_many_are_done_and_why_others_are_not(tmp_path, place):
    place = place if "://" in place else tmp_path / place
    assert last_begun(place) is None
    begun(place, tmp_path, {"shard-001": ("raise", 9)}, slice(0, 4))
    state = last_begun(place).state()
    assert (state.name, state.done, state.total, state.set_aside) == ("x.zarr", 3, 6, 1)
    assert state.reasons == ("ValueError: no genotypes of (a person) at 1,000",)
    begun(place, tmp_path)
    assert last_begun(place).state().done == 6


def test_it_is_done_when_all_is_joined(tmp_path):
    folder = begun(tmp_path / "x.zarr.shards", tmp_path)
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "zarr.json").write_text("{}")
    folder.join_into(tmp_path / "x.zarr")
    state = last_begun(tmp_path / "x.zarr.shards").state()
    assert state.joined and (state.done, state.total) == (6, 6)


def test_what_an_older_model_made_does_not_count(tmp_path):
    begun(tmp_path / "x.shards", tmp_path)
    time.sleep(0.02)
    begun(tmp_path / "x.shards", tmp_path, own=slice(0, 2), identity={**IDENTITY, "model": "b"})
    assert last_begun(tmp_path / "x.shards").state().done == 2


def test_the_page_follows_a_run_that_somebody_else_began(tmp_path, background, monkeypatch):
    from phenviz.app.explore import shard_runs

    monkeypatch.setattr(shard_runs, "_SECONDS_BETWEEN_LOOKS", 0.0)
    session = FakeSession()
    places = [str(tmp_path / "x.zarr.shards"), str(tmp_path / "nowhere")]
    view = ShardRuns(session, places, background)
    shown = view.__panel__()
    assert not shown.visible
    session.tick_until(lambda: "nothing was begun yet" in shown.object)
    begun(places[0], tmp_path, {"shard-001": ("raise", 9)}, slice(0, 4))
    session.tick_until(lambda: "x.zarr: 3 of 6 shards; 1 set aside (ValueError" in shown.object)
    assert shown.visible and PERSON not in shown.object and shown.object.count("<p>") == 2


def test_places_that_cannot_be_looked_at_are_told_beside_the_others(tmp_path, background, monkeypatch):
    from phenviz.app.explore import shard_runs
    from phenviz.distributed import shard_folder

    def refused(place):
        if place == "s3://bucket/x":
            raise RuntimeError("no credentials")
        return usual(place)

    usual = shard_folder.last_begun
    monkeypatch.setattr(shard_folder, "last_begun", refused)
    monkeypatch.setattr(shard_runs, "_SECONDS_BETWEEN_LOOKS", 0.0)
    session = FakeSession()
    places = ["no-such-system://x", "s3://bucket/x", str(tmp_path / "nowhere")]
    shown = ShardRuns(session, places, background).__panel__()
    session.tick_until(lambda: "nothing was begun yet" in shown.object)
    first, second, _ = shown.object.split("<p>")[1:]
    assert "no-such-system://x can&#x27;t be opened (Protocol not known" in first
    assert second.startswith("s3://bucket/x: Something went wrong")


def test_a_server_that_shows_none_looks_at_nothing(background):
    session = FakeSession()
    assert not ShardRuns(session, (), background).__panel__().visible and session.listening == []

"""Shards in one process: each once, whatever happens in between."""

from __future__ import annotations

import multiprocessing

import pandas as pd
import pytest
import xarray as xr

from phenviz.distributed import ShardFolder, identity_of, run
from phenviz.distributed.identity import check_same
from phenviz.distributed.shard_worker import without_names
from phenviz.errors import Cancelled, JobError, PhenvizError
from phenviz.progress import Progress
from phenviz.world import open_world
from tests.distributed.toys import IDENTITY, PERSON, ToyTask, computed, shards_of


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path):
    return ShardFolder(tmp_path / "out.shards", IDENTITY)


def test_a_run_computes_each_shard_once_and_a_rerun_none(notes, folder):
    first = run(shards_of(7), ToyTask(notes), folder=folder)
    again = run(shards_of(7), ToyTask(notes), folder=folder)
    assert (first.computed, again.computed, again.resumed) == (7, 0, 7) and again.complete
    assert computed(notes) == 7
    xr.testing.assert_identical(folder.load("shard-003"), folder.load("shard-003"))


def test_the_manifest_is_a_parquet_data_set_with_one_row_per_shard(notes, folder, tmp_path):
    run(shards_of(5), ToyTask(notes, {"shard-002": ("raise", 9)}), folder=folder)
    table = folder.manifest()
    assert table["shard"].tolist() == [f"shard-{number:03d}" for number in range(5)]
    assert table["state"].tolist() == ["done", "done", "failed", "done", "done"]
    assert table["attempts"].tolist() == [1, 1, 3, 1, 1]
    plain = pd.read_parquet(next((tmp_path / "out.shards").glob("*/manifest.parquet")))
    assert len(plain) == 5


def test_what_fails_three_times_is_set_aside_without_names_and_the_rest_goes_on(notes, folder):
    done = run(shards_of(6), ToyTask(notes, {"shard-001": ("raise", 9)}), folder=folder)
    assert done.computed == 5 and not done.complete and computed(notes, "shard-001") == 3
    (reason,) = done.reasons()
    assert reason == "ValueError: no genotypes of (a person) at 1,000"
    assert PERSON not in folder.manifest().to_csv()


def test_what_was_set_aside_is_tried_again_by_the_next_run(notes, folder):
    run(shards_of(3), ToyTask(notes, {"shard-001": ("raise", 3)}), folder=folder)
    done = run(shards_of(3), ToyTask(notes, {"shard-001": ("raise", 3)}), folder=folder)
    assert done.complete and done.computed == 1


def test_what_fails_twice_is_done(notes, folder):
    done = run(shards_of(3), ToyTask(notes, {"shard-001": ("raise", 2)}), folder=folder)
    assert done.complete and done.computed == 3


def test_a_full_disk_ends_the_run_with_one_message_and_the_next_goes_on(notes, folder):
    task = ToyTask(notes, {"shard-002": ("full", 1)})
    with pytest.raises(JobError, match=r"no room is left in .*out.shards on .*: free some; finished"):
        run(shards_of(5), task, folder=folder)
    assert run(shards_of(5), task, folder=folder).computed == 3


def test_a_full_disk_is_told_whoever_meets_it(notes, folder, monkeypatch):
    from phenviz.distributed import shard_folder

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shard_folder, "save", full)
        with pytest.raises(JobError, match="no room is left"):
            run(shards_of(2), ToyTask(notes), folder=folder)
    monkeypatch.setattr(folder._fs, "pipe_file", full)
    with pytest.raises(PhenvizError, match=r"free some room|no room"):
        run(shards_of(2), ToyTask(notes), folder=folder)
    monkeypatch.undo()
    assert run(shards_of(2), ToyTask(notes), folder=folder).complete


def test_an_interrupt_leaves_what_is_finished(notes, folder):
    task = ToyTask(notes, {"shard-002": ("interrupt", 1)})
    with pytest.raises(KeyboardInterrupt):
        run(shards_of(4), task, folder=folder)
    assert run(shards_of(4), task, folder=folder).resumed == 2


def test_another_model_makes_all_anew_and_leaves_the_old(notes, tmp_path):
    for name in ("a", "b"):
        identity = {**IDENTITY, "model": name}
        folder = ShardFolder(tmp_path / "s", identity)
        assert run(shards_of(2), ToyTask(notes, identity=identity), folder=folder).computed == 2
    assert run(shards_of(2), ToyTask(notes), folder=ShardFolder(tmp_path / "s", IDENTITY)).computed == 0


def test_a_worker_with_other_versions_is_refused_by_name(notes, folder):
    with pytest.raises(JobError, match=r"worker .* has model b, and the process that gave it work has a"):
        run(shards_of(2), ToyTask(notes, identity={**IDENTITY, "model": "b"}), folder=folder)
    with pytest.raises(JobError, match=r"numpy none.*\(also torch\)"):
        check_same({}, {"numpy": "2", "torch": "2"}, "w")


def test_processes_that_share_the_shards_make_the_same_as_one(notes, folder, tmp_path):
    shards = shards_of(9)
    for number in range(3):
        run(shards[number::3], ToyTask(notes), folder=ShardFolder(folder.place, IDENTITY))
    other = ShardFolder(tmp_path / "other", IDENTITY)
    run(shards, ToyTask(notes), folder=other)
    assert folder.done() == other.done() == {shard.name for shard in shards}
    for shard in shards:
        xr.testing.assert_identical(folder.load(shard.name), other.load(shard.name))


def test_what_is_settled_first_stays_settled(folder):
    folder.prepare()
    assert [folder.settled("size", value) for value in (4, 9, 1)] == [4, 4, 4]


def _settle(place, value, queue):
    queue.put(ShardFolder(place, IDENTITY).settled("size", value))


def test_processes_that_begin_together_settle_on_one_size(folder):
    folder.prepare()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    started = [context.Process(target=_settle, args=(folder.place, n, queue)) for n in range(4)]
    for process in started:
        process.start()
    assert len({queue.get(timeout=30) for _ in started}) == 1
    for process in started:
        process.join()


def test_shards_may_lie_in_any_file_system_of_fsspec(notes):
    folder = ShardFolder("memory://bucket/run", IDENTITY)
    assert run(shards_of(3), ToyTask(notes), folder=folder).computed == 3
    assert run(shards_of(3), ToyTask(notes), folder=folder).computed == 0
    assert folder.load("shard-002")["sum"].shape == (3, 4)
    assert folder.settled("size", 3) == folder.settled("size", 4) == 3


def test_progress_says_how_many_how_fast_and_what_failed(notes, folder):
    seen = []
    task = ToyTask(notes, {"shard-001": ("raise", 9)})
    run(shards_of(4), task, folder=folder, progress=Progress(lambda *told: seen.append(told)))
    stages, fractions = zip(*seen, strict=True)
    assert stages[-1].startswith("shard 3 of 4, ") and "a minute, 1 set aside (1 x ValueError" in stages[-1]
    assert fractions[-1] == 1.0 and PERSON not in "".join(stages)


def test_cancelling_ends_within_a_shard(notes, folder):
    class Stopping(ToyTask):
        def open(self):
            opened = super().open()
            usual = opened.compute

            def compute(shard, progress):
                if shard.name == "shard-001":
                    raise Cancelled("cancelled")
                return usual(shard, progress)

            opened.compute = compute
            return opened

    with pytest.raises(Cancelled, match="finished shards are kept"):
        run(shards_of(3), Stopping(notes), folder=folder)
    assert folder.done() == {"shard-000"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no phase of 12 at 1,123", "no phase of (a person) at 1,123"),
        ("HG001: HG0011 is fine", "HG001: HG0011 is fine"),
        ("12", "(a person)"),
    ],
)
def test_only_whole_names_are_taken_out(text, expected):
    assert without_names(text, ("12", "G0")) == expected


def test_identity_changes_with_models_inputs_and_options(toy_project, tmp_path):
    world = open_world(toy_project)
    file = tmp_path / "x.tsv"
    file.write_text("a\n")
    first = identity_of(world, [file], window=1)
    assert first == identity_of(world, [file], window=1)
    assert first["options"] != identity_of(world, [file], window=2)["options"]
    file.write_text("b\n")
    assert first["input 1"] != identity_of(world, [file], window=1)["input 1"]
    # a change in the middle counts, however small
    text = "a" * 4_000_000
    file.write_text(text)
    before = identity_of(world, [file])["input 1"]
    file.write_text(text[:2_000_000] + "c" + text[2_000_001:])
    assert identity_of(world, [file])["input 1"] != before
    file.write_text("b\n")
    # where a file lies, and when it was copied, doesn't matter
    (tmp_path / "copy").mkdir()
    copied = tmp_path / "copy" / "x.tsv"
    copied.write_text("b\n")
    assert identity_of(world, [copied])["input 1"] == identity_of(world, [file])["input 1"]

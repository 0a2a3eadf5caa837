"""The result store: found by content, checked at read, bounded in size."""

import errno
import os
import shutil
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from phenviz.errors import DataError, ResultError
from phenviz.genome import Locus
from phenviz.service import ResultStore
from phenviz.service.store import canonical_key, parse_size


def key_of(number):
    return canonical_key({"number": number})


def dataset_of(number, size=20_000):
    # random, so that compression doesn't make sizes depend on the content
    values = np.random.default_rng(number).integers(0, 255, size, dtype=np.uint8)
    return xr.Dataset({"value": ("x", values)}, attrs={"number": number})


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "store", limit=10**6)


def only_file(store):
    (path,) = store.folder.glob("??/*.nc")
    return path


def test_entry_is_read_back_as_it_was(store):
    assert store.put(key_of(1), dataset_of(1))
    xr.testing.assert_identical(store.get(key_of(1)), dataset_of(1))


def test_unknown_key_is_not_there(store):
    assert store.get(key_of(1)) is None
    assert key_of(1) not in store


def test_entries_outlive_the_process(store):
    store.put(key_of(1), dataset_of(1))
    reopened = ResultStore(store.folder, limit=10**6)
    assert key_of(1) in reopened and reopened.size == store.size > 0


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_entry_is_deleted_and_not_trusted(store, damage, caplog):
    store.put(key_of(1), dataset_of(1))
    path = only_file(store)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "truncate": content[: len(content) // 2], "empty": b""}[damage])
    assert store.get(key_of(1)) is None
    assert not path.exists() and store.size == 0
    assert "damaged" in caplog.text


def test_file_that_was_never_a_result_is_not_trusted(store, caplog):
    import hashlib

    text = b"no netCDF at all"
    path = store.folder / key_of(1)[:2] / f"{key_of(1)}.{hashlib.sha256(text).hexdigest()}.nc"
    path.parent.mkdir()
    path.write_bytes(text)
    assert store.get(key_of(1)) is None and not path.exists()


@pytest.mark.parametrize("step", ["_checksum", "load"])
@pytest.mark.parametrize(
    "cause",
    [MemoryError(), OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "Input/output error")],
    ids=["memory", "handles", "disk"],
)
def test_entry_that_cannot_be_read_now_is_kept(store, monkeypatch, caplog, step, cause):
    store.put(key_of(1), dataset_of(1))

    def fail(path):
        # as results.load words whatever happens while it reads
        raise ResultError("damaged or no result file") from cause

    with monkeypatch.context() as patched:
        patched.setattr(f"phenviz.service.store.{step}", fail)
        assert store.get(key_of(1)) is None
    assert "can't be read now" in caplog.text
    xr.testing.assert_identical(store.get(key_of(1)), dataset_of(1))


def test_entry_evicted_while_it_is_read_is_just_missing(store, monkeypatch, caplog):
    from phenviz.results import load

    store.put(key_of(1), dataset_of(1))

    def evict_first(path):
        path.unlink()
        return load(path)

    monkeypatch.setattr("phenviz.service.store.load", evict_first)
    assert store.get(key_of(1)) is None
    assert len(store) == store.size == 0 and not caplog.records


def test_folder_that_was_deleted_is_made_again(store):
    store.put(key_of(1), dataset_of(1))
    shutil.rmtree(store.folder)
    assert store.get(key_of(1)) is None
    assert store.put(key_of(2), dataset_of(2))
    xr.testing.assert_identical(store.get(key_of(2)), dataset_of(2))


def test_least_recently_used_entry_goes_first(tmp_path):
    store = ResultStore(tmp_path, limit=4 * 30_000)
    for number in (1, 2, 3):
        store.put(key_of(number), dataset_of(number))
    size = store.size // 3
    store = ResultStore(tmp_path, limit=int(3.9 * size))
    assert store.get(key_of(1)) is not None
    store.put(key_of(4), dataset_of(4))
    assert [number for number in (1, 2, 3, 4) if key_of(number) in store] == [1, 3, 4]
    assert store.size <= store.limit


def test_size_stays_within_the_limit_whatever_is_put(tmp_path):
    store = ResultStore(tmp_path, limit=200_000)
    for number in range(30):
        store.put(key_of(number), dataset_of(number, size=1_000 * (1 + number % 7)))
        on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*.nc"))
        assert on_disk == store.size <= store.limit


def test_entry_larger_than_the_store_is_not_kept(tmp_path):
    store = ResultStore(tmp_path, limit=5_000)
    assert not store.put(key_of(1), dataset_of(1))
    assert list(tmp_path.rglob("*.nc")) == []


def test_limit_of_zero_keeps_nothing(tmp_path):
    assert not ResultStore(tmp_path, limit=0).put(key_of(1), dataset_of(1))


def test_entry_written_by_another_process_is_found(store):
    other = ResultStore(store.folder, limit=10**6)
    other.put(key_of(1), dataset_of(1))
    xr.testing.assert_identical(store.get(key_of(1)), dataset_of(1))


def test_entry_evicted_by_another_process_is_just_missing(store):
    other = ResultStore(store.folder, limit=10**6)
    store.put(key_of(1), dataset_of(1))
    assert key_of(1) in other
    store.discard(key_of(1))
    assert other.get(key_of(1)) is None and other.size == 0


def test_folder_that_cannot_be_written_to_keeps_nothing_and_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    store = ResultStore(tmp_path / "file" / "store", limit=10**6)
    assert not store.put(key_of(1), dataset_of(1))
    assert store.get(key_of(1)) is None
    assert "can't be kept" in caplog.text


def test_unfinished_files_of_a_crash_are_swept_away_later(store):
    old, new = store.folder / ".part-1-a.nc", store.folder / ".part-1-b.nc"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    ResultStore(store.folder)
    assert not old.exists() and new.exists()


def test_clear_deletes_all_entries(store):
    for number in range(3):
        store.put(key_of(number), dataset_of(number))
    store.clear()
    assert len(store) == store.size == 0 and not list(store.folder.rglob("*.nc"))


def test_many_threads_on_two_stores_of_one_folder_never_read_anything_wrong(tmp_path):
    stores = [ResultStore(tmp_path, limit=150_000) for _ in range(2)]
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 8, 12).tolist():
            store = stores[number % 2] if seed % 2 else stores[0]
            found = store.get(key_of(number))
            if found is None:
                store.put(key_of(number), dataset_of(number))
            elif not found.identical(dataset_of(number)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_key_depends_on_content_and_not_on_order():
    @dataclass(frozen=True)
    class Parameters:
        locus: Locus
        contexts: tuple[str, ...] = ("Ery",)

    parameters = Parameters(Locus("20", 1, 2))
    same = {"contexts": ["Ery"], "locus": {"strand": ".", "end": 2, "start": 1, "contig": "20"}}
    assert canonical_key({"a": 1, "b": parameters}) == canonical_key({"b": same, "a": 1})
    assert canonical_key({"a": 1, "b": parameters}) != canonical_key({"a": 2, "b": parameters})


def test_key_of_an_array_is_that_of_its_numbers():
    array = np.arange(12.0).reshape(3, 4)
    assert canonical_key({"baseline": array}) == canonical_key({"baseline": array.copy()})
    for other in (array.T, array.astype(np.float32), array + 1):
        assert canonical_key({"baseline": array}) != canonical_key({"baseline": other})


def test_what_has_no_content_is_refused_as_key():
    with pytest.raises(TypeError, match="part of a result's key"):
        canonical_key({"a": object()})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5000", 5_000),
        ("500MB", 5 * 10**8),
        ("1.5 gb", 1_500_000_000),
        ("5 GiB", 5 * 2**30),
        ("5GiB", 5 * 2**30),
        ("5 GB", 5 * 10**9),
        ("2k", 2_000),
        ("0", 0),
        ("1e9", 10**9),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["-5", "-5 GB", "lots", "5 XB", "5iB", "nan", "", "1e400"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(DataError, match="no size: write bytes"):
        parse_size(text)


def test_limit_of_the_environment_that_is_no_size_is_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_STORE_LIMIT", "lots")
    with pytest.raises(DataError, match="PHENVIZ_STORE_LIMIT: 'lots'"):
        ResultStore(tmp_path)
    monkeypatch.setenv("PHENVIZ_STORE_LIMIT", "2MB")
    assert ResultStore(tmp_path).limit == 2_000_000

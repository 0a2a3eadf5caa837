"""Results too long for memory: they stay in the store and are read from there, equal to those in memory."""

import gc
import importlib

import numpy as np
import pytest
import xarray as xr

from phenviz.attribution.targets import Target
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.results import load, save
from phenviz.service import ModelService, ResultStore, attribute, result_buffer, runner, standard
from phenviz.world import open_world

CHUNK = 1_024
LOCUS = Locus("20", 19_500, 22_601)
HOW = {"target": Target(context="Mono"), "n_steps": 2}


@pytest.fixture(scope="module")
def world(toy_project):
    return open_world(toy_project)


@pytest.fixture
def make(tmp_path, world, monkeypatch):
    """Make services on one store, which work in small cells."""
    monkeypatch.setattr(standard, "MUTAGENESIS_CHUNK", CHUNK)
    monkeypatch.setattr(attribute, "ATTRIBUTE_CHUNK", CHUNK)
    made = []

    def make(**options):
        options = {"store": tmp_path / "store", "costs": tmp_path / "costs.json"} | options
        made.append(ModelService(world, "cpu", **options))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def stream(monkeypatch):
    monkeypatch.setattr(runner, "_STREAMED_BYTES", 0)


def ask(service, kind):
    how = {"contexts": ["Mono", "Ery"]} if kind == "mutagenesis" else HOW
    return service.submit(kind, locus=LOCUS, **how)


def counting(computed, compute):
    def counted(cell, *args, **how):
        computed.append(cell)
        return compute(cell, *args, **how)

    return counted


HELD = {}


def both(make, monkeypatch, kind):
    # what is compared with, made once for all tests
    if kind not in HELD:
        HELD[kind] = ask(make(), kind).result(60)
    held = HELD[kind]
    monkeypatch.setattr(runner, "_STREAMED_BYTES", 0)
    # another store: it must be able to make the result, not only to find it
    job = ask(make(store=make().store.folder.with_name("other")), kind)
    return held, job.result(60), job


@pytest.mark.parametrize("kind", ["mutagenesis", "attribute"])
def test_streamed_result_is_that_in_memory(make, monkeypatch, kind):
    held, streamed, job = both(make, monkeypatch, kind)
    assert job._work.streamed and job._work.held_bytes == 0
    name = "effect" if kind == "mutagenesis" else "attribution"
    for rows in (slice(None), slice(0, 1), slice(1_000, 1_100), slice(900, 3_000, 7), slice(10, 10)):
        cut, expected = streamed.isel(position=rows), held.isel(position=rows)
        np.testing.assert_array_equal(cut[name].values, expected[name].values)
        np.testing.assert_array_equal(cut["reference"].values, expected["reference"].values)
        np.testing.assert_array_equal(cut["position"].values, expected["position"].values)
    assert streamed.attrs == held.attrs


def test_single_bases_alleles_and_contexts_are_picked_by_name(make, monkeypatch):
    held, streamed, _ = both(make, monkeypatch, "mutagenesis")
    for picked in (
        {"context": "Ery"},
        {"position": 21_504},
        {"position": slice(21_000, 21_100), "allele": "T"},
    ):
        xr.testing.assert_equal(streamed.sel(picked).load(), held.sel(picked))


def test_looking_at_a_few_bases_reads_one_chunk(make, stream, monkeypatch):
    streamed = ask(make(), "mutagenesis").result(60)
    read = []
    plain = ResultStore.get
    monkeypatch.setattr(ResultStore, "get", lambda self, key: read.append(key) or plain(self, key))
    streamed.isel(position=slice(1_100, 1_110)).load()
    assert len(read) == 1


@pytest.mark.parametrize("kind", ["mutagenesis", "attribute"])
def test_cancelled_job_shows_what_is_final_and_the_next_service_goes_on(make, stream, monkeypatch, kind):
    computed = []
    for module, name in (("mutagenesis", "mutagenesis"), ("gradients", "integrated_gradients")):
        # the package has a function of the module's name
        module = importlib.import_module(f"phenviz.attribution.{module}")

        monkeypatch.setattr(module, name, counting(computed, getattr(module, name)))
    first = make()
    job = ask(first, kind)
    job._tell = lambda at_once=False: job.cancel() if len(job._work.buffer.tiles) == 2 else None
    assert job.wait(60) and job.state == "cancelled"
    partial = job.partial_result()
    assert partial.attrs["complete"] == 0 and LOCUS.start < partial.attrs["end"] < LOCUS.end
    first.close()
    finished = len(computed)
    second = make()
    assert 0 < second.estimate(kind, locus=LOCUS, **({} if kind == "mutagenesis" else HOW)).stored < 1
    whole = ask(second, kind).result(60)
    # what was finished wasn't computed again; the chunk that was broken off was
    assert len(set(computed)) == 4 and len(computed) <= 5 and finished >= 2
    name = "effect" if kind == "mutagenesis" else "attribution"
    kept = slice(0, partial.sizes["position"])
    np.testing.assert_array_equal(partial[name].values, whole[name][kept].values)


def test_chunks_of_a_living_result_are_not_evicted(make, stream, tmp_path, world):
    store = ResultStore(tmp_path / "small", limit=150_000)
    result = ask(make(store=store), "mutagenesis").result(60)
    assert store.size > store.limit
    expected = result["effect"].values
    service = make(store=store)
    for start in range(30_000, 34_000, CHUNK):
        service.mutagenesis(Locus("20", start, start + 100))
    np.testing.assert_array_equal(result["effect"].values, expected)


def test_store_forgets_a_hold_that_nobody_has(tmp_path):
    store = ResultStore(tmp_path, limit=50_000)
    values = np.random.default_rng(0).integers(0, 255, 20_000, dtype=np.uint8)
    hold = store.hold(f"{n:064d}" for n in range(5))
    for number in range(5):
        store.put(f"{number:064d}", xr.Dataset({"value": ("x", values)}))
    assert len(store) == 5
    del hold
    gc.collect()
    store.put(f"{9:064d}", xr.Dataset({"value": ("x", values)}))
    assert store.size <= store.limit


def test_chunk_that_was_deleted_is_an_error_in_words(make, stream):
    service = make()
    result = ask(service, "mutagenesis").result(60)
    service.store.clear()
    with pytest.raises(ResultError, match="isn't in the store any more"):
        result.isel(position=slice(0, 10)).load()
    again = ask(service, "mutagenesis").result(60)
    assert np.isfinite(again["effect"].isel(position=slice(0, 10)).values).all()


def test_store_that_keeps_nothing_refuses_what_is_too_long_for_memory(make, stream, tmp_path):
    with pytest.raises(ResultError, match="PHENVIZ_STORE_LIMIT"):
        ask(make(store=ResultStore(tmp_path / "none", limit=0)), "mutagenesis")


def test_disk_that_is_too_small_refuses_before_anything_is_computed(make, stream, monkeypatch):
    class Usage:
        free = 1_000

    monkeypatch.setattr(runner.shutil, "disk_usage", lambda folder: Usage)
    with pytest.raises(ResultError, match="GB of disk"):
        ask(make(), "mutagenesis")


def test_memory_of_a_streamed_job_does_not_grow_with_the_locus(make, world):
    service = make()
    asked = [service.estimate("mutagenesis", locus=Locus("20", 300, end)).bytes for end in (10_000, 20_000)]
    assert asked[0] < asked[1] < runner._STREAMED_BYTES


@pytest.mark.parametrize("kind", ["mutagenesis", "attribute"])
@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_streamed_result_is_saved_as_the_one_in_memory(make, monkeypatch, tmp_path, kind, suffix):
    held, streamed, _ = both(make, monkeypatch, kind)
    monkeypatch.setattr("phenviz.results.long_results.TILE_BYTES", 40_000)
    monkeypatch.setattr(result_buffer, "_CACHED_BYTES", 1)
    save(streamed, tmp_path / f"out{suffix}")
    found = load(tmp_path / f"out{suffix}")
    xr.testing.assert_identical(found, held.drop_encoding())

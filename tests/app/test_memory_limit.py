"""What a server holds after weeks: many contigs, many sessions, long results, under one limit."""

from __future__ import annotations

import gc
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from phenviz.app.explore import activity as activity_module
from phenviz.app.explore.activity import ActivityMap
from phenviz.data.cache import MemoryLimit
from phenviz.genome import Locus
from phenviz.service import session_store
from phenviz.service.session_store import SessionStore

CONTIGS = {str(number): 4_000_000 for number in range(1, 41)}


@pytest.fixture
def memory(monkeypatch):
    shared = MemoryLimit(20_000_000)
    monkeypatch.setattr(activity_module, "MEMORY", shared)
    monkeypatch.setattr(session_store, "MEMORY", shared)
    return shared


@pytest.fixture
def activity(memory):
    class Service:
        def submit(self, kind, *, locus, **_):
            return SimpleNamespace(
                kind=kind, state="running", subscribe=lambda watch: None, cancel=lambda: None, partials=()
            )

    ready: Future = Future()
    ready.set_result(Service())
    reference = SimpleNamespace(
        contigs=CONTIGS, fetch_codes=lambda contig, start, end: np.zeros(end - start, dtype=np.uint8)
    )
    backbone = SimpleNamespace(bin_size=128)
    return ActivityMap(SimpleNamespace(reference=reference, backbone=backbone, contexts=range(8)), ready)


def fill(activity: ActivityMap, contig: str) -> None:
    n_bins = -(-CONTIGS[contig] // 128)
    activity._write(contig, tuple(range(8)), 0, np.ones((8, n_bins), dtype=np.float32))


def test_contigs_that_nobody_looks_at_any_more_make_room(activity, memory):
    for contig in CONTIGS:
        activity.want("me", Locus(contig, 0, 4_000_000))
        fill(activity, contig)
        assert activity.covered("me") == 1
        gc.collect()
        assert memory.held <= memory.limit
        assert sum(one.nbytes for one in activity._pyramids.values()) <= memory.limit
    assert 1 < len(activity._pyramids) < len(CONTIGS)
    # who comes back sees that it has to be asked for again
    activity.want("me", Locus("1", 0, 4_000_000))
    assert activity.covered("me") == 0


def test_what_a_tab_draws_is_the_same_pyramid_however_many_others_are_looked_at(activity):
    drawn = activity.pyramid("1")
    fill(activity, "1")
    for contig in CONTIGS:
        fill(activity, contig)
    assert activity.pyramid("1") is drawn
    activity.want("me", Locus("1", 0, 4_000_000))
    assert activity.covered("me") == 1


def test_many_sessions_together_keep_the_limit(memory):
    sessions = [SessionStore() for _ in range(60)]
    for round_number in range(4):
        for session in sessions:
            session.put(f"{round_number}", xr.Dataset({"activity": ("bin", np.zeros(100_000))}))
            assert memory.held <= memory.limit
    # what was found last is there, and a session that ends takes its own along
    assert "3" in sessions[-1] and "0" not in sessions[0]
    before = memory.held
    sessions[-1].clear()
    assert memory.held < before

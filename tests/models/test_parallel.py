from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from phenviz.attribution import Target, integrated_gradients, mutagenesis
from phenviz.errors import Cancelled
from phenviz.genome import Locus
from phenviz.models import parallel
from phenviz.models.parallel import SharedProgress, over_tiles, tile_size
from phenviz.models.predict import predict
from phenviz.progress import Progress
from phenviz.results import merge_tiles
from tests.toys import cancelled_after

CPU = torch.device("cpu")
LOCUS = Locus("20", 17_003, 23_001)


@pytest.fixture
def three_workers(monkeypatch):
    monkeypatch.setattr(parallel, "cpu_workers", lambda: 3)


VERBS = {
    "prediction": lambda world, **how: predict(LOCUS, world.reference, world.backbone, **how).activity,
    "mutagenesis": lambda world, **how: mutagenesis(LOCUS, world.reference, world.backbone, **how).effect,
    "gradients": lambda world, **how: (
        integrated_gradients(
            LOCUS, world.reference, world.backbone, target=Target(context="B"), n_steps=4, **how
        ).attribution
    ),
    "shuffled baseline": lambda world, **how: (
        integrated_gradients(
            LOCUS, world.reference, world.backbone, target=Target(context="B"), n_steps=4,
            baseline="dinucleotide", **how,
        ).attribution
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_tiles_side_by_side_give_the_result_of_one_after_the_other(toy_world, monkeypatch, verb):
    results = []
    for workers in (1, 3):
        monkeypatch.setattr(parallel, "cpu_workers", lambda workers=workers: workers)
        results.append(verb(toy_world).values)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["prediction", "mutagenesis"])
def test_partial_results_come_in_order_from_tiles_side_by_side(toy_world, three_workers, kind):
    parts, fractions = [], []
    progress = Progress(on_partial=parts.append, on_change=lambda stage, fraction: fractions.append(fraction))
    whole = VERBS[kind](toy_world, progress=progress)
    assert len(parts) > 1
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    np.testing.assert_array_equal(merge_tiles(parts)[whole.name].values, whole.values)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_cancel_stops_all_tiles(toy_world, three_workers, verb):
    progress, seen = cancelled_after(2)

    with pytest.raises(Cancelled):
        verb(toy_world, progress=progress)
    assert len(seen) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("phenviz-tile")]


def test_few_tiles_are_taken_ahead(three_workers):
    taken = []

    def tiles():
        for tile in range(100):
            taken.append(tile)
            yield tile

    results = over_tiles(tiles(), lambda tile: tile, CPU)
    assert [next(results), next(results)] == [0, 1]
    assert len(taken) <= 6
    results.close()


def test_an_error_in_a_tile_reaches_the_caller(three_workers):
    def fail(tile):
        raise ValueError(f"tile {tile}")

    with pytest.raises(ValueError, match="tile 0"):
        list(over_tiles(range(50), fail, CPU))


def test_the_callers_number_of_threads_stays(three_workers):
    before = torch.get_num_threads()
    inside = list(over_tiles(range(5), lambda tile: torch.get_num_threads(), CPU))
    assert inside == [1] * 5
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("total", "size"), [(1_000, 128), (150, 50), (10, 32)])
def test_every_worker_gets_a_tile_unless_tiles_get_too_short(three_workers, total, size):
    assert tile_size(total, 128, 32, CPU) == size


def test_nothing_is_reported_after_a_cancel():
    cancel, seen = threading.Event(), []
    shared = SharedProgress(
        Progress(on_change=lambda stage, fraction: seen.append(stage), cancel_event=cancel)
    )
    shared.stage("tiles", 4)
    shared.advance()
    cancel.set()
    with pytest.raises(Cancelled):
        shared.advance()
    assert len(seen) == 2

"""The activity that all tabs share: predicted where somebody looks, by one thread that nothing stops."""

from __future__ import annotations

import time
from concurrent.futures import Future

import numpy as np

from phenviz.app.activity import ActivityMap
from phenviz.genome import Locus
from phenviz.world import open_world
from tests.app.explore import SITE
from tests.toys import GAP


def test_the_view_is_predicted_tile_by_tile_as_in_one_window(runtime):
    activity = runtime.activity
    length = runtime.world.reference.contigs["20"]
    activity.want("me", Locus("20", 0, length))
    for _ in range(600):
        if activity.covered("me") == 1:
            break
        time.sleep(0.05)
    whole = runtime.service.predict(Locus("20", 0, length))["activity"].to_numpy()
    _, mean, _ = activity.pyramid("20").read(0, whole.shape[1], whole.shape[1])
    inside = slice(GAP[0] // 128 + 40, None)
    np.testing.assert_allclose(mean[:, inside], whole[:, inside], rtol=1e-4, atol=1e-5)
    activity.forget("me")


def test_a_view_that_cannot_be_predicted_leaves_the_thread_to_the_others(runtime, caplog):
    activity = runtime.activity

    def wait_until(answered) -> None:
        for _ in range(600):
            if answered():
                return
            time.sleep(0.05)
        raise AssertionError("not answered")

    activity.want("them", Locus("7", 0, 1_000))
    wait_until(lambda: "them" not in activity._wishes)
    assert "chr7:1-1,000 can't be predicted" in caplog.text
    activity.want("me", Locus("21", 0, 9_000))
    wait_until(lambda: activity.covered("me") == 1)
    activity.forget("me")


def test_a_model_that_cannot_be_loaded_is_told_and_does_not_stop_the_page(toy_project):
    world = open_world(toy_project)
    failed: Future = Future()
    failed.set_exception(RuntimeError("no weights"))
    activity = ActivityMap(world, failed)
    activity.want("me", SITE)
    assert activity.pyramid("20") is None
    assert activity.covered("me") == 0

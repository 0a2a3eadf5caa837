"""What all sessions share: nothing of it outlives the server."""

from __future__ import annotations

import os
import time

from phenviz.app.shell.runtime import Runtime
from phenviz.attribution.precompile_motif_search import search_an_example
from phenviz.world import open_world


def test_what_warms_up_is_out_of_reach_of_ctrl_c_and_ends_with_the_runtime(toy_project):
    search_an_example.cache_clear()
    runtime = Runtime(open_world(toy_project), "cpu").start()
    deadline = time.monotonic() + 60
    while runtime._warming is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.getpgid(runtime._warming.pid) != os.getpgid(0)
    runtime.stop()
    assert runtime._warming.wait(20) != 0


def test_a_process_that_has_searched_for_motifs_is_not_warmed_up_again(toy_project):
    runtime = Runtime(open_world(toy_project), "cpu")
    search_an_example(runtime.world.project.motifs)
    runtime._warm_motifs()
    assert runtime._warming is None
    runtime.stop()

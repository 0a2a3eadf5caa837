from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# before torch starts its threads: tests run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")
# what hypothesis notes down names files of this machine: it has no place in the clone
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "phenviz-hypothesis"))

# the same examples in every run, so that a change is what a failure comes from; others are drawn with
# `pytest --hypothesis-profile default`
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


# what takes longest comes first, so that no worker is left with it at the end
_FIRST = ("tests/ui/", "tests/notebooks/")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in _FIRST])


class OneDashboard(LoadFileScheduling):
    """Gives all tests that open the dashboard to one worker, as each would start its own; others go by file.

    xdist's groups do nothing under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/ui/"):
            return "tests/ui"
        return nodeid if nodeid.startswith("tests/notebooks/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return OneDashboard(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """Keep what the tests cache away from the user's own cache."""
    if "PHENVIZ_CACHE" not in os.environ:
        os.environ["PHENVIZ_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def toy_world(tmp_path_factory):
    from tests.toys import toy_world as build

    return build(tmp_path_factory.mktemp("toy_world"))


@pytest.fixture(scope="session")
def toy_project(tmp_path_factory) -> Path:
    from tests.toys import toy_project as build

    return build(tmp_path_factory.mktemp("toy_project"))

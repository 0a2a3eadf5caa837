from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# before torch starts its threads: tests run side by side
os.environ.setdefault("OMP_NUM_THREADS", "1")
# what hypothesis notes down names files of this machine: it has no place in the clone
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "phenviz-hypothesis"))

# the same examples in every run, so that a change is what a failure comes from; others are drawn with
# `pytest --hypothesis-profile default`
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


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

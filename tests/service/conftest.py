from __future__ import annotations

import threading

import pytest

from phenviz.service import ModelService
from tests.service.fakes import Counting, fake_world


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def make_service(tmp_path, counting):
    """Make services on one store; all are closed at the end, and no thread is left."""
    made = []
    # tests of other rooms in the same process may keep a service of their own open
    before = set(threading.enumerate())

    def make(world=None, **options):
        options = {
            "kinds": counting.registry,
            "store": tmp_path / "store",
            "costs": tmp_path / "costs.json",
        } | options
        made.append(ModelService(world or fake_world(), "cpu", **options))
        return made[-1]

    yield make
    counting.gate.set()
    for service in made:
        service.close()
    left = set(threading.enumerate()) - before
    assert not [thread.name for thread in left if thread.name in ("phenviz-cpu", "phenviz-store")]


@pytest.fixture
def service(make_service):
    return make_service()

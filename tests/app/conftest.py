from __future__ import annotations

import pytest

from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.runtime import Runtime
from phenviz.world import open_world


@pytest.fixture(scope="module")
def runtime(toy_project):
    runtime = Runtime(open_world(toy_project), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = ExplorePage(runtime)
    yield page
    page.session.close()

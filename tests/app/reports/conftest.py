"""A small world with a gene readout and four people, and the service that reports ask."""

from __future__ import annotations

import pytest

from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import people_project
from tests.toys import draw_few


@pytest.fixture(scope="module", autouse=True)
def small_background():
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 400, 60)
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return people_project(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def service(project, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    with ModelService(open_world(project), "cpu", store=store / "results", costs=store / "costs") as service:
        yield service


@pytest.fixture(scope="module")
def world(service):
    return service.world

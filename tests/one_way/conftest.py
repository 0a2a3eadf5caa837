from __future__ import annotations

import pytest

from phenviz.app.shell.runtime import Runtime
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.one_way.ways import write_person
from tests.risk_toys import risk_project
from tests.toys import draw_few


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 400, 60)
        yield


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    project = risk_project(folder)
    write_people(folder / "people.vcf", open_world(project).reference, 3, count=60)
    project.write_text(project.read_text() + "individuals: [people.vcf]\n")
    return project


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def runtime(project, tmp_path):
    write_person(project, tmp_path / "world")
    runtime = Runtime(open_world(project), "cpu", tmp_path / "world").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()
    runtime.service.close()

"""The Individual page on the toy world with people in a VCF."""

from __future__ import annotations

import pytest

from phenviz.app.individual.page import IndividualPage
from phenviz.app.shell.runtime import Runtime
from phenviz.world import open_world
from tests.app.individual.person import VIEW, settle
from tests.app.waiting import first_people
from tests.effects.toys import write_people


@pytest.fixture(scope="module")
def runtime(toy_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    world = open_world(toy_project)
    write_people(folder / "family.vcf", world.reference, 4, count=60)
    runtime = Runtime(world, "cpu", folder).warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = IndividualPage(runtime)
    first_people(page)
    page.state.param.update(locus=VIEW, settled=VIEW)
    page.choice.hear({"source": "file:family.vcf"})
    settle(page)
    yield page
    page.session.close()

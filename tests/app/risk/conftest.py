"""The Risk page on the toy world with a made-up risk model and people in a VCF."""

from __future__ import annotations

import pytest

from phenviz.app.risk.page import RiskPage
from phenviz.app.shell.runtime import Runtime
from phenviz.world import open_world
from tests.app.waiting import first_people, wait
from tests.effects.toys import write_people
from tests.risk_toys import risk_project


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    world = open_world(risk_project(tmp_path_factory.mktemp("risk_page")))
    write_people(folder / "family.vcf", world.reference, 4, count=60)
    runtime = Runtime(world, "cpu", folder).start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = RiskPage(runtime)
    first_people(page)
    page.choice.hear({"source": "file:family.vcf"})
    settle(page)
    yield page
    page.session.close()


def settle(page) -> None:
    """Let the background finish, and the page look at it."""
    over = ("done", "failed", "cancelled", "waiting", "no model")
    wait(page, lambda: page.run.status in over)

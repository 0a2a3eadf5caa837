"""A trait's logit as the target of the Explore page."""

from __future__ import annotations

import pytest

from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import JobError
from phenviz.genome import Locus
from phenviz.service.explained import explain, request_at
from phenviz.world import open_world
from tests.app.explore import finish
from tests.service.test_trait import project_with

PLACE = Locus("20", 5_000, 6_000)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    runtime = (
        Runtime(open_world(project_with(tmp_path_factory.mktemp("explore_trait"))), "cpu").warm().start()
    )
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = ExplorePage(runtime)
    page.state.param.update(locus=PLACE, settled=PLACE)
    yield page
    page.session.close()


def test_a_trait_is_explained_by_the_bases_in_view(page):
    page.run_panel._target.value = "trait"
    assert (page.state.trait, page.state.method) == ("MCV", "integrated-gradients")
    page.state.method = "saliency"
    request = page.run_panel.request()
    assert request == explain("saliency", PLACE, (), trait="MCV")
    finish(page, page.runs.start(request))
    assert page.runs.dataset.attrs["target"] == "MCV"
    assert "attribution" not in page.tracks._hidden()
    assert page.runs.current.job.request.trait == "MCV"


def test_the_address_holds_the_trait_and_its_run(page):
    page.state.param.update(target="trait", trait="PLT_COUNT", method="integrated-gradients", steps="16")
    query = page.state.query(page.runtime.world.contexts)
    there, problems = page._read(query)
    assert problems == [] and (there.target, there.trait, there.steps) == ("trait", "PLT_COUNT", "16")
    request = page.run_panel.request()
    assert request_at(request.address) == request and request.n_steps == 16


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"trait": "NONE"}, "no trait 'NONE'"),
        ({"method": "mutagenesis"}, "changing single bases"),
        ({"steps": "auto"}, "fixed number of steps"),
        ({"baseline": "10-shuffles"}, "baseline of no bases"),
    ],
)
def test_what_is_not_possible_for_a_trait_is_said(page, how, says):
    page.state.param.update(target="trait", trait="MCV", method="integrated-gradients")
    page.state.param.update(**how)
    with pytest.raises(JobError, match=says):
        page.run_panel.request()

from __future__ import annotations

import pytest

from phenviz.world import open_world
from tests.disease.worlds import small_world
from tests.toys import draw_few


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return small_world(tmp_path_factory.mktemp("disease"))


@pytest.fixture(scope="session")
def grch37():
    """Reference of the embedded world, which the cases lie on."""
    return open_world().reference


@pytest.fixture(scope="module", autouse=True)
def small_background():
    """Draw a background that suits a contig of 400 kb."""
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 1_500, 300)
        yield

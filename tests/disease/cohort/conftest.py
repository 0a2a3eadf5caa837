from __future__ import annotations

import pytest

from phenviz.world import open_world
from tests.disease.cohort import toys


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    return toys.cohort_project(tmp_path_factory.mktemp("cohort-world"))


@pytest.fixture(scope="session")
def world(project):
    return open_world(project)


@pytest.fixture(scope="session")
def additive(tmp_path_factory, project):
    """A simulated cohort with tokens; nobody changes it."""
    folder = toys.simulate(tmp_path_factory.mktemp("additive") / "cohort", project)
    toys.run("embed", folder, "--world", project, "--window", toys.WINDOW, "--device", "cpu")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory, project, additive):
    """What was learnt from it."""
    model = tmp_path_factory.mktemp("model") / "model"
    toys.run("train", additive, "-o", model, "--epochs", 3, "--world", project, "--device", "cpu")
    return model

"""The job ``risk``: a person's scores are those of the cohort's own path, and their parts add up."""

import numpy as np
import pytest

from phenviz.disease.cohort.reference_people import METHODS
from phenviz.disease.cohort.saved import load_risk_model
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.disease.cohort import toys


@pytest.fixture(scope="session")
def judged(tmp_path_factory, project, additive, trained):
    """The trained model with its reference people, and the report that they come from."""
    report = tmp_path_factory.mktemp("judged") / "report"
    words = ["--model", trained, "-o", report, "--resamples", 5, "--keep", "--world", project]
    toys.run("evaluate", additive, *words, "--device", "cpu")
    return report


@pytest.fixture(scope="session")
def risk_project(project, additive, trained, judged):
    """The toy world with the risk model, and the cohort's people as its individuals."""
    path = project.parent / "risk.yaml"
    path.write_text(project.read_text() + f"risk: {trained}\nindividuals: [{additive / 'genotypes.vcz'}]\n")
    return path


@pytest.fixture(scope="session")
def service(risk_project):
    with ModelService(open_world(risk_project), "cpu") as service:
        yield service


def test_scores_are_those_of_the_evaluation_at_average_covariates(service, trained):
    reference = load_risk_model(trained).reference
    people = reference.scores["sample"].tolist()
    found = service.risk(people[:12])
    wanted = reference.scores.set_index("sample").loc[people[:12], list(METHODS)]
    np.testing.assert_allclose(found["score"].sel(trait="T"), wanted, atol=5e-3)
    # among themselves everybody lies where the ranks say
    place = found["percentile"].sel({"trait": "T", "method": "prs", "against": "all"})
    scores = reference.scores["prs"].round(4)
    ranks = [100 * ((scores < one).mean() + (scores == one).mean() / 2) for one in scores[:12]]
    np.testing.assert_allclose(place, ranks, atol=1e-3)

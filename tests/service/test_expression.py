from __future__ import annotations

import numpy as np
import pytest

from phenviz.effects import predict_expression
from phenviz.errors import DataError, LocusError, ModelError, TargetError
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import SAMPLES, people_project
from tests.toys import toy_project


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return open_world(people_project(tmp_path_factory.mktemp("world")))


@pytest.fixture
def service(world, tmp_path):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as made:
        yield made


def direct(world, samples, genes, **how):
    parts = world.annotation, world.reference, world.backbone, world.readout
    return predict_expression(world.individuals, genes, *parts, samples=samples, **how)


def test_genes_are_chunks_that_join_to_what_is_predicted_at_once(world, service):
    genes = ["GAMMA1", "alpha", "DELTA", "ALPHA"]
    found = service.expression(genes, ["bob", "ann"], contexts=["B", "Ery"])
    expected = direct(world, ["bob", "ann"], genes, contexts=["Ery", "B"])
    assert found["gene"].values.tolist() == ["GAMMA1", "ALPHA", "DELTA"]
    assert found["individual"].values.tolist() == ["bob", "ann"]
    np.testing.assert_allclose(found["expression"], expected["expression"], rtol=1e-6)
    np.testing.assert_array_equal(found["variants"], expected["variants"])
    assert found.attrs == expected.attrs
    for name in expected.coords:
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_gene_that_was_predicted_is_never_computed_again(service, monkeypatch):
    service.expression(["ALPHA", "BETA"], "cem")
    assert service.estimate("expression", genes="BETA", samples="cem", contexts=["B"]).stored == 1.0
    assert service.estimate("expression", genes="BETA", samples="dee").stored == 0.0
    monkeypatch.setattr("phenviz.effects.predict_expression", None)
    again = service.expression("BETA", "cem", contexts=["B"])
    assert again["expression"].shape == (1, 3, 1, 1) and again.attrs["sample"] == "cem"


def test_without_names_everybody_is_predicted(world, service):
    found = service.expression("ALPHA", individuals=world.project.individuals[0])
    assert found["individual"].values.tolist() == list(SAMPLES)
    np.testing.assert_allclose(found["expression"], direct(world, None, "ALPHA")["expression"], rtol=1e-6)


def test_what_cannot_be_expressed_is_refused_before_the_job(world, service, tmp_path):
    with pytest.raises(LocusError, match="no gene"):
        service.submit("expression", genes=["ALPHA", "NOBODY"], samples="ann")
    with pytest.raises(DataError, match="no gene"):
        service.submit("expression", genes=[], samples="ann")
    with pytest.raises(DataError, match="no sample 'eve'"):
        service.submit("expression", genes="ALPHA", samples="eve")
    with pytest.raises(DataError, match="no individual"):
        service.submit("expression", genes="ALPHA", samples=[])
    with pytest.raises(DataError, match="choose one of"):
        service.submit("expression", genes="ALPHA", samples="ann", unphased="guess")
    with pytest.raises(TargetError, match="no expression in 'liver'"):
        service.submit("expression", genes="ALPHA", samples="ann", contexts=["liver"])
    bare = open_world(toy_project(tmp_path))
    with (
        ModelService(bare, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as other,
        pytest.raises(ModelError, match="needs a gene readout"),
    ):
        other.submit("expression", genes="ALPHA", samples="ann")

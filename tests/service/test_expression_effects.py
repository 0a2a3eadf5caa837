from __future__ import annotations

import numpy as np
import pytest

from phenviz.effects import score_expression
from phenviz.errors import LocusError, ModelError, TargetError
from phenviz.service import ModelService
from phenviz.variation import read_variants
from phenviz.world import open_world
from tests.effects.toys import people_project
from tests.toys import toy_project


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return open_world(people_project(tmp_path_factory.mktemp("world")))


@pytest.fixture
def service(world, tmp_path):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as made:
        yield made


def test_chunks_join_to_what_is_scored_at_once_in_the_order_of_the_table(world, service, monkeypatch):
    monkeypatch.setattr("phenviz.service.expression_effects.CHUNK", 7)
    table = read_variants(world.project.individuals[0], world.reference).table
    table = table.sample(frac=1, random_state=1).reset_index(drop=True)
    # one that can't be scored is counted
    table.loc[3, "ref"] = "A" if table.loc[3, "ref"][0] != "A" else "C"
    models = (world.annotation, world.reference, world.backbone, world.readout)
    found, slow = service.expression_effects(table, contexts=["B", "Ery"]), score_expression(table, *models)
    slow = slow.sel(context=found["context"].values)
    assert found["context"].values.tolist() == ["Ery", "B"]
    for name in ("row", "gene", "position", "ref", "alt", "distance", "tss"):
        np.testing.assert_array_equal(found[name].values, slow[name].values)
    np.testing.assert_allclose(found["expression_effect"], slow["expression_effect"], rtol=1e-4, atol=1e-6)
    for name in ("skipped", "contig", "start", "end", "units", "definition", "readout"):
        assert found.attrs[name] == slow.attrs[name], name


def test_genes_can_be_chosen_and_wrong_ones_are_refused(world, service):
    table = read_variants(world.project.individuals[0], world.reference).table
    found = service.expression_effects(table, genes="beta")
    assert set(found["gene"].values.tolist()) == {"BETA"}
    with pytest.raises(LocusError, match="no gene"):
        service.submit("expression_effects", variants=table, genes=["NOBODY"])
    with pytest.raises(TargetError, match="no expression in 'liver'"):
        service.submit("expression_effects", variants=table, contexts="liver")


def test_variants_of_people_are_private_and_a_world_without_readout_says_so(world, service, tmp_path):
    job = service.submit("expression_effects", variants=world.project.individuals[0])
    assert job.private
    job.result()
    bare = open_world(toy_project(tmp_path))
    with (
        ModelService(bare, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as other,
        pytest.raises(ModelError, match="need a gene readout"),
    ):
        other.submit("expression_effects", variants="20:6000:A:C")

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from phenviz.attribution import mutagenesis
from phenviz.data.project import read_project
from phenviz.effects import score_expression
from phenviz.errors import ModelError, ProjectError, TargetError
from phenviz.genome import Context, Locus
from phenviz.models.expression import predict_expression
from phenviz.models.joint_readout import JointReadout
from phenviz.models.phenformer_checkpoint import load_phenformer, save_phenformer
from phenviz.models.readout import GeneReadout, save_readout
from phenviz.service import ModelService
from phenviz.world import World, open_world
from tests.attribution.oracles import toy_readout
from tests.phenformer_toys import toy_phenformer

TISSUES = (
    Context("cerebral_cortex", "cerebral cortex", "UBERON:0000956", "brain", "#157ec0"),
    Context("liver", "liver", "UBERON:0002107", "digestion", "#8c4a2f"),
)


def tissue_readout(reach: int = 3_072) -> GeneReadout:
    torch.manual_seed(5)
    readout = GeneReadout(8, TISSUES, reach=reach, heads=3, values=2, name="tissues")
    with torch.no_grad():
        readout.value.weight.mul_(3)
        readout.output.weight.mul_(3)
    readout.units = "ln(1 + normalised expression)"
    return readout.eval()


def base_at(world, position: int) -> str:
    return world.reference.sequence(Locus("20", position - 1, position)).upper()


def model_parts(world):
    return world.annotation, world.reference, world.backbone


@pytest.mark.parametrize("reach", [3_072, 1_024])
def test_it_predicts_what_each_readout_predicts_alone(toy_world, reach):
    members = toy_readout(), tissue_readout(reach)
    joint = JointReadout(members, toy_world.backbone.bin_size)
    names = toy_world.annotation.genes["gene_name"].tolist()
    genes = [toy_world.annotation.gene(name) for name in names]
    found = predict_expression(genes, toy_world.reference, toy_world.backbone, joint)
    alone = [predict_expression(genes, toy_world.reference, toy_world.backbone, one) for one in members]
    slow = np.concatenate([one["expression"].values for one in alone], axis=1)
    np.testing.assert_allclose(found["expression"].values, slow, rtol=1e-4, atol=1e-6)
    assert found["context"].values.tolist() == [c.name for one in members for c in one.contexts]
    assert found["units"].values.tolist()[-1] == "ln(1 + normalised expression)"
    assert found["units"].values.tolist()[0] == "ln(1 + CPM)"
    tissue = predict_expression(genes, toy_world.reference, toy_world.backbone, joint, contexts=["liver"])
    assert tissue.attrs["units"] == "ln(1 + normalised expression)"


def test_variants_and_mutagenesis_are_those_of_each_readout_alone(toy_world):
    members = toy_readout(), tissue_readout(1_024)
    joint = JointReadout(members, toy_world.backbone.bin_size)
    gene = toy_world.annotation.gene("BETA")
    first = gene.tss - 1_500
    table = pd.DataFrame(
        [
            ("20", place, letter, "ACGT"["TACG".index(letter)])
            for place in range(first, first + 3_000, 97)
            if (letter := base_at(toy_world, place)) in "ACGT"
        ],
        columns=["contig", "position", "ref", "alt"],
    )
    found = score_expression(table, *model_parts(toy_world), joint, genes=["BETA"])
    for member in members:
        alone = score_expression(table, *model_parts(toy_world), member, genes=["BETA"])
        part = found.sel(context=[context.name for context in member.contexts]).set_index(pair="row")
        alone = alone.set_index(pair="row")
        same = part.sel(pair=alone["pair"])
        np.testing.assert_allclose(same["expression_effect"], alone["expression_effect"], atol=1e-6)
        # what the shorter reach doesn't see, it doesn't change
        beyond = part.drop_sel(pair=alone["pair"].values)
        assert not beyond["expression_effect"].values.any()
    locus = Locus("20", gene.tss - 40, gene.tss + 40)
    slow = mutagenesis(
        locus, toy_world.reference, toy_world.backbone, gene_target=(gene, members[1]), contexts=["liver"]
    )
    fast = mutagenesis(
        locus, toy_world.reference, toy_world.backbone, gene_target=(gene, joint), contexts=["liver"]
    )
    np.testing.assert_allclose(fast["effect"].values, slow["effect"].values, rtol=1e-4, atol=1e-6)


def test_readouts_that_cannot_stand_side_by_side_are_refused(toy_world):
    with pytest.raises(ModelError, match="both predict for a context named"):
        JointReadout([toy_readout(), toy_readout()], 128)
    one, other = toy_readout(), tissue_readout()
    one.backbone_hash, other.backbone_hash = "a" * 64, "b" * 64
    with pytest.raises(ModelError, match="different backbones"):
        JointReadout([one, other], 128)


@pytest.fixture
def project(toy_project):
    """A project with a readout of the backbone's contexts and one of tissues."""
    folder, backbone = toy_project.parent, open_world(toy_project).backbone
    for name, readout in (("blood", toy_readout()), ("tissues", tissue_readout())):
        readout.backbone_hash = backbone.weights_hash
        save_readout(readout, folder / f"{name}.safetensors")
    path = folder / "two_readouts.yaml"
    path.write_text(toy_project.read_text() + "readout: [blood.safetensors, tissues.safetensors]\n")
    return path


def test_a_project_names_one_readout_or_a_list(project):
    world = open_world(project)
    names = [context.name for context in world.expression_contexts]
    assert names == [context.name for context in world.readout.contexts]
    assert names[-2:] == ["cerebral_cortex", "liver"]
    assert [c.name for c in world.contexts] != names
    project.write_text(
        project.read_text().replace("[blood.safetensors, tissues.safetensors]", "tissues.safetensors")
    )
    assert [c.name for c in open_world(project).readout.contexts] == ["cerebral_cortex", "liver"]
    assert len(read_project(project).readouts) == 1
    project.write_text(
        project.read_text().replace("tissues.safetensors", "[tissues.safetensors, gone.safetensors]")
    )
    with pytest.raises(ProjectError, match=r"line \d+.*readout.*gone"):
        read_project(project)


def test_a_world_without_readout_has_no_contexts_of_expression(toy_project):
    assert open_world(toy_project).expression_contexts == ()


def test_a_phenformer_takes_the_readout_that_it_was_trained_with(project, tmp_path):
    world = open_world(project)
    phenformer = toy_phenformer()
    phenformer.backbone_hash = world.backbone.weights_hash
    phenformer.readout_hash = world.readout.members[0].weights_hash
    path = tmp_path / "phenformer.safetensors"
    save_phenformer(phenformer, path)
    assert load_phenformer(path, world.backbone, world.readout).readout_hash == phenformer.readout_hash
    phenformer.readout_hash = "f" * 64
    save_phenformer(phenformer, path)
    with pytest.raises(ModelError, match="was trained on a readout with the hash ffffffff"):
        load_phenformer(path, world.backbone, world.readout)


def test_jobs_in_contexts_of_one_readout_are_those_of_a_world_that_has_it_alone(project):
    both = open_world(project)
    alone = World(replace(both.project, readouts=both.project.readouts[1:]))
    asked = {"gene": "BETA", "contexts": ["brain"]}
    gene = both.annotation.gene("BETA")
    at = gene.tss + 30
    letter = base_at(both, at)
    asked["variants"] = f"20:{at} {letter}>{'ACGT'['TACG'.index(letter)]}"
    with ModelService(both) as service, ModelService(alone) as single:
        found, slow = (one.submit("variant_effects", **asked).result() for one in (service, single))
        assert found["context"].values.tolist() == ["cerebral_cortex"]
        np.testing.assert_array_equal(found["effect"].values, slow["effect"].values)
        everywhere = service.submit("variant_effects", **asked | {"contexts": None}).result()
        assert everywhere.sizes["context"] == len(both.expression_contexts)
        again = everywhere["effect"].sel(context=["cerebral_cortex"])
        np.testing.assert_allclose(again.values, found["effect"].values, atol=1e-6)


@pytest.mark.parametrize("name", ["Liver", "UBERON:0002107", "digestion"])
def test_a_context_of_expression_is_found_by_name_curie_and_group(project, name):
    readout = open_world(project).readout
    assert [readout.contexts[row].name for row in readout.select([name])] == ["liver"]


def test_activity_in_a_tissue_that_only_expression_knows_is_refused_with_the_reason(project):
    with pytest.raises(TargetError, match=r"no context 'liver'.*one of gene expression: name a gene"):
        open_world(project).select_contexts(["liver"])

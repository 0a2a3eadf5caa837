from __future__ import annotations

import pytest

from phenviz.effects import predict_expression, score_expression
from phenviz.errors import ResultError
from phenviz.figures import expression_effects_figure, expression_figure, figure_of
from phenviz.models.joint_readout import JointReadout
from phenviz.results import load, save
from phenviz.results.expression_effects import expression_effects_table, write_expression_effects
from phenviz.variation import open_individuals
from tests.attribution.oracles import toy_readout
from tests.effects.toys import write_people
from tests.models.test_joint_readout import tissue_readout


@pytest.fixture(scope="module")
def models(toy_world):
    joint = JointReadout([toy_readout(), tissue_readout()], toy_world.backbone.bin_size)
    return toy_world.annotation, toy_world.reference, toy_world.backbone, joint


@pytest.fixture(scope="module")
def people(toy_world, tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.vcf"
    write_people(path, toy_world.reference, 3, count=40)
    return open_individuals(path, toy_world.reference)


@pytest.fixture(scope="module")
def effects(people, models):
    from phenviz.variation import read_variants

    table = read_variants(people.paths[0], models[1]).table
    return score_expression(table, *models)


def text_of(chart, path) -> str:
    chart.save(path)
    return path.read_text()


def test_effects_are_drawn_by_tissue_with_their_organ_systems(effects, tmp_path):
    drawn = text_of(expression_effects_figure(effects), tmp_path / "a.svg")
    for word in ("liver", "cerebral cortex", "digestion", "brain", "Change of expression"):
        assert word in drawn
    one = effects.isel(pair=effects["row"].values == effects["row"].values[0])
    assert "Change of expression by chr" in text_of(figure_of(one), tmp_path / "b.svg")
    with pytest.raises(ResultError, match="no gene is within reach"):
        expression_effects_figure(effects.isel(pair=slice(0, 0)))


def test_a_persons_expression_is_drawn_against_the_references(people, models, tmp_path):
    found = predict_expression(people, ["BETA", "ALPHA"], *models, samples=["ann"])
    drawn = text_of(figure_of(found), tmp_path / "c.svg")
    seen = found["variants"].isel(individual=0)
    for gene in ("BETA", "ALPHA"):
        for haplotype in ("1", "2"):
            carried = int(seen.sel(gene=gene, haplotype=haplotype)) > 0
            assert (f"{gene}, ann, haplotype {haplotype}" in drawn) == carried
    with pytest.raises(ResultError, match="from haplotypes"):
        expression_figure(found.isel(haplotype=0, drop=True))


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_effects_on_expression_come_back_from_a_file(effects, tmp_path, suffix):
    (path,) = save(effects, tmp_path / f"effects{suffix}")
    again = load(path)
    assert again["expression_effect"].equals(effects["expression_effect"])
    assert again["units"].values.tolist() == effects["units"].values.tolist()


def test_the_table_has_one_line_per_variant_and_gene(effects, tmp_path):
    import pandas as pd

    table = expression_effects_table(effects)
    assert len(table) == effects.sizes["pair"]
    assert [name for name in table if name.startswith("effect.")][-1] == "effect.liver"
    path = write_expression_effects(effects, tmp_path / "effects.tsv")
    read = pd.read_csv(path, sep="\t", comment="#")
    assert read["position"].tolist() == effects["position"].values.tolist()
    assert read["effect.liver"].to_numpy() == pytest.approx(table["effect.liver"].to_numpy(), rel=1e-5)

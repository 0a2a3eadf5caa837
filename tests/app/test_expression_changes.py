"""Expression by tissue on the pages, without a browser: a toy world with readouts of blood and tissues."""

from __future__ import annotations

import numpy as np
import pytest

from phenviz.app.explore.page import ExplorePage
from phenviz.app.individual.page import IndividualPage
from phenviz.app.individual.person_exports import FORMATS as of_person
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.state import IndividualState
from phenviz.app.variants.expression_exports import FORMATS
from phenviz.app.variants.page import VariantsPage
from phenviz.app.variants.variant_exports import FORMATS as of_variants
from phenviz.effects import predict_expression, score_expression
from phenviz.errors import JobError, ResultError, TargetError
from phenviz.genome import Locus
from phenviz.models.readout import save_readout
from phenviz.world import open_world
from tests.app.waiting import wait
from tests.attribution.oracles import toy_readout
from tests.effects.toys import write_people
from tests.models.test_joint_readout import tissue_readout
from tests.toys import toy_project


@pytest.mark.parametrize("of_page", [of_person, of_variants])
def test_a_format_begins_one_item_of_a_menu_only(of_page):
    menu = of_page | FORMATS
    assert len(menu) == len(of_page) + len(FORMATS)
    assert not {name.split()[0] for name in of_page} & {name.split()[0] for name in FORMATS}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tissues")
    project = toy_project(folder)
    write_people(folder / "family.vcf", open_world(project).reference, 4, count=60)
    backbone = open_world(project).backbone
    for name, readout in (("blood", toy_readout()), ("tissues", tissue_readout())):
        readout.backbone_hash = backbone.weights_hash
        save_readout(readout, folder / f"{name}.safetensors")
    lines = "individuals: [family.vcf]\nreadout: [blood.safetensors, tissues.safetensors]\n"
    project.write_text(project.read_text() + lines)
    runtime = Runtime(open_world(project), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


def test_a_persons_haplotypes_change_expression_as_the_plain_function_says(runtime):
    page, world = IndividualPage(runtime), runtime.world
    gene = world.annotation.gene("BETA")
    view = Locus("20", gene.tss - 3_000, gene.tss + 3_000)
    page.state.param.update(locus=view, settled=view, below="expression")
    shown = page.expression
    wait(page, lambda: shown._drawn.visible or "reach" in shown._said.object)
    names, changes = shown._rows
    models = (world.annotation, world.reference, world.backbone, world.readout)
    begin = [g for g in world.annotation.genes_in(view).itertuples() if view.start <= g.tss < view.end]
    genes = [gene.gene_name for gene in sorted(begin, key=lambda gene: gene.tss)]
    slow = predict_expression(world.individuals, genes, *models, samples=[page.state.sample])
    expected = slow["expression"].isel(individual=0)
    for name, row in zip(names, changes, strict=True):
        called, haplotype = name.split(", haplotype ")
        own = expected.sel(gene=called, haplotype=haplotype) - expected.sel(
            gene=called, haplotype="reference"
        )
        np.testing.assert_allclose(row, own.values, rtol=1e-4, atol=1e-6)
    seen = slow["variants"].isel(individual=0).sel(haplotype=["1", "2"]).values
    assert len(names) == int((seen > 0).sum()) > 0
    for suffix in FORMATS.values():
        file = page._make_file(suffix)()
        assert file.name.endswith(suffix) and page.state.sample in file.name and b"BETA" in file.content
    page.session.close()


def test_what_stands_below_the_tracks_comes_back_from_the_address(runtime):
    contexts = runtime.world.contexts
    state = IndividualState(locus=Locus("20", 1, 100), below="expression", columns="tissues")
    again = IndividualState()
    again.take(state.query(contexts), contexts)
    assert (again.below, again.columns) == ("expression", "tissues")


def test_one_variant_shows_all_genes_in_reach_by_tissue(runtime):
    page, world = VariantsPage(runtime), runtime.world
    gene = world.annotation.gene("BETA")
    at = gene.tss + 40
    ref = world.reference.sequence(Locus("20", at - 1, at)).upper()
    alt = "ACGT"["TACG".index(ref)]
    page.state.param.update(origin="pasted", lines=f"20:{at}:{ref}:{alt}")
    page.run.ask()
    assert page.run.work.wait(300)
    page.session._tick()
    page._choose(f"20:{at}:{ref}:{alt}")
    page.session._tick()
    shown = page.view._expression
    wait(page, lambda: shown._drawn.visible)
    names, changes = shown._rows
    table = page.run._work.found["variants"]
    models = (world.annotation, world.reference, world.backbone, world.readout)
    slow = score_expression(table, *models)
    for name, row in zip(names, changes, strict=True):
        own = slow["expression_effect"].values[slow["gene"].values == name][0]
        np.testing.assert_allclose(row, own, rtol=1e-4, atol=1e-6)
    assert "BETA" in names and "Strongest in" in shown._table.object
    for suffix in FORMATS.values():
        file = page._make_file(suffix)()
        assert file.name.endswith(suffix) and b"BETA" in file.content
    page._choose("")
    with pytest.raises(ResultError, match="open one variant"):
        page._make_file(".expression.tsv")
    page.session.close()


def test_expression_is_explained_in_a_tissue_that_the_backbone_lacks(runtime):
    page = ExplorePage(runtime)
    gene = runtime.world.annotation.gene("BETA")
    view = Locus("20", gene.tss - 100, gene.tss + 100)
    page.state.param.update(locus=view, settled=view, target="gene", gene="BETA", tissue="Liver")
    assert page.run_panel.request().contexts == ("liver",)
    page.state.param.update(method="saliency", tissue="brain")
    assert page.run_panel.request().contexts == ("cerebral_cortex",)
    page.state.tissue = ""
    assert page.run_panel.request().contexts == (page.state.focus,)
    page.state.tissue = "heart"
    with pytest.raises(TargetError, match="no expression is predicted in 'heart'"):
        page.run_panel.request()
    page.run_panel._take_tissue("heart")
    assert "liver" in page.run_panel._tissue.message and page.state.tissue == "heart"
    page.session.close()


def test_ticked_contexts_without_expression_are_left_out_and_told(runtime, monkeypatch):
    page = ExplorePage(runtime)
    state, panel = page.state, page.run_panel
    known = panel._expression_contexts
    monkeypatch.setattr(panel, "_expression_contexts", known[1:])
    state.param.update(target="gene", gene="BETA")
    assert panel.request().contexts == tuple(name for name in state.contexts if name != known[0].name)
    panel._follow()
    assert f"but for {known[0].name}: expression isn't predicted there" in panel._target_words.object
    state.contexts = (known[0].name,)
    with pytest.raises(JobError, match="expression isn't predicted in"):
        panel.request()
    page.session.close()

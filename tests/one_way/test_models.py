"""One way to the model: all of it is a job on the service's device."""

from __future__ import annotations

import copy
import re
from functools import wraps
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from phenviz.app.disease.page import DiseasePage
from phenviz.app.explore.page import ExplorePage
from phenviz.app.shell.run_choices import METHODS
from phenviz.attribution import Target
from phenviz.cli import main
from phenviz.genome import Locus
from phenviz.models.local import LocalBackbone, Stage
from phenviz.models.phenformer import Phenformer
from phenviz.models.predict import predict
from phenviz.models.readout import GeneReadout
from phenviz.results.tokens import TokenStore
from phenviz.service import KINDS, ModelService
from phenviz.service.explained import explain
from phenviz.world import open_world
from tests.app.waiting import wait
from tests.measured_toys import write_many, write_measured
from tests.one_way.ways import (
    PERSON,
    SITE,
    commands,
    look_at_a_person,
    score_variants_of_a_person,
    write_person,
    write_table,
)

# measures PhenViz beside bare Captum and a plain loop over mutants, which need the model in hand
CALLS_A_MODEL = {"02_megabase_attribution"}
# what a model computes with, whatever way leads there
_COMPUTING = {
    LocalBackbone: ("encode", "activity", "log_activity", "forward"),
    Stage: ("convolve", "finish", "forward"),
    GeneReadout: ("expression", "pooled_terms", "bin_values", "weighted", "from_pooled"),
    Phenformer: ("forward", "from_scaled"),
}


@pytest.fixture
def placed(monkeypatch, cache):
    """Let no model compute but those that the service has placed; return the devices they were placed on."""
    devices: list[torch.device] = []

    def place(model, device):
        if model is None:
            return None
        devices.append(device)
        own = copy.deepcopy(model).to(device).eval()
        for module in own.modules():
            module.placed_by_the_service = True
        return own

    def guarded(method):
        @wraps(method)
        def call(module, *arguments, **how):
            assert getattr(module, "placed_by_the_service", False), (
                f"{method.__qualname__} of the world's own"
            )
            return method(module, *arguments, **how)

        return call

    for kind, names in _COMPUTING.items():
        for name in names:
            monkeypatch.setattr(kind, name, guarded(getattr(kind, name)))
    monkeypatch.setattr("phenviz.service.device.place", place)
    return devices


def test_the_guard_of_these_tests_sees_a_model_that_is_called_directly(project, placed):
    world = open_world(project)
    with pytest.raises(AssertionError, match="of the world's own"):
        predict(SITE, world.reference, world.backbone)


def test_no_command_calls_a_model_that_the_service_did_not_place(project, placed, tmp_path):
    vcf, table = write_person(project, tmp_path), write_table(project, tmp_path)
    for name, words in commands(vcf, tmp_path, table).items():
        placed.clear()
        done = CliRunner().invoke(main, [*map(str, words), "--world", str(project)])
        assert done.exit_code == 0, (name, done.output)
        assert placed, name


def test_no_notebook_calls_a_model_but_the_one_that_compares_it_with_captum():
    sources = (Path(__file__).parents[2] / "notebooks" / "src").glob("*.py")
    calling = re.compile(r"\bworld\.(backbone|readout|phenformer)\b|\bload_backbone\b")
    assert {path.stem for path in sources if calling.search(path.read_text())} == CALLS_A_MODEL


def test_no_verb_of_a_notebook_calls_a_model_that_the_service_did_not_place(project, placed, tmp_path):
    vcf, world = write_person(project, tmp_path), open_world(project)
    ref = world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
    with ModelService(world, "cpu") as service:
        service.predict(SITE)
        service.predict(SITE, individual="ann")
        service.overview(SITE)
        service.mutagenesis(SITE, gene="ALPHA")
        service.attribute(SITE, "Ery", n_steps=4)
        service.attribute(None, Target(trait="MCV"), method="saliency")
        service.variant_effects(f"20:6050:{ref}:{ref}T")
        service.expression_effects(f"20:6050:{ref}:{ref}T")
        service.both_alleles("20", 6_050, ref, f"{ref}T")
        service.personal(SITE, PERSON, individuals=vcf, mode="sum")
        service.expression("ALPHA", PERSON, individuals=vcf)
        service.gene_expression(["ALPHA", "BETA"])
        service.risk(PERSON, individuals=vcf)
        service.ablate(SITE, n_shuffles=2)
        service.marginalize("AGATAAGG", backgrounds=3)
        source = write_table(project, tmp_path)
        service.hypotheses(source, method="variant", permutations=100)
        service.trait_evidence(source, "T0", permutations=100)
        ask_about_a_cohort(service, ref, tmp_path)
        service.submit("predict_sequences", sequences={"designed": "ACGTTGCANA" * 30}).result()
        people = tmp_path / "many.vcf"
        measured = write_measured(tmp_path / "measured.tsv", write_many(people, world.reference))
        service.submit(
            "measured", source=measured, individuals=people, genes="ALPHA", contexts="Ery"
        ).result()
        done = {job.kind for job in service.jobs}
    assert done >= set(KINDS.kinds) - {"mutagenesis_coarse"}
    assert set(placed) == {torch.device("cpu")}


def ask_about_a_cohort(service, ref, folder: Path) -> None:
    """Ask for effects on gene tokens, tokens of haplotypes, logits of made-up tokens and what is behind."""
    table = pd.DataFrame([{"contig": "20", "position": 6_050, "ref": ref, "alt": "A" if ref != "A" else "C"}])
    phenformer = service.world.phenformer
    genes, window = phenformer.genes, phenformer.window
    effects = service.submit("token_effects", variants=table, genes=genes, window=window).result()
    tokens = service.submit("haplotype_tokens", genes=genes, window=window).result()
    store = TokenStore.create(
        folder / "tokens.zarr",
        samples=tokens["individual"].values.tolist(),
        genes=[gene.name for gene in genes],
        features=effects["feature"].values.tolist(),
        pair=True,
        attrs={
            "assembly": phenformer.assembly,
            "window": window,
            "channels": phenformer.channels,
            "expression": list(phenformer.expression),
            "expression_from": phenformer.expression_from,
            "backbone": phenformer.backbone_hash,
            "readout": phenformer.readout_hash,
        },
    )
    store.write(range(len(genes)), tokens["difference"].values, tokens["reference_token"].values)
    _, model = service.world.project.disease_model
    samples = tokens["individual"].values.tolist()
    found = service.submit("logits", model=model, tokens=folder / "tokens.zarr", samples=samples).result()
    assert found["logit"].shape == (len(samples), 2)
    parts = service.submit(
        "context_contributions", model=model, tokens=folder / "tokens.zarr", samples=samples, traits=["MCV"]
    ).result()
    assert parts["contribution"].shape == (len(samples), 1, len(phenformer.expression))


def test_no_step_of_a_cohort_calls_a_model_that_the_service_did_not_place(project, placed, tmp_path):
    folder, model = tmp_path / "cohort", tmp_path / "model"
    locus = ["--locus", "20:2001-48000", "--people", 120, "--genes", 2, "--scenario", "mediated"]
    steps = [
        ["simulate", "-o", folder, *locus],
        ["embed", folder, "--window", 4_096],
        ["embed", folder, "--window", 4_096, "--exact", "-o", folder / "exact.zarr", "--gene", "ALPHA"],
        ["train", folder, "-o", model, "--epochs", 1],
        ["evaluate", folder, "--model", model, "-o", tmp_path / "report", "--resamples", 2],
        ["hypotheses", folder, "--model", model, "-o", tmp_path / "h.nc", "--permutations", 100],
    ]
    for step in steps:
        placed.clear()
        words = ["cohort", *map(str, step), "--world", str(project), "--device", "cpu"]
        if step[0] == "train":
            # what is learnt is nobody's yet: the loop trains a model of its own, where it was asked to
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Phenformer, "placed_by_the_service", True, raising=False)
                done = CliRunner().invoke(main, words)
            assert not placed
        else:
            done = CliRunner().invoke(main, words)
            assert placed, step
        assert done.exit_code == 0, (step, done.output)


def test_no_page_calls_a_model_that_the_service_did_not_place(placed, runtime, tmp_path):
    explore = ExplorePage(runtime)
    explore.state.param.update(locus=SITE, settled=SITE)
    runtime.activity.want(explore.session, SITE)
    wait(explore, lambda: runtime.activity.covered(explore.session) == 1)
    for method in METHODS:
        explore.runs.start(explain(method, SITE, ("Ery",), n_steps=4))
        wait(explore, lambda: explore.runs.over)
        assert explore.runs.state == "done", explore.runs.error
    disease = DiseasePage(runtime)
    disease.tables._folder = tmp_path / "tables"
    disease.state.param.update(methods=("variant", "control-random-weights"), permutations="1000")
    wait(disease, lambda: disease.run.status == "done")
    disease.state.evidence = disease.state.focus
    wait(disease, lambda: disease.evidence.status == "done")
    for page in (look_at_a_person(runtime), score_variants_of_a_person(runtime), explore, disease):
        page.session.close()
    assert placed

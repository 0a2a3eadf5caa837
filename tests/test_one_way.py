"""One way to the model: all of it is a job on the service's device, and nothing about a person stays."""

from __future__ import annotations

import copy
import gc
import re
import tempfile
import time
import weakref
from functools import wraps
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from phenviz.app.disease.page import DiseasePage
from phenviz.app.explore.page import ExplorePage
from phenviz.app.individual.page import IndividualPage
from phenviz.app.shell.run_choices import METHODS
from phenviz.app.shell.runtime import Runtime
from phenviz.app.variants.page import VariantsPage
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
from phenviz.service.shared_task import Work
from phenviz.world import open_world
from tests.app.waiting import wait
from tests.effects.toys import write_people
from tests.measured_toys import write_many, write_measured
from tests.risk_toys import risk_project
from tests.toys import draw_few

SITE, VIEW = Locus("20", 6_000, 6_120), Locus("20", 2_000, 9_000)
PERSON, VARIANT, INSERTED = "Marker-Person-7F3A", "marker-variant-91C2", "GATTACAGATTACATTGACA"
# measures PhenViz beside bare Captum and a plain loop over mutants, which need the model in hand
CALLS_A_MODEL = {"02_megabase_attribution"}
# what a model computes with, whatever way leads there
_COMPUTING = {
    LocalBackbone: ("encode", "activity", "log_activity", "forward"),
    Stage: ("convolve", "finish", "forward"),
    GeneReadout: ("expression", "pooled_terms", "bin_values", "weighted", "from_pooled"),
    Phenformer: ("forward", "from_scaled"),
}


def write_person(project: Path, folder: Path) -> Path:
    """Write the VCF of one made-up person, whom and whose insertion nobody else has; return its path."""
    reference = open_world(project).reference
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", PERSON]))
    for number, at in enumerate((3_000, 6_050, 8_100)):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        alt = ref + INSERTED if number == 1 else "A" if ref != "A" else "C"
        call = ("1|0", "0|1", "1|1")[number]
        lines.append(
            "\t".join(["20", str(at), f"{VARIANT}-{number}", ref, alt, ".", "PASS", ".", "GT", call])
        )
    path = folder / "person.vcf"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 400, 60)
        yield


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    project = risk_project(folder)
    write_people(folder / "people.vcf", open_world(project).reference, 3, count=60)
    project.write_text(project.read_text() + "individuals: [people.vcf]\n")
    return project


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


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


def commands(vcf: Path, folder: Path, table: Path) -> dict[str, list[object]]:
    """Return one command for each way to the model, each with its own output."""
    sites = "chr20:6,001-6,120"
    made: dict[str, list[object]] = {
        "predict": ["predict", sites],
        "predict-sample": ["predict", sites, "--sample", "ann"],
        "predict-vcf": ["predict", sites, "--vcf", vcf],
        "mutagenesis": ["mutagenesis", sites],
        "mutagenesis-gene": ["mutagenesis", sites, "--gene", "ALPHA"],
        "coarse": ["mutagenesis", sites, "--context", "Ery", "--coarse-to-fine", "1"],
        "attribute": ["attribute", sites, "--context", "Ery", "--steps", "4"],
        "saliency": ["attribute", sites, "--context", "Ery", "--gene", "ALPHA", "--method", "saliency"],
        "trait": ["attribute", "--trait", "MCV", "--method", "saliency"],
        "ablate": ["ablate", sites, "--shuffles", "2"],
        "ablate-gene": ["ablate", sites, "--gene", "ALPHA", "--shuffles", "2"],
        "marginalize": ["marginalize", "AGATAAGG", "--backgrounds", "3"],
        "variants": ["variants", vcf],
        "variants-gene": ["variants", vcf, "--gene", "ALPHA"],
        "variants-expression": ["variants", vcf, "--expression"],
        "variant": ["variants", f"chr20:6,050 {_base_of(vcf)}"],
        "personal": ["personal", vcf, "--locus", sites],
        "expression": ["personal", vcf, "--gene", "ALPHA"],
        "risk": ["risk", "--individuals", vcf],
        "hypotheses": ["hypotheses", "--table", table, "--method", "variant", "--permutations", "100"],
        "controls": ["hypotheses", "--table", table, "--method", "control-random-weights",
                     "--permutations", "100"],
        "report": ["report", "chr20:7,001-7,100"],  # of the others' locus everything is stored
        "report-variant": ["report", f"chr20:6,050 {_base_of(vcf)}"],
        "report-person": ["report", f"{PERSON}@{sites}", "--vcf", vcf],
        "report-hypotheses": ["report", "--table", table, "--method", "variant", "--permutations", "100"],
    }  # fmt: skip
    outputs = {name: folder / f"{name}.{'html' if name.startswith('report') else 'nc'}" for name in made}
    outputs |= {"variants": folder / "variants.vcf", "personal": folder / "personal.svg"}
    device = ["--device", "cpu"]
    written: dict[str, list[object]] = {
        name: [*words, "-o", outputs[name], *device] for name, words in made.items()
    }
    return written | {"overview": ["overview", "20", *device]}


def _base_of(vcf: Path) -> str:
    ref = vcf.read_text().splitlines()[-2].split("\t")[3]
    return f"{ref}>{'A' if ref != 'A' else 'C'}"


def write_table(project: Path, folder: Path) -> Path:
    reference = open_world(project).reference
    lines = ["trait\tchr\tpos\tref\talt\tpip"]
    for number, at in enumerate(range(2_000, 18_000, 1_600)):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        lines.append(f"T{number % 2}\tchr20\t{at}\t{ref}\t{'A' if ref != 'A' else 'C'}\t0.3")
    path = folder / "traits.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


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
    sources = (Path(__file__).parents[1] / "notebooks" / "src").glob("*.py")
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
    """Ask for effects on gene tokens, tokens of haplotypes, and logits of some made-up tokens."""
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


def test_no_step_of_a_cohort_calls_a_model_that_the_service_did_not_place(project, placed, tmp_path):
    folder, model = tmp_path / "cohort", tmp_path / "model"
    locus = ["--locus", "20:2001-48000", "--people", 120, "--genes", 2, "--scenario", "mediated"]
    steps = [
        ["simulate", "-o", folder, *locus],
        ["embed", folder, "--window", 4_096],
        ["embed", folder, "--window", 4_096, "--exact", "-o", folder / "exact.zarr", "--gene", "ALPHA"],
        ["train", folder, "-o", model, "--epochs", 1],
        ["evaluate", folder, "--model", model, "-o", tmp_path / "report", "--resamples", 2],
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


@pytest.fixture
def runtime(project, tmp_path):
    write_person(project, tmp_path / "world")
    runtime = Runtime(open_world(project), "cpu", tmp_path / "world").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()
    runtime.service.close()


def look_at_a_person(runtime) -> IndividualPage:
    page = IndividualPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW)
    # without a browser, what comes from another thread isn't kept in turn: the world's people are there first
    wait(page, lambda: page.state.sample)
    page.choice.hear({"source": "file:person.vcf"})
    wait(page, lambda: page.state.sample == PERSON and page.run.status == "done")
    page.state.mode = "sum"
    wait(page, lambda: page.run.status == "done" and page.run.agreement() is not None)
    page.state.variant = next(key for key in page.grid.view.keys if INSERTED in key)
    wait(page, lambda: page.detail._pane.visible)
    return page


def score_variants_of_a_person(runtime) -> VariantsPage:
    page = VariantsPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW, origin="file:person.vcf")
    page.run.ask()
    # a part of the list is looked at before all of it
    wait(page, lambda: (table := page.run.table()) is not None and len(table) == 3 and page.run.complete)
    page._choose(next(key for key in page.grid.view.keys if INSERTED in key))
    wait(page, lambda: page.view._detail._pane.visible)
    runtime.common_effects().result(120)
    return page


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


# nothing of a person stays


def found_in(*folders: Path) -> list[str]:
    """Return the files that name the person, one of the variants or the inserted bases."""
    marks = [mark.encode() for mark in (PERSON, VARIANT, INSERTED, INSERTED.lower(), PERSON.lower())]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(mark in path.read_bytes() for mark in marks)]


_WORKS: weakref.WeakSet[Work] = weakref.WeakSet()


@pytest.fixture(autouse=True)
def works_are_known(monkeypatch):
    """Know all works by weak references: looking at all objects breaks tuples that other threads make."""
    make = Work.__init__

    def init(work, *arguments, **options):
        make(work, *arguments, **options)
        _WORKS.add(work)

    monkeypatch.setattr(Work, "__init__", init)


def private_works() -> int:
    """Count what is in memory of works about people."""
    gc.collect()
    return sum(work.private for work in list(_WORKS))


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_no_command_leaves_anything_about_a_person_beside_its_output(project, cache, scratch, tmp_path):
    vcf, out = write_person(project, tmp_path), tmp_path / "out"
    out.mkdir()
    asked = commands(vcf, out, write_table(project, tmp_path))
    for name in (
        "predict-vcf",
        "variants",
        "variants-gene",
        "personal",
        "expression",
        "risk",
        "report-person",
    ):
        done = CliRunner().invoke(main, [*map(str, asked[name]), "--world", str(project)])
        assert done.exit_code == 0, (name, done.output)
    assert found_in(out)
    assert found_in(cache, scratch) == [] and list((cache / "results").rglob("*.nc")) == []


def test_no_verb_of_a_notebook_leaves_anything_about_a_person(project, cache, scratch, tmp_path):
    vcf, world = write_person(project, tmp_path), open_world(project)
    with ModelService(world, "cpu") as service:
        service.personal(SITE, PERSON, individuals=vcf)
        service.personal(SITE, PERSON, individuals=vcf, mode="sum")
        service.expression("ALPHA", PERSON, individuals=vcf)
        service.risk(PERSON, individuals=vcf)
        service.variant_effects(vcf)
        ref = world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
        service.both_alleles("20", 6_050, ref, ref + INSERTED, private=True)
        assert len(service.store) == 0
    assert found_in(cache, scratch) == []
    assert private_works() == 0


def test_nothing_about_a_person_outlives_the_page(project, cache, scratch, runtime):
    pages = [look_at_a_person(runtime), score_variants_of_a_person(runtime)]
    other = IndividualPage(runtime)
    other.state.param.update(locus=VIEW, settled=VIEW)
    for page in pages:
        page.session.close()
    service = runtime.service
    assert found_in(cache, scratch) == [] and len(service.store) == 0
    gone = {page.run._jobs._holder for page in pages}
    assert not gone & {job.holder for job in service._jobs.values()} and not gone & service._sessions.keys()
    # what is still being read or computed for a page goes with it, too
    other.session.close()
    assert not [job for job in service._jobs.values() if job.private] and not service._sessions
    del pages, page
    end = time.monotonic() + 30
    while (left := private_works()) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == 0

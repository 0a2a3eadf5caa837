"""Hypotheses that were tested elsewhere, on the Disease page without a browser."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import phenviz
from phenviz.app.disease.disease_exports import FIGURES
from phenviz.app.disease.page import DiseasePage
from phenviz.app.shell.runtime import Runtime
from phenviz.disease.cohort_methods import COHORT
from phenviz.disease.files import gene_table
from phenviz.errors import ResultError
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.app.reports.parsed import check_report
from tests.app.waiting import wait
from tests.disease.people_toys import people_result
from tests.toys import CONTEXTS, draw_few, toy_project

GENES = ("ALPHA", "BETA", "NOWHERE")
PEOPLE, TOWN, SIMULATED, TABLE, BROKEN = (
    "people.nc",
    "town.parquet",
    "simulated.zarr",
    "table.nc",
    "broken.nc",
)


@pytest.fixture(scope="module", autouse=True)
def small_background():
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 800, 150)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project that names five files: two of people, two of variants, and one that is none."""
    folder = tmp_path_factory.mktemp("elsewhere")
    project = toy_project(folder)
    with ModelService(open_world(project), "cpu") as service:
        tested = service.hypotheses("simulated", method=("variant", "control-shuffled"), permutations=1_000)
    phenviz.save(people_result(CONTEXTS, GENES), folder / PEOPLE)
    phenviz.save(people_result(CONTEXTS, GENES, simulated=False), folder / TOWN)
    phenviz.save(tested, folder / SIMULATED)
    phenviz.save(tested.assign_attrs(source="mine.tsv"), folder / TABLE)
    (folder / BROKEN).write_bytes(b"no result")
    names = ", ".join((PEOPLE, TOWN, SIMULATED, TABLE, BROKEN))
    project.write_text(f"{project.read_text()}hypotheses: [{names}]\n")
    return folder


@pytest.fixture(scope="module")
def runtime(folder):
    runtime = Runtime(open_world(folder / "project.yaml"), "cpu").start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime, tmp_path):
    page = DiseasePage(runtime)
    page.tables._folder = tmp_path / "tables"
    look_at(page, PEOPLE)
    yield page
    page.session.close()


def look_at(page, name, **more):
    page.state.param.update(source=f"tested:{name}", evidence="", **more)
    wait(page, lambda: page.run.asked == {"source": f"tested:{name}"})


def test_a_page_opens_on_the_first_file_that_the_project_names_and_names_all_by_what_they_are(runtime):
    page = DiseasePage(runtime)
    try:
        assert page.state.source == f"tested:{PEOPLE}"
        wait(
            page,
            lambda: page.run.dataset is not None and f"variants: {TABLE}" in str(page.source._source.options),
        )
        offered = {key: title for title, key in page.source._source.options.items()}
        assert offered[f"tested:{PEOPLE}"].startswith(f"SIMULATED people: {PEOPLE}")
        assert offered[f"tested:{TOWN}"].startswith(f"people: {TOWN}")
        assert offered[f"tested:{SIMULATED}"].startswith(f"SIMULATED variants: {SIMULATED}")
        assert offered[f"tested:{BROKEN}"] == f"{BROKEN}, tested elsewhere"
        assert page.state.method == COHORT and page.state.query(CONTEXTS)["source"] == f"tested:{PEOPLE}"
    finally:
        page.session.close()


def test_nothing_can_be_tested_and_the_form_says_what_the_file_has(page):
    form, told = page.source, page.source._told.object
    assert not any(
        part.visible for part in (form._methods, form._draws, form._prior, form._test, form._cancel)
    )
    assert "Tested elsewhere" in told and PEOPLE in told and "300 draws of the null, seed 4" in told
    assert "expression and Phenformer in people" in told and "phenformer-toy@12345678" in told
    page.run.run()
    assert page.run.job is None and page.run.status == "done"
    page.state.source = "simulated"
    wait(page, lambda: page.run.status == "done" and page.run.job is not None)
    assert form._methods.visible and form._test.visible
    look_at(page, PEOPLE)
    assert page.run.dataset["method"].values[0] == COHORT and not form._test.visible


def test_simulated_people_are_labelled_and_others_are_not(page):
    assert "SIMULATED" in page._banner.object and "simulated" in page._banner.object
    assert "SIMULATED" in page._make_file(".svg")().name
    look_at(page, TOWN)
    assert "SIMULATED" not in page._banner.object and "SIMULATED" not in page._make_file(".svg")().name


@pytest.mark.parametrize("view", ["map", "methods", "qq"])
def test_every_view_draws_people(page, view):
    page.state.view = view
    assert page._shown is (page.map if view == "map" else page.methods)
    assert len(page._make_file(".svg")().content) > 1_000


@pytest.mark.parametrize("name", [PEOPLE, TOWN])
def test_a_click_shows_the_genes_of_that_context_and_leads_on_from_one(page, name):
    look_at(page, name)
    page.map._pick("U", "Ery")
    assert page._shown is page.genes and "U in Ery" in page.genes._title.object
    genes = gene_table(page.run.dataset)
    own = genes[(genes["trait"] == "U") & (genes["context"] == "Ery")]
    assert page.genes.genes.view.keys == own["gene"].tolist()
    assert own["p_value"].is_monotonic_increasing
    assert "press a gene" in page.genes._links.object
    page.state.gene = "BETA"
    assert "explore?locus=chr20:10000-20000" in page.genes._links.object.replace("&amp;", "&")
    assert "focus=Ery" in page.genes._links.object and page.state.query(CONTEXTS)["gene"] == "BETA"
    # this world has no risk model
    assert "to-risk" not in page.genes._links.object
    page.state.gene = "NOWHERE"
    assert "NOWHERE isn't among the genes" in page.genes._links.object.replace("&#x27;", "'")
    assert page._figure.value == "bars" and page.evidence.job is None


def test_of_variants_whose_table_is_not_here_the_page_says_why_there_are_no_loci(page):
    look_at(page, TABLE)
    assert page.state.method == "variant"
    page.state.evidence = page.state.focus
    page.session._tick()
    said = page.behind._told.object.replace("&#x27;", "'")
    assert page._shown is page.behind and "(mine.tsv), which the result doesn't hold" in said
    assert page.evidence.job is None and not page.behind._body.visible


def test_of_variants_that_are_here_loci_are_those_of_the_file(page):
    look_at(page, SIMULATED)
    page.state.evidence = page.state.focus
    wait(page, lambda: page.evidence.dataset is not None)
    own = page.run.dataset["effect"].sel({"method": "variant", "trait": page.state.trait})
    evidence = page.evidence.dataset
    np.testing.assert_allclose(
        evidence["excess"].sum("locus"), own.sel(context=evidence["context"].values), rtol=1e-6
    )
    look_at(page, PEOPLE)
    page.state.evidence = "Ery"
    page.session._tick()
    # nothing of it is left for what is looked at now
    assert page.evidence.dataset is None and page._shown is page.genes


def test_of_variants_tested_with_another_model_loci_would_be_others(page, runtime, monkeypatch):
    look_at(page, SIMULATED)
    monkeypatch.setitem(page.run.dataset.attrs, "model", "other@00000000")
    page.state.evidence = page.state.focus
    page.session._tick()
    assert "made with the model other@00000000" in page.behind._told.object and page.evidence.job is None


@pytest.mark.parametrize(
    ("name", "says"), [(BROKEN, "broken.nc is damaged or no result file"), ("none.nc", "called none.nc here")]
)
def test_what_cannot_be_read_is_told_without_the_folder_of_the_server(page, folder, name, says):
    look_at(page, name)
    assert page.run.status == "failed" and says in page.run.error and str(folder) not in page.run.error
    assert "Can't be shown" in page.source._told.object and page._shown is page._empty
    with pytest.raises(ResultError, match="nothing to export"):
        page._make_file(".svg")


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "leave-one-out"])
def test_every_figure_of_people_is_exported_and_says_that_they_are_simulated(page, figure):
    page.state.evidence = "Ery"
    page._figure.value = figure
    assert b"SIMULATED" in page._make_file(".svg")().content
    page._figure.value = "leave-one-out"
    with pytest.raises(ResultError, match="people were tested, not loci"):
        page._make_file(".svg")


def test_tables_of_people_come_with_their_genes_and_nobody_is_in_them(page):
    for suffix, read in ((".tsv", lambda b: pd.read_csv(b, sep="\t")), (".parquet", pd.read_parquet)):
        file = page._make_file(suffix)()
        with zipfile.ZipFile(io.BytesIO(file.content)) as packed:
            tests, genes = (read(io.BytesIO(packed.read(name))) for name in packed.namelist())
        assert tests["simulated"].all() and genes["simulated"].all()
        assert len(tests) == int(np.isfinite(page.run.dataset["p_value"]).sum())
        assert set(genes["gene"]) == set(GENES) and "sample" not in {*tests, *genes}
    assert "SIMULATED" in page._make_file(".txt")().content.decode()


def test_the_report_lists_the_genes_and_leads_back_to_the_page(page):
    page.state.evidence = "Ery"
    file = page._make_file(".html")()
    report = check_report(file.content.decode())
    assert "SIMULATED" in file.name and "SIMULATED:" in report.text
    assert any(f"source=tested:{PEOPLE}" in link and "evidence=Ery" in link for link in report.links)
    assert len(report.file("genes.tsv")) == len(gene_table(page.run.dataset))

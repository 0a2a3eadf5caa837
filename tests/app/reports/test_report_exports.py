"""The menus of the pages make reports of what is on screen, with the address of the page."""

from __future__ import annotations

import pytest

from phenviz.app.disease.page import DiseasePage
from phenviz.app.explore.page import ExplorePage
from phenviz.app.individual.page import IndividualPage
from phenviz.app.shell.runtime import Runtime
from phenviz.app.variants.page import VariantsPage
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.service.explained import explain
from phenviz.world import open_world
from tests.app.reports.parsed import check_report, number
from tests.app.waiting import first_people, wait

VIEW, SITE = Locus("20", 2_000, 9_000), Locus("20", 6_000, 6_120)
PLACE = "https://lab.example/phenviz/page"


@pytest.fixture(scope="module")
def runtime(project):
    runtime = Runtime(open_world(project), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


def exported(page):
    page.actions.place = PLACE
    file = page._make_file(".html")()
    assert file.name.endswith(".html") and file.mime == "text/html"
    report = check_report(file.content.decode())
    links = [link for link in report.links if not link.startswith("#")]
    assert links and all(link.startswith("https://lab.example/phenviz/") for link in links)
    return report


def test_explore_reports_its_view_and_its_run(runtime):
    page = ExplorePage(runtime)
    page.state.param.update(locus=SITE, settled=SITE, contexts=("Ery",), focus="Ery")
    page.runs.start(explain("mutagenesis", SITE, ("Ery",)))
    wait(page, lambda: page.runs.over)
    report = exported(page)
    assert report.headings[0][1] == str(SITE) and "Bases that matter most in Ery" in report.text
    own = runtime.service.predict(SITE, ["Ery"])["activity"].max()
    shown = number(report.table("Contexts, the one")["Highest"][0])
    assert shown == pytest.approx(float(own), rel=6e-3)
    page.session.close()


def test_explore_reports_an_attribution_by_its_target(runtime):
    page = ExplorePage(runtime)
    page.state.param.update(locus=SITE, settled=SITE, contexts=("Ery", "Mono"), focus="Mono")
    page.runs.start(explain("integrated-gradients", SITE, ("Ery",), n_steps=4))
    wait(page, lambda: page.runs.over)
    report = exported(page)
    dataset = page.runs.dataset
    assert f"Bases that matter most in {dataset.attrs['target']}" in "".join(report.tables)
    assert report.file("attribution.tsv")["attribution"].tolist() == pytest.approx(
        dataset["attribution"].values.tolist(), rel=1e-5, abs=1e-9
    )
    page.session.close()


def test_variants_reports_the_one_that_is_open(runtime):
    page = VariantsPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW)
    page.run.follow()
    wait(page, lambda: page.run.work is not None and page.run.complete and page.run.table() is not None)
    with pytest.raises(ResultError, match="open one variant"):
        page._make_file(".html")
    row = page.run.table().iloc[0]
    page._choose(row["key"])
    wait(page, lambda: page.shows_one and page.view._detail._pane.visible)
    report = exported(page)
    assert number(report.table("Effects, the strongest")["Effect"][0]) == pytest.approx(
        row["effect"], abs=6e-4
    )
    page.session.close()


def test_individual_reports_the_person_on_screen(runtime):
    page = IndividualPage(runtime)
    first_people(page)
    page.state.param.update(locus=VIEW, settled=VIEW)
    page.choice.hear({"sample": "bob"})
    wait(page, lambda: page.state.sample == "bob" and page.run.status == "done")
    report = exported(page)
    assert "PRIVATE" in report.text and "bob" in report.headings[0][1]
    assert len(report.file("variants.tsv")) == len(page.run.table())
    assert any("sample=bob" in link for link in report.links)
    page.state.mode = "sum"
    wait(page, lambda: page.run.status == "done" and page.run.prediction is not None)
    summed = exported(page)
    assert any("mode=sum" in link for link in summed.links) and "sum of variants" in summed.html
    page.session.close()


def test_disease_reports_the_pair_that_is_looked_at(runtime, tmp_path):
    page = DiseasePage(runtime)
    page.tables._folder = tmp_path / "tables"
    page.state.param.update(source="simulated", methods=("variant",), permutations="1000")
    wait(page, lambda: page.run.status == "done" and page.state.trait)
    report = exported(page)
    assert "SIMULATED:" in report.text and page.state.trait in report.text
    assert any("source=simulated" in link for link in report.links)
    page.session.close()

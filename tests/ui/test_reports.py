"""Reports in a browser: nothing is asked of the network, everything fits, and the numbers can be saved."""

from __future__ import annotations

import pandas as pd
import pytest

import phenviz
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.app.reports.parsed import check_report
from tests.effects.toys import people_project


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    with ModelService(open_world(people_project(folder)), "cpu", store=folder / "store") as service:
        ref = service.world.reference.sequence(phenviz.Locus("20", 6_049, 6_050)).upper()
        asked = {"locus": "chr20:6,001-6,200", "person": "bob@20:2,001-9,000"}
        asked["variant"] = f"20:6050:{ref}:{ref}TTAC"
        yield {
            name: phenviz.report(what, folder / f"{name}.html", service=service)
            for name, what in asked.items()
        }


@pytest.mark.parametrize("width", [1024, 1440])
@pytest.mark.parametrize("name", ["locus", "variant", "person"])
def test_a_report_asks_nothing_of_the_network_and_fits_its_window(browser, reports, name, width):
    asked, said = [], []
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(reports[name].as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == [] and said == []
    # tables scroll by themselves where they are too wide
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(one => one.getBoundingClientRect().width)"
    )
    assert boxes and all(0.25 * width < box <= width for box in boxes)
    assert page.pdf()[:4] == b"%PDF"
    page.close()


def test_the_numbers_of_a_report_can_be_saved(browser, reports, tmp_path):
    page = browser.new_page()
    page.goto(reports["variant"].as_uri())
    with page.expect_download() as expected:
        page.click("a[download$='.effects.tsv']")
    path = tmp_path / expected.value.suggested_filename
    expected.value.save_as(path)
    there = check_report(reports["variant"].read_text()).file("effects.tsv")
    pd.testing.assert_frame_equal(pd.read_csv(path, sep="\t", comment="#"), there)
    page.close()


def test_export_makes_a_report_that_leads_back_to_the_view(open_page, dashboard, tmp_path):
    page = open_page("explore?locus=chr20:1600826-1601025&contexts=Mono,Ery&focus=Mono")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as expected:
        page.get_by_role("menuitem", name="Report (.html)").click()
    expected.value.save_as(tmp_path / "report.html")
    report = check_report((tmp_path / "report.html").read_text())
    assert report.headings[0][1] == "chr20:1,600,826-1,601,025"
    links = [link for link in report.links if not link.startswith("#")]
    assert all(link.startswith(f"{dashboard}explore?locus=chr20:1600826-1601025") for link in links) and links

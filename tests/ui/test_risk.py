"""The Risk page in a real browser, on the embedded world."""

from __future__ import annotations

import re

import pytest

from tests.ui.figures import click_figure

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

_SCORED_MS = 480_000
# the first gene of the chain: boxes of a column stand one below the other, in its middle
_FIRST_GENE = """p => { const data = p.renderers.map(r => r.data_source?.data).find(d => d && d.step)
  const at = Array.from(data.column).lastIndexOf('gene'); return [data.x[at], data.y[at]] }"""


def open_scored(open_page, query="risk", **how):
    page = open_page(query, ready="risk-status", **how)
    return scored(page)


def scored(page):
    status = page.get_by_test_id("risk-status")
    ended = page.locator("[data-state=done], [data-state='no model']")
    status.and_(ended.or_(page.locator("[data-state=waiting]"))).wait_for(
        timeout=_SCORED_MS, state="attached"
    )
    if status.get_attribute("data-state") == "waiting":
        # a slow machine asks before it takes long
        page.get_by_role("button", name="Score", exact=True).click()
        status.and_(ended).wait_for(timeout=_SCORED_MS, state="attached")
    if status.get_attribute("data-state") == "no model":
        expect(page.get_by_test_id("risk-empty")).to_contain_text("phenviz cohort")
        pytest.skip("the embedded world has no risk model yet")
    return page


def test_somebody_is_scored_at_once_and_the_people_are_called_simulated_in_files_too(open_page):
    page = open_scored(open_page)
    expect(page.get_by_test_id("simulated")).to_have_text("SIMULATED")
    expect(page.get_by_test_id("risk-scores")).to_contain_text("Phenformer")
    page.wait_for_url(re.compile("sample=.*trait="))
    for name, suffix in (("SVG", ".svg"), ("NetCDF", ".nc")):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=re.compile(name)).click()
        assert "SIMULATED" in download.value.suggested_filename
        assert download.value.suggested_filename.endswith(suffix)
    page.get_by_role("button", name="How good the scores are").click()
    expect(page.get_by_test_id("risk-metrics")).to_contain_text("Polygenic score")
    page.wait_for_url(re.compile("view=model"))


@pytest.mark.parametrize("width", [1440, 1024])
def test_a_press_on_a_gene_leads_to_its_variants_and_to_explore(open_page, width):
    page = open_scored(open_page, width=width)
    click_figure(page, "risk-chain", _FIRST_GENE)
    page.wait_for_url(re.compile("gene="))
    gene = re.search("gene=([^&]+)", page.url).group(1)
    expect(page.get_by_test_id("risk-gene-words")).to_contain_text(gene)
    trait = re.search("trait=([^&]+)", page.url).group(1)
    page.get_by_test_id("to-explore").click()
    page.get_by_test_id("view-length").wait_for()
    assert f"trait={trait}" in page.url and "target=trait" in page.url
    if width == 1440:
        page.go_back()
        # nothing about a person is kept: she is scored again
        page.get_by_test_id("risk-status").wait_for(state="attached")
        scored(page)
        expect(page.get_by_test_id("risk-gene-words")).to_contain_text(gene)

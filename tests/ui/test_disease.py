"""Hypotheses in a real browser, on simulated traits of the real world."""

from __future__ import annotations

import re

import pytest

from tests.ui.figures import click_figure

sync_api = pytest.importorskip("playwright.sync_api")
expect, TimeoutError = sync_api.expect, sync_api.TimeoutError
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

SIMULATED = "disease?source=simulated&permutations=1000"
# scoring some 15,000 variants: 50 s on two cores of its own, and over 240 s where five processes share them
_RUN_MS = 480_000


def open_tested(open_page, query=SIMULATED, **how):
    page = open_page(query, ready="disease-status", **how)
    try:
        page.locator("[data-testid=disease-status][data-state=done]").wait_for(timeout=_RUN_MS)
    except TimeoutError:
        pytest.fail(f"not done: {page.get_by_test_id('disease-status').inner_text()}")
    return page


def test_simulated_traits_are_shown_and_labelled_without_any_pack(open_page):
    page = open_tested(open_page)
    expect(page.get_by_test_id("simulated")).to_have_text("SIMULATED")
    expect(page.get_by_test_id("disease-trait")).to_contain_text("SIMULATED-")
    page.wait_for_url(re.compile("trait=SIMULATED-"))


@pytest.mark.parametrize("width", [1440, 1024])
def test_one_click_leads_to_the_loci_and_one_more_to_explore(open_page, width):
    page = open_tested(open_page, width=width)
    page.get_by_role("button", name="What stands behind this").click()
    page.locator("[data-testid=evidence-status][data-state=done]").wait_for(timeout=_RUN_MS, state="attached")
    rows = page.get_by_test_id("disease-loci").locator("tbody tr")
    expect(rows.first).to_be_visible()
    rows.first.click()
    page.get_by_text("Variants of this locus").wait_for()
    page.get_by_test_id("disease-variants").locator("tbody tr").first.click()
    page.get_by_test_id("logos").wait_for(timeout=_RUN_MS)
    page.wait_for_url(re.compile("evidence=.*variant=20:"))
    context = re.search("evidence=([^&]+)", page.url).group(1)
    page.get_by_test_id("to-explore").click()
    page.get_by_test_id("view-length").wait_for()
    assert "/explore?locus=chr20:" in page.url and f"focus={context}" in page.url


def test_clicks_on_the_heat_map_open_the_evidence_after_another_view_was_shown(open_page):
    page = open_tested(open_page)
    page.get_by_role("button", name="QQ plots").click()
    page.wait_for_url(re.compile("view=qq"))
    page.get_by_role("button", name="Heat map").click()
    click_figure(page, "hypothesis-map", "p => [0.5, 0.5]")
    page.wait_for_url(re.compile("evidence="))


def test_what_is_on_screen_is_exported(open_page):
    page = open_tested(open_page)
    for name, suffix in (("SVG", ".svg"), ("TSV", ".tsv"), ("Methods", ".txt")):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=re.compile(name)).click()
        assert download.value.suggested_filename.endswith(suffix)
        assert "SIMULATED" in download.value.path().read_text()


def test_missing_packs_are_named_with_their_size_and_offered(open_page):
    page = open_page("disease?source=ukbb-blood-finemap", ready="disease-status")
    status = page.get_by_test_id("disease-status")
    expect(status).to_have_attribute("data-state", re.compile("missing|waiting|done|queued|running"))
    if status.get_attribute("data-state") == "missing":
        expect(page.get_by_role("button", name=re.compile("Fetch ukbb-blood-finemap .*MB"))).to_be_visible()


def test_the_page_opens_on_a_result_of_real_traits_and_says_where_it_comes_from(open_page):
    page = open_page("disease", ready="disease-trait")
    expect(page.get_by_test_id("simulated")).to_have_count(0)
    page.wait_for_url(re.compile("source=ukbb-blood-finemap"))
    expect(page.locator("[data-testid=disease-empty]")).to_have_count(0)
    told = page.get_by_test_id("embedded-result")
    expect(told).to_contain_text("comes with PhenViz")
    expect(told).to_contain_text("tissues24@")
    expect(told).to_contain_text("10,000 draws")
    page.wait_for_url(re.compile("method=sequence"))
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('trait-bars')")

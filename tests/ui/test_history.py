"""Back and Forward of the browser."""

from __future__ import annotations

import re

import pytest

from tests.ui.figures import click_figure

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

VIEW = "variants?locus=chr20:3770001-3800000"


def go_to(page, text: str) -> None:
    box = page.get_by_test_id("locus")
    box.fill(text)
    box.press("Enter")


def test_back_and_forward_lead_through_the_genes_that_were_visited(open_page):
    page = open_page("explore?locus=chr20:1592001-1610000")
    box = page.get_by_test_id("locus")
    entries = page.evaluate("history.length")
    for _ in range(3):
        page.get_by_test_id("move-right-10").click()
    expect(box).to_have_value(re.compile("chr20:1,597,"))
    page.wait_for_url(re.compile("locus=chr20:1597"))
    assert page.evaluate("history.length") == entries
    moved = box.input_value()
    go_to(page, "SMOX")
    page.wait_for_url(re.compile("locus=chr20:4"))
    assert page.evaluate("history.length") == entries + 1
    page.go_back()
    expect(box).to_have_value(moved)
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('genes').x_range.start < 1600000")
    page.go_forward()
    expect(box).to_have_value(re.compile("chr20:4,"))
    # the page is alive, and what it writes by itself takes no way forward
    page.wait_for_timeout(1_000)
    assert page.evaluate("history.length") == entries + 1


def test_back_leads_from_a_variant_to_the_list_and_the_figures_still_listen(open_page):
    page = open_page(VIEW)
    page.locator("[data-testid=variants-status][data-state=done]").wait_for()
    page.get_by_test_id("variants").locator("tbody tr").first.click()
    page.wait_for_url(re.compile("variant="))
    page.go_back()
    page.get_by_test_id("variants").wait_for()
    assert "variant=" not in page.url
    click_figure(page, "volcano", "p => ['x', 'y'].map(axis => p.renderers[0].data_source.data[axis][3])")
    page.get_by_test_id("variant-title").wait_for()


def test_a_run_that_goes_on_is_on_screen_again_after_a_reload(open_page):
    page = open_page("explore?locus=chr20:30000001-32000000&method=integrated-gradients")
    page.locator("[data-testid=cost]:not(.waiting):not(.refused)").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[data-testid=run-status][data-state=running]").wait_for()
    page.wait_for_url(re.compile("run="))
    page.reload()
    page.locator("[data-testid=run-status][data-state=running]").wait_for()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.locator("[data-testid=run-status][data-state=cancelled]").wait_for()

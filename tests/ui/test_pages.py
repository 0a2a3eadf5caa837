"""Getting from one page of the dashboard to another."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

SITE = "?locus=chr20:1600826-1601025&contexts=Ery,Mono&focus=Ery"


def test_the_model_card_opens_in_a_tab_of_its_own(open_page):
    page = open_page("explore" + SITE)
    with page.expect_popup() as opened:
        page.get_by_role("link", name=re.compile("^model ")).click()
    card = opened.value
    card.get_by_role("heading", name=re.compile("Model card")).wait_for()
    card.get_by_text("not for clinical use").first.wait_for()
    # without bars at its sides a page once lay half outside of the window
    box = card.get_by_role("heading", name=re.compile("Model card")).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= card.viewport_size["width"]
    # wide tables scroll by themselves
    page_wide = """() => {
      const wide = []
      const look = (root) => root.querySelectorAll("*").forEach((e) => {
        if (e.classList.contains("scrollable") && e.scrollWidth > e.clientWidth + 1) wide.push(e.className)
        if (e.shadowRoot) look(e.shadowRoot)
      })
      look(document)
      return wide
    }"""
    assert card.evaluate(page_wide) == []


def test_links_between_pages_keep_locus_and_contexts(open_page):
    page = open_page("about" + SITE, ready="place")
    page.get_by_role("link", name="Explore", exact=True).click()
    expect(page.get_by_test_id("locus")).to_have_value("chr20:1,600,826-1,601,025")
    assert page.get_by_test_id("focus-Ery").is_checked()
    assert not page.get_by_test_id("context-B").is_checked()


def test_an_unknown_page_leads_to_the_others(browser, dashboard):
    page = browser.new_page()
    answer = page.goto(dashboard + "nowhere/<b>at</b>?all=1")
    assert answer.status == 404
    page.get_by_role("heading", name="There is no such page").wait_for()
    assert page.locator("b").count() == 0
    page.get_by_role("link", name="Explore").click()
    page.get_by_test_id("view-length").wait_for()
    page.close()

"""What can be done without a mouse, without seeing, and at a large magnification."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui


def test_the_first_tab_skips_to_the_locus_and_arrow_keys_move_the_view(open_page):
    page = open_page("explore?locus=chr20:1600001-1601000")
    box = page.get_by_test_id("locus")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the view")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.get_by_role("application", name=re.compile("Tracks along the genome")).focus()
    page.keyboard.press("ArrowRight")
    expect(box).to_have_value("chr20:1,600,101-1,601,100")
    page.keyboard.press("ArrowLeft")
    expect(box).to_have_value("chr20:1,600,001-1,601,000")
    page.keyboard.press("-")
    expect(page.get_by_test_id("view-length")).to_have_text("1.5 kb")


def test_figures_say_what_they_are(open_page):
    page = open_page("variants?locus=chr20:3770001-3800000")
    page.locator("[data-testid=variants-status][data-state=done]").wait_for()
    for name in ("Effects of variants against", "Heat map of the effects"):
        expect(page.get_by_role("img", name=re.compile(name))).to_be_visible()


def test_at_200_percent_a_run_can_be_started(open_page):
    page = open_page("explore?locus=chr20:1600826-1601025", width=720, height=450)
    page.get_by_role("button", name="Open contextbar").click()
    page.locator("[data-testid=cost]:not(.waiting):not(.refused)").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[data-testid=run-status][data-state=done]").wait_for(state="attached")
    for name in ("Share", "Export", "Toggle theme"):
        expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)


def test_the_list_of_people_is_one_stop_and_arrow_keys_lead_through_it(open_page):
    page = open_page("individual?locus=chr20:3768001-3786000&sample=HG00096")
    page.get_by_test_id("person-HG00096").wait_for()
    page.get_by_test_id("person-search").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("person-HG00096")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = page.get_by_test_id("person-HG00097")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(chosen).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("context-search")).to_be_focused()

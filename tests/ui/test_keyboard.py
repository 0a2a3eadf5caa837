"""What can be done without a mouse, without seeing, and at a large magnification."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui


_FOCUSED = """() => {
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  const label = element.labels?.[0]?.textContent
  const named = [element.getAttribute("aria-label"), element.title, element.textContent, label]
  const name = named.find((text) => text?.trim())
  return [element.tagName, name ?? "", element.dataset.testid ?? ""]
}"""


def test_the_first_tab_skips_to_the_locus_and_arrow_keys_move_the_view(open_page):
    page = open_page("explore?locus=chr20:1600001-1601000")
    box = page.get_by_test_id("locus")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the locus")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.reload()
    page.get_by_role("application", name=re.compile("Tracks along the genome")).wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the tracks")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("application", name=re.compile("Tracks along the genome"))).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(box).to_have_value("chr20:1,600,101-1,601,100")
    page.keyboard.press("ArrowLeft")
    expect(box).to_have_value("chr20:1,600,001-1,601,000")
    page.keyboard.press("-")
    expect(page.get_by_test_id("view-length")).to_have_text("1.5 kb")


def test_stops_of_tab_are_few_and_named_and_no_canvas_is_one(open_page):
    page = open_page("explore?locus=chr20:1600001-1601000")
    page.get_by_role("application", name=re.compile("Tracks along the genome")).wait_for()
    page.wait_for_timeout(1_000)
    stops = []
    while not stops or stops[-1][0] != "BODY":
        page.keyboard.press("Tab")
        stops.append(page.evaluate(_FOCUSED))
        assert len(stops) < 50
    assert all(name.strip() for _tag, name, _testid in stops[:-1]), stops
    assert [testid for _tag, _name, testid in stops].index("locus") < 22
    # the contexts are one stop, and arrow keys lead through them
    page.get_by_test_id("group-progenitors").focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("context-MPP")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_test_id("context-MPP")).not_to_be_checked()
    page.get_by_test_id("context-search").fill("B cell")
    expect(page.get_by_test_id("context-B")).to_be_visible()
    page.get_by_test_id("contexts-none").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("group-lymphoid")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_test_id("context-B")).to_be_hidden()
    # the buttons that move are another
    page.get_by_test_id("zoom-out-10").focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("move-right-95")).to_be_focused()


def test_a_click_on_the_tracks_lets_arrow_keys_move_the_view(open_page):
    page = open_page("explore?locus=chr20:1600001-1601000")
    page.get_by_role("application", name=re.compile("Tracks along the genome")).wait_for()
    box = page.get_by_role("application", name=re.compile("Tracks along the genome")).bounding_box()
    page.mouse.click(box["x"] + 500, box["y"] + 150)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("locus")).to_have_value("chr20:1,600,101-1,601,100")


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

"""Changes of expression by tissue in a real browser on the real world."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=90_000)
pytestmark = pytest.mark.ui

WIDTH = "() => Bokeh.documents[0].get_model_by_name('expression-map')?.width"


def test_one_variant_changes_expression_by_organ_and_by_tissue(open_page):
    page = open_page("variants?origin=pasted&lines=20:3776400:C:G&variant=20:3776400:C:G")
    expect(page.get_by_test_id("expression-changes")).to_be_visible(timeout=480_000)
    expect(page.locator("table.facts", has_text="Strongest in")).to_contain_text("CDC25B")
    folded = page.evaluate(WIDTH)
    page.get_by_role("button", name="All tissues").click()
    page.wait_for_function(f"{WIDTH} > {folded}")
    page.wait_for_url(re.compile("columns=tissues"))
    page.reload()
    expect(page.get_by_test_id("expression-changes")).to_be_visible(timeout=480_000)
    expect(page.get_by_role("button", name="All tissues")).to_have_attribute("aria-pressed", "true")


def test_a_persons_expression_stands_below_the_tracks_and_follows_the_person(open_page):
    page = open_page("individual?locus=chr20:3770001-3790000&sample=HG00096&below=expression")
    expect(page.get_by_test_id("expression-changes")).to_be_visible(timeout=480_000)
    strongest = page.locator("table.facts", has_text="Strongest in")
    expect(strongest).to_contain_text("CDC25B, haplotype 1")
    first = strongest.inner_text()
    page.get_by_role("button", name="Variants carried").click()
    page.get_by_test_id("person-variants").locator("tbody tr").first.wait_for()
    page.get_by_text("HG00097", exact=True).click()
    page.get_by_role("button", name="Expression by tissue").click()
    expect(page.get_by_test_id("expression-changes")).to_be_visible(timeout=480_000)
    expect(strongest).not_to_have_text(first)
    page.wait_for_url(re.compile("below=expression"))

"""Lists of variants, and one of them, in a real browser on the real world."""

from __future__ import annotations

import re

import pytest

from tests.ui.figures import click_figure

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

VIEW = "variants?locus=chr20:3770001-3800000"


def wait_until_done(page) -> None:
    page.locator("[data-testid=variants-status][data-state=done]").wait_for()


def test_the_variants_of_a_region_are_scored_filtered_and_sorted(open_page):
    page = open_page(VIEW)
    wait_until_done(page)
    rows = page.get_by_test_id("variants").locator("tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_test_id("variants-filter").fill("cdc25b |effect|>0.3")
    expect(page.get_by_test_id("variants-count")).to_have_text(re.compile(r"^\d+ of \d+$"))
    assert all("CDC25B" in text for text in rows.all_inner_texts())
    page.get_by_role("button", name="Position", exact=True).click()
    page.get_by_role("columnheader", name="Position ↓").wait_for()
    expect(page.get_by_role("button", name="Position ↓")).to_be_focused()
    page.wait_for_url(re.compile("sort=-position"))


def test_one_variant_has_a_page_with_forest_motifs_genes_and_carriers(open_page):
    page = open_page(VIEW)
    wait_until_done(page)
    page.get_by_test_id("variants").locator("tbody tr[data-key='20:3791837:C:T']").click()
    expect(page.get_by_test_id("variant-title")).to_contain_text("rs566817490")
    page.get_by_test_id("logos").wait_for()
    # the change completes the core of a motif that the model has learnt for myeloid cells
    expect(page.locator("table.facts", has_text="gained")).to_contain_text("SPI1", timeout=480_000)
    expect(page.locator("table.facts", has_text="Carriers")).to_contain_text("EUR")
    page.wait_for_url(re.compile("variant=20:3791837:C:T"))
    page.reload()
    expect(page.get_by_test_id("variant-title")).to_contain_text("3,791,837")
    page.get_by_role("button", name="All variants").click()
    page.get_by_test_id("variants").wait_for()


def test_pasted_lines_and_rsids_are_scored_and_live_in_the_address(open_page):
    page = open_page("variants?origin=pasted&lines=rs6116042;20:1600925:G:A&locus=chr20:1592001-1610000")
    wait_until_done(page)
    expect(page.get_by_test_id("variants").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_test_id("variants")).to_contain_text("rs6116042")


def test_a_button_that_is_pressed_right_after_typing_reports_no_error(open_page):
    page = open_page("variants?origin=pasted")
    button = page.get_by_role("button", name="Score variants")
    expect(page.get_by_test_id("variants-status")).not_to_have_text(re.compile("Loading"))
    page.locator("textarea").first.fill("rs6116042")
    button.click()
    wait_until_done(page)
    page.locator("textarea").first.fill("rs6116042\n20:1600925:G:A")
    button.click()
    # beside the common variants, which are scored at the same time: on a busy machine that takes minutes
    expect(page.get_by_test_id("variants").locator("tbody tr")).to_have_count(2, timeout=400_000)
    expect(page.get_by_text("Something went wrong")).to_have_count(0)


def test_lines_that_are_no_variants_are_named_and_the_others_scored(open_page):
    page = open_page("variants?origin=pasted&lines=20:1600925:G:A;banana;20:3776968:T:A;20:1600925:T:A")
    wait_until_done(page)
    expect(page.get_by_test_id("variants").locator("tbody tr")).to_have_count(2)
    status = page.get_by_test_id("variants-status")
    expect(status).to_contain_text("line 2 (banana)")
    expect(status).to_contain_text("REF is T, GRCh37 has G")
    # what the world's individuals know of the others
    row = page.get_by_test_id("variants").locator("tbody tr[data-key='20:3776968:T:A']")
    expect(row).to_contain_text("rs6116042")
    expect(row).to_contain_text("0.532")
    page.get_by_test_id("variants-filter").fill("frequency>=0.5")
    expect(page.get_by_test_id("variants-count")).to_contain_text("1 of 2")


def test_a_long_region_waits_to_be_asked_and_can_be_cancelled(open_page):
    page = open_page("variants?locus=chr20:1000001-4000000")
    page.locator("[data-testid=variants-status][data-state=waiting]").wait_for()
    page.get_by_role("button", name="Score variants").click()
    page.locator("[data-testid=variants-status][data-state=running]").wait_for()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.locator("[data-testid=variants-status][data-state=cancelled]").wait_for()


def test_what_the_filter_leaves_is_exported(open_page):
    page = open_page(VIEW)
    wait_until_done(page)
    page.get_by_test_id("variants-filter").fill("|effect|>0.5")
    count = page.get_by_test_id("variants-count")
    expect(count).to_have_text(re.compile(r"^\d of \d+$"))
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=re.compile("TSV, one row")).click()
    lines = [line for line in download.value.path().read_text().splitlines() if not line.startswith("#")]
    assert len(lines) - 1 == int(count.inner_text().split()[0])
    assert "effect.Mono" in lines[0]


def test_clicks_on_the_figures_choose_a_variant_after_another_view_was_shown(open_page):
    page = open_page(VIEW)
    wait_until_done(page)
    page.get_by_test_id("variants").locator("tbody tr").first.click()
    page.get_by_test_id("variant-title").wait_for()
    page.get_by_role("button", name="All variants").click()
    page.get_by_test_id("variants").wait_for()
    click_figure(page, "volcano", "p => ['x', 'y'].map(axis => p.renderers[0].data_source.data[axis][3])")
    page.get_by_test_id("variant-title").wait_for()

"""What a biologist does on the Explore page, in a real browser on the real world."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

SITE = "?locus=chr20:1600826-1601025"


def go_to(page, text: str) -> None:
    box = page.get_by_test_id("locus")
    box.click()
    box.fill(text)
    box.press("Enter")


def wait_for_length(page, words: str) -> None:
    expect(page.get_by_test_id("view-length")).to_have_text(words)


def wait_for_run(page, state: str) -> None:
    page.locator(f"[data-testid=run-status][data-state={state}]").wait_for()


def press_run(page) -> None:
    page.locator("[data-testid=cost]:not(.waiting):not(.refused)").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()


def drawn_range(page, track: str = "genes") -> tuple[float, float]:
    """What a track's figure shows, from the browser's own models."""
    code = "name => { const r = Bokeh.documents[0].get_model_by_name(name).x_range; return [r.start, r.end] }"
    start, end = page.evaluate(code, track)
    return start, end


def test_the_page_opens_with_tracks_and_predicts_the_view_on_its_own(open_page):
    page = open_page()
    assert page.get_by_test_id("place").inner_text() == "GRCh37 · chr20"
    page.get_by_test_id("activity-ready").wait_for()
    start, end = drawn_range(page, "activity")
    assert (round(start), round(end)) == (1_592_000, 1_610_000)
    assert page.get_by_test_id("context-Mono").is_checked()


def test_a_gene_typed_in_any_case_is_shown_in_the_tracks(open_page):
    page = open_page()
    go_to(page, "hnf4a")
    expect(page.get_by_test_id("locus")).to_have_value(re.compile(r"chr20:43,0\d\d,\d{3}-43,0\d\d,\d{3}"))
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('genes').x_range.end > 43058000")
    page.get_by_test_id("back").click()
    wait_for_length(page, "18 kb")


def test_an_unknown_gene_is_answered_in_words_with_names_to_click(open_page):
    page = open_page()
    go_to(page, "SIRPBB1")
    expect(page.get_by_test_id("locus-message")).to_contain_text("no gene 'SIRPBB1'")
    page.get_by_test_id("suggestion").filter(has_text=re.compile("^SIRPB1$")).click()
    expect(page.get_by_test_id("locus-message")).to_be_hidden()
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('genes').x_range.start < 1590000")


def test_escape_takes_back_what_was_wrong_and_the_same_mistake_is_told_again(open_page):
    page = open_page()
    box, message = page.get_by_test_id("locus"), page.get_by_test_id("locus-message")
    for _ in range(2):
        go_to(page, "SIRPBB1")
        # what was said before is still there, hidden, until the answer comes
        expect(message).to_be_visible()
        expect(message).to_contain_text("no gene 'SIRPBB1'")
        page.get_by_test_id("suggestion").first.press("Escape")
        expect(message).to_be_hidden()
        expect(box).to_be_focused()
        expect(box).to_have_value("chr20:1,592,001-1,610,000")


def test_an_emptied_locus_box_shows_the_locus_again(open_page):
    page = open_page()
    go_to(page, "")
    expect(page.get_by_test_id("locus")).to_have_value("chr20:1,592,001-1,610,000")


@pytest.mark.parametrize("at", ["summary", "input", "body"])
def test_escape_closes_the_menu_of_tracks_and_returns_to_its_button(open_page, at):
    page = open_page()
    menu = page.get_by_test_id("track-menu")
    menu.locator("summary").click()
    expect(menu.locator(".panel")).to_be_visible()
    (page.locator("body") if at == "body" else menu.locator(at).first).press("Escape")
    expect(menu.locator(".panel")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_text_from_a_user_is_never_markup(open_page):
    page = open_page()
    go_to(page, "<img src=x onerror=alert(1)>")
    expect(page.get_by_test_id("locus-message")).to_contain_text("<img")


def test_zoom_and_move_buttons_change_the_view(open_page):
    page = open_page("?locus=chr20:1600001-1601000")
    page.get_by_test_id("zoom-out-3").click()
    wait_for_length(page, "3 kb")
    page.get_by_test_id("zoom-in-10").click()
    wait_for_length(page, "300 bp")
    page.get_by_test_id("move-right-95").click()
    page.wait_for_function(
        "() => Math.round(Bokeh.documents[0].get_model_by_name('genes').x_range.start) > 1600600"
    )


def test_mutagenesis_of_200_bp_fills_the_tracks_and_the_table(open_page):
    page = open_page(SITE)
    press_run(page)
    wait_for_run(page, "done")
    rows = page.get_by_test_id("table-bases").locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() > 50
    page.get_by_role("tab", name="Motifs").click()
    page.get_by_test_id("table-motifs").locator("tbody tr").first.wait_for()
    page.get_by_test_id("table-motifs").locator("tbody tr").first.click()
    page.get_by_test_id("back").and_(page.locator(":enabled")).wait_for()


def test_a_table_is_one_tab_stop_and_its_rows_are_reached_and_pressed_by_keys(open_page):
    page = open_page(SITE)
    press_run(page)
    wait_for_run(page, "done")
    panel = page.get_by_test_id("table-bases")
    rows = panel.locator("tbody tr")
    # what is found last is drawn into the rows
    expect(panel).not_to_contain_text("searching motifs")
    page.get_by_role("tab", name="Motifs").press("Tab")
    expect(rows.first).to_be_focused()
    for key, row in (("ArrowDown", 1), ("End", -1), ("ArrowDown", -1), ("Home", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(rows.nth(row)).to_be_focused()
        expect(panel.locator("tr[tabindex='0']")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    position = rows.nth(1).locator("td").first.inner_text()
    expect(rows.nth(1)).to_have_accessible_name(re.compile(f"^{position} [ACGT] "))
    page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(rows.nth(1)).to_be_focused()


def test_reloading_the_address_restores_view_and_result(open_page):
    page = open_page(SITE + "&contexts=Ery,Mono&focus=Ery")
    press_run(page)
    wait_for_run(page, "done")
    page.wait_for_url(re.compile(r"run=mutagenesis~"))
    page.reload()
    wait_for_run(page, "done")
    assert page.get_by_test_id("locus").input_value() == "chr20:1,600,826-1,601,025"
    assert page.get_by_test_id("focus-Ery").is_checked()
    assert not page.get_by_test_id("context-B").is_checked()
    page.get_by_test_id("table-bases").locator("tbody tr").first.wait_for()


def test_integrated_gradients_of_100_kb_run_with_progress(open_page):
    page = open_page("?locus=chr20:1550001-1650000&method=integrated-gradients")
    press_run(page)
    page.locator("[data-testid=run-status]:not([data-state=empty])").wait_for()
    wait_for_run(page, "done")
    page.get_by_test_id("table-bases").locator("tbody tr").first.wait_for()


def test_a_cancelled_run_says_so_and_the_page_goes_on(open_page):
    page = open_page("?locus=chr20:30000001-33000000&method=integrated-gradients")
    press_run(page)
    wait_for_run(page, "running")
    page.get_by_role("button", name="Cancel", exact=True).click()
    wait_for_run(page, "cancelled")
    expect(page.get_by_test_id("run-status")).to_contain_text("Cancelled")
    go_to(page, "SMOX")
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('genes').x_range.end < 5000000")


def test_the_figure_is_saved_as_svg_with_text_as_text(open_page):
    page = open_page()
    page.get_by_test_id("activity-ready").wait_for()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=re.compile("SVG")).click()
    assert download.value.suggested_filename == "phenviz_chr20_1592001-1610000.svg"
    text = download.value.path().read_text()
    assert text.lstrip().startswith("<?xml")
    assert "SIRPB1" in text


def test_the_theme_reaches_page_and_tracks(open_page):
    page = open_page()
    page.get_by_role("button", name="Toggle theme").click()
    page.locator(".mui-dark").first.wait_for()
    page.wait_for_url(re.compile("theme=dark"))
    page.reload()
    page.locator(".mui-dark").first.wait_for()


def test_two_tabs_are_independent(open_page):
    first, second = open_page(SITE), open_page()
    go_to(first, "SMOX")
    first.wait_for_function("() => Bokeh.documents[0].get_model_by_name('genes').x_range.start > 4000000")
    assert second.get_by_test_id("locus").input_value() == "chr20:1,592,001-1,610,000"
    first.get_by_test_id("contexts-none").click()
    first.get_by_text("0 of 24 shown").wait_for()
    assert second.get_by_text("22 of 24 shown").is_visible()


def test_in_a_narrow_window_the_run_panel_folds_away_and_tracks_take_the_space(open_page):
    page = open_page(width=1024, height=768)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_hidden()
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('ruler').inner_width > 600")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()

"""What fits on the page, and what a user moves there."""

from __future__ import annotations

import re

import pytest

from tests.ui.test_explore import SITE, press_run, wait_for_run

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.ui

_BOXES = """names => names.map(name => {
  const model = Bokeh.documents[0].get_model_by_name(name)
  const box = Bokeh.index.find_one(model)?.el.getBoundingClientRect()
  return box ? [box.top, box.bottom] : null
})"""
_TRACKS = ["ruler", "genes", "elements", "observed", "contribution", "effects", "activity"]


def boxes(page, names: list[str]) -> dict[str, list[float] | None]:
    return dict(zip(names, page.evaluate(_BOXES, names), strict=True))


def boxes_at_rest(page, names: list[str]) -> dict[str, list[float] | None]:
    """Return the boxes once two looks agree: a busy machine takes its time to lay a page out."""
    for _ in range(60):
        before = boxes(page, names)
        page.wait_for_timeout(800)
        if boxes(page, names) == before:
            return before
    raise AssertionError(f"the page doesn't come to rest: {before}")


def test_a_result_leaves_genes_and_peaks_in_sight_and_no_blank_and_nothing_moves(open_page):
    page = open_page(SITE + "&hidden=finemapped")
    page.get_by_test_id("activity-ready").wait_for()
    press_run(page)
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('contribution')")
    before = boxes_at_rest(page, _TRACKS)
    wait_for_run(page, "done")
    assert boxes_at_rest(page, _TRACKS) == before
    for width, height, wanted in ((1440, 900, _TRACKS), (1920, 1080, _TRACKS), (1024, 768, _TRACKS[:5])):
        page.set_viewport_size({"width": width, "height": height})
        here = {name: box for name, box in boxes_at_rest(page, _TRACKS).items() if box is not None}
        table = page.get_by_test_id("split").bounding_box()["y"]
        seen = [name for name, (_top, bottom) in here.items() if bottom <= table + 6]
        # a world without its data pack has no peaks to show
        assert set(wanted) & set(here) <= set(seen)
        # no blank: the line that shows the tracks as a table lies between the last track and the table
        line = page.get_by_role("button", name="Tracks as a table").bounding_box()
        assert max(bottom for _, bottom in here.values()) == pytest.approx(line["y"], abs=1)
        assert line["y"] + line["height"] >= table


def test_the_border_to_the_table_is_dragged_and_moved_by_keys_and_kept(open_page):
    page = open_page("individual")
    page.locator("[data-testid=person-variants]").wait_for()
    split = page.get_by_test_id("split")
    box = split.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] - 96, steps=4)
    page.mouse.up()
    dragged = split.bounding_box()["y"]
    assert abs(dragged - (box["y"] - 100)) < 4
    split.press("ArrowDown")
    assert split.bounding_box()["y"] == pytest.approx(dragged + 24, abs=1)
    page.reload()
    expect(split).to_be_visible()
    page.wait_for_timeout(500)
    assert split.bounding_box()["y"] == pytest.approx(dragged + 24, abs=2)


@pytest.mark.parametrize(
    ("query", "testid"),
    [
        ("variants?locus=chr20:3770001-3800000", "variants"),
        ("individual?locus=chr20:3768001-3786000&sample=HG00096", "person-variants"),
    ],
)
def test_at_200_percent_rows_of_the_table_are_in_sight(open_page, query, testid):
    page = open_page(query, width=720, height=450)
    rows = page.get_by_test_id(testid).locator("tbody tr")
    rows.nth(1).wait_for()
    page.wait_for_timeout(500)
    for row in range(2):
        # rows are wider than the window
        expect(rows.nth(row).locator("td").first).to_be_in_viewport(ratio=1)
    box, whole = page.get_by_test_id(testid).bounding_box(), page.viewport_size["height"]
    # all of the table can be scrolled to
    assert box["y"] + box["height"] <= whole + 1


_SCROLLED = """() => {
  const found = []
  const look = (root) => root.querySelectorAll("*").forEach((e) => {
    const wide = e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX)
    if (wide && e.clientWidth) found.push(e)
    if (e.shadowRoot) look(e.shadowRoot)
  })
  look(document)
  return found.map((e) => e.clientHeight)
}"""


def test_at_200_percent_one_variant_fits_the_width_and_its_late_expression_moves_nothing(open_page):
    query = "variants?locus=chr20:3770001-3800000&variant=20:3776968:T:A"
    page = open_page(query, width=720, height=450, ready="variant-title")
    below = page.get_by_role("heading", name="Effect in every context")
    below.wait_for(state="attached")
    top = below.bounding_box()["y"]
    page.get_by_test_id("expression-changes").wait_for(state="attached")
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('logo-alt')")
    page.wait_for_timeout(800)
    assert below.bounding_box()["y"] == pytest.approx(top, abs=1)
    # maps and tables may scroll by themselves, the page doesn't
    assert all(height < 400 for height in page.evaluate(_SCROLLED))
    assert page.get_by_test_id("variant-title").bounding_box()["x"] >= 0


def test_at_200_percent_logos_of_a_person_leave_the_tracks_their_height(open_page):
    query = "individual?locus=chr20:3776001-3778000&sample=HG00099&variant=20:3776968:T:A"
    page = open_page(query, width=720, height=450)
    page.get_by_test_id("logos").wait_for()
    page.wait_for_timeout(500)
    here, logos = boxes(page, ["ruler", "genes"]), page.get_by_test_id("logos").bounding_box()
    assert here["genes"][1] <= logos["y"] and logos["y"] - here["ruler"][0] >= 100
    # rows are made anew when their effects come
    rows = page.get_by_test_id("person-variants").locator("tbody tr")
    expect(rows.locator("td.effect").first).not_to_have_text("")
    rows.first.scroll_into_view_if_needed()
    expect(rows.first).to_be_in_viewport(ratio=0.3)


def test_both_haplotypes_fit_and_a_variant_opened_in_explore_is_marked(open_page):
    page = open_page("individual?locus=chr20:1592001-1610000")
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('haplotypes')")
    page.get_by_test_id("person-variants").locator("tbody tr").first.wait_for()
    assert (
        len(
            page.evaluate(
                "() => [...Bokeh.documents[0]._all_models.values()].filter(m => m.name === 'difference')"
            )
        )
        == 2
    )
    bottoms = page.evaluate(
        "() => [...Bokeh.documents[0]._all_models.values()].filter(m => m.name === 'difference')"
        ".map(m => Bokeh.index.find_one(m).el.getBoundingClientRect().bottom)"
    )
    assert max(bottoms) < page.get_by_test_id("split").bounding_box()["y"]
    page = open_page(
        "variants?origin=pasted&lines=20:1600925:G:A&variant=20:1600925:G:A", ready="variant-title"
    )
    page.get_by_text("Open in Explore").click()
    page.wait_for_url(re.compile("mark=20:1600925:G:A"))
    page.get_by_test_id("view-length").wait_for()
    line = "() => [...Bokeh.documents[0]._all_models.values()].find(m => m.type === 'VSpan')"
    page.wait_for_function(line)
    assert page.evaluate(
        "() => Bokeh.documents[0].get_model_by_name('genes').renderers"
        ".filter(r => r.glyph?.type === 'VSpan').map(r => Array.from(r.data_source.data.x))"
    ) == [[1_600_925]]

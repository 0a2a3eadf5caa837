"""The dashboard in a cell of a notebook, under a path of its own."""

from __future__ import annotations

import pytest

import phenviz
from tests.ui.conftest import _WAIT_MS

pytestmark = pytest.mark.ui


def test_a_cell_shows_pages_that_find_all_they_need_under_their_path(browser, toy_project):
    dashboard = phenviz.explore("ALPHA", phenviz.open_world(toy_project), device="cpu")
    page, missing = browser.new_page(viewport={"width": 1100, "height": 900}), []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    page.set_default_timeout(_WAIT_MS)
    try:
        page.set_content(dashboard._repr_html_())
        cell = page.frame_locator("iframe")
        cell.get_by_test_id("view-length").wait_for()
        assert cell.get_by_test_id("locus").input_value() == "chr20:6,001-9,000"
        cell.get_by_role("link", name="Variants").click()
        cell.get_by_role("button", name="Score variants").wait_for()
        # what comes late asks for its style sheets, too
        page.wait_for_timeout(2_000)
        assert missing == []
    finally:
        page.close()
        dashboard.stop()

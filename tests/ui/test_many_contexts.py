"""A model with more contexts than can be drawn at once."""

from __future__ import annotations

import pytest

from phenviz.genome import Context
from phenviz.models.checkpoint import save_backbone
from phenviz.models.local import LocalBackbone
from tests.toys import tiny_config, toy_project
from tests.ui.test_truth import served

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.ui

GROUPS = ("blood", "brain", "liver")
COUNT = 1_500


def test_contexts_are_found_ticked_and_walked_through_among_many(browser, tmp_path):
    contexts = [
        Context(f"t{i:04d}", f"sample {i}", f"CL:{i:07d}", GROUPS[i % 3], "#2a6fbb") for i in range(COUNT)
    ]
    project = toy_project(tmp_path)
    save_backbone(LocalBackbone.from_config(tiny_config(contexts)), tmp_path / "toy.safetensors")
    with served(project, tmp_path) as (address, _server):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(90_000)
        page.goto(address)
        counted = page.locator(".list .count")
        expect(counted).to_have_text("39 of 1500 shown")
        # groups are closed, and no row is made before it is looked at
        expect(page.get_by_text("blood (500)")).to_be_visible()
        expect(page.locator("[data-testid^=context-t]")).to_have_count(0)
        expect(page.get_by_text("100% of the view computed")).to_have_count(0)
        search = page.get_by_test_id("context-search")
        search.fill("sample 777")
        expect(page.locator("[data-testid^=context-t]")).to_have_count(1)
        page.get_by_test_id("context-t0777").click()
        expect(counted).to_have_text("40 of 1500 shown")
        page.wait_for_url("**contexts=**t0777**")
        search.fill("sample 1")
        # of these some are in each group: 1, 10 to 19, 100 to 199, 1000 to 1499
        page.get_by_test_id("contexts-all").click()
        expect(counted).to_have_text("640 of 1500 shown")
        page.get_by_test_id("contexts-none").click()
        search.fill("")
        expect(page.locator("[data-testid^=context-t]")).to_have_count(0)
        # by keyboard: one stop, arrows open a group and lead into it
        page.get_by_test_id("group-blood").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("[data-testid^=context-t]")).to_have_count(200)
        expect(page.get_by_text("300 more: search to narrow down")).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_test_id("context-t0000")).to_be_focused()
        assert page.locator(".list input[type=checkbox][tabindex='0']").count() == 1
        page.keyboard.press("Home")
        expect(page.get_by_test_id("group-blood")).to_be_focused()
        page.keyboard.press("Space")
        expect(page.get_by_test_id("context-t0003")).to_be_checked()
        page.close()

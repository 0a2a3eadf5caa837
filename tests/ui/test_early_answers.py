"""What a user does while a page is still being drawn isn't lost."""

from __future__ import annotations

import re

import pytest

from tests.ui.test_individual import some_vcf

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.ui


@pytest.fixture
def undrawn(browser, dashboard):
    """Open a page whose browser doesn't say that it has drawn everything until the second value is called."""
    page = browser.new_page()
    page.set_default_timeout(90_000)
    held: list[tuple] = []

    def pass_on(socket) -> None:
        server, parts = socket.connect_to_server(), []

        def on_message(part) -> None:
            # a message comes as header, metadata and content
            parts.append(part)
            if len(parts) == 3:
                if "document_ready" in parts[2]:
                    held.append((server, *parts))
                else:
                    for sent in parts:
                        server.send(sent)
                parts.clear()

        socket.on_message(on_message)

    def open_page(address: str):
        page.route_web_socket(re.compile("/ws"), pass_on)
        page.goto(dashboard + address)
        return page

    def finish() -> None:
        while not held:
            page.wait_for_timeout(50)
        for server, *parts in held:
            for sent in parts:
                server.send(sent)

    yield open_page, finish
    page.close()


def test_a_file_that_is_handed_over_early_arrives(undrawn, tmp_path):
    open_page, finish = undrawn
    page = open_page("individual?locus=chr20:3768001-3786000")
    page.get_by_test_id("source").select_option("upload")
    page.get_by_test_id("vcf-file").set_input_files(some_vcf(tmp_path / "early.vcf"))
    # the server's answers have come, though what they lead to waits for the rest of the page
    expect(page.get_by_test_id("source").locator("option", has_text="early.vcf")).to_have_count(1)
    finish()
    expect(page.get_by_test_id("person-my_own_genome")).to_have_attribute(
        "aria-pressed", "true", timeout=90_000
    )


def test_variants_that_are_typed_early_are_scored(undrawn):
    open_page, finish = undrawn
    page = open_page("variants?origin=pasted")
    page.locator("textarea").first.fill("rs6116042\n20:1600925:G:A")
    page.get_by_role("button", name="Score variants").click()
    finish()
    expect(page.get_by_test_id("variants").locator("tbody tr")).to_have_count(2, timeout=480_000)
    expect(page.get_by_text("Something went wrong")).to_have_count(0)

"""A page whose server is gone."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.ui


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_that_lost_its_server_says_so_and_offers_to_reload(browser, dashboard, theme):
    page = browser.new_page()
    page.set_default_timeout(90_000)
    sockets = []

    def pass_on(socket) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/ws"), pass_on)
    page.goto(f"{dashboard}about?theme={theme}")
    page.get_by_test_id("place").wait_for()
    notice = page.get_by_test_id("lost")
    expect(notice).to_be_hidden()
    # as a server does that is started anew
    sockets[-1].close()
    expect(notice).to_contain_text("Connection lost")
    expect(notice).to_contain_text("answers again")
    page.keyboard.press("Escape")
    expect(notice).to_be_visible()
    light = notice.evaluate("box => getComputedStyle(box).backgroundColor")
    assert (light == "rgb(255, 255, 255)") is (theme == "light")
    page.keyboard.press("Enter")
    page.get_by_test_id("place").wait_for()
    expect(notice).to_be_hidden()
    page.close()

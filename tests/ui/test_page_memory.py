"""What a closed page leaves behind in the server's process."""

from __future__ import annotations

import pytest

from benchmarks.page_memory import served, use, when_gone

pytestmark = pytest.mark.ui


def test_nothing_of_pages_that_were_opened_used_and_closed_is_kept(browser):
    with served() as (address, ask):
        # the page that the server draws for itself
        assert _pages(when_gone(ask)) == {}
        for count in range(6):
            use(browser, address, count)
        found = when_gone(ask)
        assert _pages(found) == {}
        # beside other work one session may stay, without its page; twelve were opened
        assert found["alive"].get("Session", 0) <= 1


def _pages(found):
    return {kind: count for kind, count in found["alive"].items() if kind.endswith("Page")}

"""What a closed page leaves behind in the server's process."""

from __future__ import annotations

import pytest

from benchmarks.page_memory import served, use, when_gone

pytestmark = pytest.mark.ui


def test_nothing_of_pages_that_were_opened_used_and_closed_is_kept(browser):
    with served() as (address, ask):
        # the page that the server draws for itself
        assert when_gone(ask)["alive"] == {}
        for count in range(6):
            use(browser, address, count)
        assert when_gone(ask)["alive"] == {}

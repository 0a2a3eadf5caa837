"""Waiting for a page without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait(page: Any, over: Callable[[], object]) -> None:
    """Have a page look at what its background does until something is so."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        page.session._tick()
        if over():
            page.session._tick()
            return
        time.sleep(0.02)
    raise AssertionError(f"still {page.run.status if hasattr(page, 'run') else 'at it'}")


def first_people(page: Any) -> None:
    """Wait for the people that a page lists by itself: what is chosen before could be taken back."""
    wait(page, lambda: page.state.sample or page.choice.picker.failed)

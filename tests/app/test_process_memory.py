from __future__ import annotations

import asyncio
import gc

import pytest

from phenviz.app.shell import process_memory
from phenviz.app.shell.process_memory import Housekeeping


@pytest.fixture
def frozen(monkeypatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("aside"))
    monkeypatch.setattr(process_memory, "trim", lambda: done.append("trimmed"))
    monkeypatch.setattr(process_memory, "_AFTER_SECONDS", 0.01)
    return done


class Page:
    pass


def test_objects_are_set_aside_once_no_page_is_open_and_memory_is_given_back_once(frozen):
    async def visit() -> None:
        keeper, first, second = Housekeeping(), Page(), Page()
        keeper.page_opened(first)
        keeper.page_opened(second)
        keeper.set_aside()
        assert frozen == []
        keeper.page_closed(first)
        await asyncio.sleep(0.2)
        assert frozen == ["trimmed"]
        keeper.page_opened(Page())
        keeper.page_closed(second)
        gc.collect()
        await asyncio.sleep(0.2)
        assert frozen == ["trimmed", "aside", "trimmed"]

    asyncio.run(visit())


def test_what_a_page_had_that_was_just_closed_is_not_set_aside(frozen):
    async def visit() -> None:
        keeper, page = Housekeeping(), Page()
        keeper.page_opened(page)
        keeper.page_closed(page)
        keeper.set_aside()
        assert frozen == []
        await asyncio.sleep(0.2)
        assert frozen == ["aside", "trimmed"]

    asyncio.run(visit())


def test_giving_back_memory_does_no_harm_anywhere():
    process_memory.trim()

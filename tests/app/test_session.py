"""What a page is brought after it was closed starts nothing anew."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from phenviz.app.shell.session import Session


def test_closing_waits_for_what_a_thread_brings_and_what_comes_later_is_not_run():
    session, done = Session(), []
    began, leave = threading.Event(), threading.Event()

    def bring():
        began.set()
        assert leave.wait(60)
        done.append("brought")

    session.on_close(lambda: done.append("let go"))
    bringing = threading.Thread(target=session.run_soon, args=(bring,))
    closing = threading.Thread(target=session.close)
    bringing.start()
    assert began.wait(60)
    closing.start()
    leave.set()
    bringing.join(60)
    closing.join(60)
    session.run_soon(lambda: done.append("late"))
    assert done == ["brought", "let go"]


def test_what_waits_for_the_thread_of_a_document_is_not_run_once_its_page_is_closed():
    session, queue, done = Session(), [], []
    session.document = SimpleNamespace(session_context=object(), add_next_tick_callback=queue.append)
    session.run_soon(lambda: done.append("first"))
    queue.pop()()
    session.run_soon(lambda: done.append("second"))
    session.close()
    queue.pop()()
    session.run_soon(lambda: done.append("third"))
    assert done == ["first"] and not queue

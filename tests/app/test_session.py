"""What a page is brought comes in turn, and starts nothing anew once the page is closed."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from phenviz.app.shell.session import Session


def bring(session, function):
    thread = threading.Thread(target=session.run_soon, args=(function,))
    thread.start()
    thread.join(60)


def test_what_a_thread_brings_waits_its_turn_and_is_not_run_after_closing():
    session, done = Session(), []
    bring(session, lambda: done.append(threading.current_thread()))
    assert not done
    session._tick()
    assert done == [threading.current_thread()]
    bring(session, lambda: done.append("before closing"))
    session.close()
    bring(session, lambda: done.append("after closing"))
    session._tick()
    assert len(done) == 1


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

"""What Panel does otherwise than this dashboard needs, and how it is got around; all of it in one place.

Checked with Panel 1.9.4, panel-material-ui 0.16.6 and param 2.4.2: `tests/ui` tells when something of it is
needed no more, or no longer enough.
"""

from __future__ import annotations

from contextvars import Context
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.document import Document
from panel.reactive import Syncable
from panel.util import edit_readonly


def lock_events() -> None:
    """Have clicks run under the document's lock even when a text box has just changed.

    A click that comes while a change is on its way waits for it, and is then run without the lock
    (`panel.io.server.async_execute`): a figure that it redraws then raises "_pending_writes should be ...".
    """
    for coroutine in (Syncable._change_coroutine, Syncable._event_coroutine):
        coroutine.lock = True


def start_busy_timer() -> None:
    """Start Panel's timer for the busy indicator, which runs for ever, in the context of no page.

    It would start with the first click and keep the page that was clicked on.
    """
    Context().run(pn.state._schedule_busy_cleanup)


def never_busy(page: pmui.Page) -> None:
    """Have a page not follow whether the server is busy, which each look at a job would make it tell twice.

    Setting False would leave the watcher on Panel's state, which keeps the page for ever (holoviz/param#963):
    only another reference has it removed.
    """
    with edit_readonly(page):
        page.busy = param.rx(False)


def draw_unseen(page: Any) -> None:
    """Draw a page that no browser asked for, and let go of it."""
    document = Document()
    page.get_root(document)
    forget(document)


def forget(document: Any) -> None:
    """Take a page that was closed out of Panel's lists, which would keep it for as long as the process runs.

    - `state._onload` holds the callbacks of pages that a browser asked for and never drew. Its keys are weak,
      but a callback reaches its own document.
    - `state._views` holds the notifications: panel-material-ui's `NotificationArea.get_root` doesn't put the
      document into `_documents`, so Panel's `_server_destroy` finds nothing to remove.
    """
    pn.state._onload.pop(document, None)
    for name, (_view, _root, of, _comm) in list(pn.state._views.items()):
        if of is document:
            pn.state._views.pop(name, None)

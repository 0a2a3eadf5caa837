"""What Panel and Bokeh do otherwise than this dashboard needs, and how it is got around, in one place.

Checked with Panel 1.9.4, panel-material-ui 0.16.6, Bokeh 3.9.2 and param 2.4.2: `tests/ui` tells when
something of it is needed no more, or no longer enough.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import wraps
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import panel as pn
import panel_material_ui as pmui
import param
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent, DocumentPatchedEvent, MessageSentEvent
from bokeh.server.session import ServerSession
from bokeh.server.views.ws import WSHandler
from bokeh.settings import settings
from panel.io import document as panel_document
from panel.io.location import Location
from panel.reactive import Syncable
from panel.util import edit_readonly

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def lock_events() -> None:
    """Have clicks run under the document's lock even when a text box has just changed.

    A click that comes while a change is on its way waits for it, and is then run without the lock
    (`panel.io.server.async_execute`): a figure that it redraws then raises "_pending_writes should be ...".
    """
    for coroutine in (Syncable._change_coroutine, Syncable._event_coroutine):
        coroutine.lock = True


def keep_style_sheets_relative() -> None:
    """Have style sheets that come late asked for under the path that the dashboard stands under.

    Once the page's own path is known, Panel writes its folder of style sheets as if that path were the root.
    """
    follow = Location._sync_pathname

    @wraps(follow)
    def mended(self: Location) -> None:
        follow(self)
        document = pn.state.curdoc
        folder = document.template_variables.get("dist_url", "") if document is not None else ""
        if folder.startswith("/static/"):
            document.template_variables["dist_url"] = folder.lstrip("/")

    Location._sync_pathname = mended


def keep_early_changes() -> None:
    """Have what changes while the browser still draws a page reach it.

    Panel drops changes that are made under a hold, as all that answer the browser are, until the browser says
    that it has drawn everything: it counts on the document being sent in full then. But the browser pulls the
    document before it draws it, and asks for things in between: an upload that began there waited for ever.
    """
    if getattr(ServerSession._handle_pull, "remembered", False):
        return
    pull, drain = ServerSession._handle_pull, panel_document._drain_unconnected_events
    pulled: WeakSet[Document] = WeakSet()

    @wraps(pull)
    def handle_pull(self: ServerSession, *arguments: Any) -> Any:
        # before the document is written: what changes from here on is sent, if need be twice
        pulled.add(self.document)
        return pull(self, *arguments)

    @wraps(drain)
    def drained(document: Document, lock: Any) -> list[DocumentChangedEvent]:
        held = list(document.callbacks._held_events or [])
        at_once = drain(document, lock)
        if document not in pulled:
            return at_once
        # messages still wait for somebody who hears them, until everything is drawn
        return [event for event in held if event in at_once or _is_change(event)]

    handle_pull.remembered = True  # type: ignore[attr-defined]
    ServerSession._handle_pull = handle_pull
    panel_document._drain_unconnected_events = drained


def send_all_that_waits() -> None:
    """Have changes sent that came while others were being written.

    Where a socket is busy, Panel has a task write them later. One that ends in the meantime takes away the
    mark without which the next does nothing: what that should have written waited for another change.
    """
    dispatch = panel_document._dispatch_msgs
    if getattr(dispatch, "sends_all", False):
        return

    @wraps(dispatch)
    async def dispatch_all(document: Document) -> None:
        if document in panel_document._WRITE_MSGS:
            panel_document._WRITE_BLOCK[document] = True
        await dispatch(document)

    dispatch_all.sends_all = True  # type: ignore[attr-defined]
    panel_document._dispatch_msgs = dispatch_all


def _is_change(event: DocumentChangedEvent) -> bool:
    return isinstance(event, DocumentPatchedEvent) and not isinstance(event, MessageSentEvent)


def spare_checks() -> None:
    """Have a page opened without Bokeh's checks of what developers may have got wrong.

    They look through all models of a page whenever one is opened (a sixth of the time that it takes).
    """
    settings.perform_document_validation = False
    settings.perform_error_diagnostics = False


def refuse_rebound_names() -> None:
    """Have web sockets opened only from names that are allowed, or from this machine's own.

    Tornado takes a page for one of ours wherever the name that it asks by is its own. But a page from
    elsewhere can have its name lead to this machine (DNS rebinding), unless that name is ``localhost``.
    """

    def fault(self: WSHandler, check: Callable[[str], bool]) -> str | None:
        origin = self.request.headers.get("Origin")
        # other programs than browsers send none
        if origin is None or check(origin):
            return None
        place = urlsplit(origin)
        host = self.request.headers.get("Host", "").lower()
        if place.hostname in _LOOPBACK and place.netloc.lower() == host:
            return None
        return f"Origin {origin!r} not allowed"

    WSHandler._check_cross_origin = fault


def remember_defaults() -> None:
    """Have Bokeh work out once per class what a property is when it isn't set.

    It copies and checks the default whenever somebody reads it: 20,000 times for a page, which is a quarter
    of the time that opening one takes. Remembered are numbers, words and None; what can be changed, is made
    anew each time or comes from a theme is Bokeh's own affair.
    """
    if getattr(PropertyDescriptor._get_default, "remembers", False):
        return
    read, is_made_anew = PropertyDescriptor._get_default, PropertyDescriptor.has_unstable_default
    known: dict[tuple[type, str], Any] = {}
    made_anew: dict[tuple[type, str], bool] = {}

    @wraps(is_made_anew)
    def has_unstable_default(self: PropertyDescriptor[Any], model: HasProps) -> bool:
        key = (type(model), self.name)
        if key not in made_anew:
            made_anew[key] = is_made_anew(self, model)
        return made_anew[key]

    @wraps(read)
    def get_default(self: PropertyDescriptor[Any], model: HasProps) -> Any:
        key = (type(model), self.name)
        if self.name in (model.themed_values() or ()):
            return read(self, model)
        if key in known:
            return known[key]
        value = read(self, model)
        if isinstance(value, int | float | str | None) and not has_unstable_default(self, model):
            known[key] = value
        return value

    get_default.remembers = True  # type: ignore[attr-defined]
    PropertyDescriptor._get_default = get_default
    PropertyDescriptor.has_unstable_default = has_unstable_default


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

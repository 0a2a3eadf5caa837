"""Start the dashboard's server."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import panel as pn
from tornado.websocket import WebSocketClosedError

from phenviz.app.pages import PAGES, PageEntry
from phenviz.app.shell.not_found import NotFound
from phenviz.app.shell.panel_workarounds import spare_checks
from phenviz.app.shell.process_memory import HOUSEKEEPING
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.uploads import remove_all

if TYPE_CHECKING:
    from panel.io.server import Server

    from phenviz.world import World

LOG = logging.getLogger("phenviz.app")
_T = TypeVar("_T")
# Between the page and its web socket lie the scripts, which a slow line brings late; but what a user has
# handed over is to be gone soon after the tab is closed.
_PATIENCE_MS = 30_000


def serve(
    world: World | None = None,
    device: str = "auto",
    port: int = 5006,
    show: bool = True,
    *,
    files: Path | None = None,
    address: str = "localhost",
    threaded: bool = False,
) -> Server:
    """Serve all pages of the dashboard until it is interrupted.

    Parameters
    ----------
    world
        What to look at; the embedded world by default.
    device
        Where the model runs: ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    port
        TCP port; 0 takes a free one.
    show
        Whether to open a browser.
    files
        Folder whose VCFs the pages offer to everybody; None for none.
    address
        Interface to listen on; others than ``localhost`` make the dashboard reachable from elsewhere.
    threaded
        Whether to serve from a thread and return at once.
    """
    if world is None:
        from phenviz.world import open_world

        world = open_world()
    logging.getLogger("asyncio").addFilter(_worth_telling)
    spare_checks()
    runtime = Runtime(world, device, files).warm().start()
    if not threaded and threading.current_thread() is threading.main_thread():
        _forget_people_when_ended(runtime)
    HOUSEKEEPING.set_aside()
    # the model brings as much again
    runtime.service_ready.add_done_callback(lambda _ready: HOUSEKEEPING.set_aside())
    return pn.serve(
        routes(runtime),
        title=_by_path({entry.key: entry.tab_title for entry in PAGES}),
        port=port,
        show=show,
        address=address,
        websocket_origin="*" if address in ("0.0.0.0", "::") else None,
        threaded=threaded,
        default_handler_class=NotFound,
        unused_session_lifetime_milliseconds=_PATIENCE_MS,
        # 4.9 MB of scripts become 1.6 on the way to another machine; on the same one packing only takes time
        compress_response=address not in ("localhost", "127.0.0.1", "::1"),
    )


def _forget_people_when_ended(runtime: Runtime) -> None:
    """Remove what was uploaded when the process is told to end, after which nothing runs any more."""

    def end(number: int, _frame: object) -> None:
        remove_all()
        runtime.stop()
        # as it would have without us: at once, and so that whoever started it sees why
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):
        # nohup has SIGHUP ignored
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def routes(runtime: Runtime) -> dict[str, Callable[[], Any]]:
    """Return what builds the page at each path; the first page stands at the root, too."""
    return _by_path({entry.key: _builder(entry, runtime) for entry in PAGES})


def runtime_of_process() -> Runtime:
    """Return the one runtime of a process that ``panel serve`` started: its scripts run once a session.

    ``PHENVIZ_WORLD`` names a ``project.yaml``, ``PHENVIZ_DEVICE`` a device, ``PHENVIZ_FILES`` a folder.
    """

    def make() -> Runtime:
        from phenviz.world import open_world

        folder = os.environ.get("PHENVIZ_FILES")
        world = open_world(os.environ.get("PHENVIZ_WORLD"))
        device = os.environ.get("PHENVIZ_DEVICE", "auto")
        spare_checks()
        return Runtime(world, device, Path(folder) if folder else None).start()

    runtime: Runtime = pn.state.as_cached("phenviz-runtime", make)
    return runtime


def _worth_telling(record: logging.LogRecord) -> bool:
    """Tell whether a record is more than a tab that was closed while something was on its way to it."""
    return record.exc_info is None or not isinstance(record.exc_info[1], WebSocketClosedError)


def _by_path(of_page: dict[str, _T]) -> dict[str, _T]:
    return {"/": of_page[PAGES[0].key]} | {f"/{key}": value for key, value in of_page.items()}


def _builder(entry: PageEntry, runtime: Runtime) -> Callable[[], Any]:
    # Panel calls plain functions only, and shows anything else as it is
    return lambda: entry.build(runtime)

"""Start the dashboard's server."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import panel as pn
from tornado.websocket import WebSocketClosedError

from phenviz.app.pages import PAGES, PageEntry
from phenviz.app.shell.limits import KEEPER, Limits, read_limits
from phenviz.app.shell.not_found import NotFound
from phenviz.app.shell.panel_workarounds import refuse_rebound_names, spare_checks
from phenviz.app.shell.process_memory import HOUSEKEEPING
from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.uploads import remove_all
from phenviz.errors import DataError

if TYPE_CHECKING:
    from panel.io.server import Server

    from phenviz.world import World

LOG = logging.getLogger("phenviz.app")
_T = TypeVar("_T")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_OAUTH_VARIABLES = ("PANEL_OAUTH_KEY", "PANEL_OAUTH_SECRET", "PANEL_OAUTH_ENCRYPTION")
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
    shard_places: Sequence[str] = (),
    address: str = "localhost",
    origins: Sequence[str] = (),
    prefix: str = "",
    basic_auth: Path | None = None,
    oauth: str | None = None,
    behind_proxy: bool = False,
    limits: Limits | None = None,
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
    shard_places
        Where commands keep unfinished shards; everybody sees how far they are.
    address
        Interface to listen on; others than ``localhost`` make the dashboard reachable from elsewhere.
    origins
        Names (``HOST`` or ``HOST:PORT``) by which browsers reach the dashboard; pages from elsewhere
        can't talk to it. None for this machine's own names.
    prefix
        Path that the dashboard stands under.
    basic_auth
        JSON file with a password for each user; None for no login.
    oauth
        Panel's name of who knows the users (``github``, ``google``, ``azure`` ...); its key and secret are
        read from Panel's environment variables. None for no such login.
    behind_proxy
        Whether a proxy tells who asks, and by which scheme, in headers; others could tell as well.
    limits
        What users may hand over and ask for; None for those of the environment.
    """
    KEEPER.set(limits if limits is not None else read_limits())
    if world is None:
        from phenviz.world import open_world

        world = open_world()
    logging.getLogger("asyncio").addFilter(_worth_telling)
    logging.getLogger("tornado.access").addFilter(_without_query)
    spare_checks()
    refuse_rebound_names()
    runtime = Runtime(world, device, files, shard_places).warm().start()
    if threading.current_thread() is threading.main_thread():
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
        websocket_origin=list(origins) or _own_names(address, port),
        prefix=prefix,
        use_xheaders=behind_proxy,
        **_login(basic_auth, oauth),
        default_handler_class=NotFound,
        unused_session_lifetime_milliseconds=_PATIENCE_MS,
        # 4.9 MB of scripts become 1.6 on the way to another machine; on the same one packing only takes time
        compress_response=address not in _LOCAL,
    )


def _own_names(address: str, port: int) -> list[str] | None:
    """Return the names of this machine where others reach it; None where only itself does."""
    if address in _LOCAL:
        return None
    names = {socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1"}
    names |= set() if address in ("0.0.0.0", "::") else {address}
    return sorted(f"{name}:{port}" for name in names)


def _login(basic_auth: Path | None, oauth: str | None) -> dict[str, Any]:
    """Return what Panel takes for a login."""
    if basic_auth is None and oauth is None:
        return {}
    # without a secret of the administrator's, users log in anew after a restart
    secret = os.environ.get("PANEL_COOKIE_SECRET") or secrets.token_hex(32)
    if basic_auth is not None:
        _check_passwords(basic_auth)
        return {"basic_auth": str(basic_auth), "cookie_secret": secret}
    lacking = [name for name in _OAUTH_VARIABLES if not os.environ.get(name)]
    if lacking:
        raise DataError(f"login by {oauth} needs the environment variables {', '.join(lacking)}: set them")
    return {"oauth_provider": oauth, "cookie_secret": secret}


def _check_passwords(path: Path) -> None:
    try:
        passwords = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f'{path} can\'t be read as JSON ({error}): give {{"user": "password", ...}}'
        ) from error
    plain = (
        isinstance(passwords, dict) and passwords and all(isinstance(one, str) for one in passwords.values())
    )
    if not plain or not all(passwords.values()):
        raise DataError(f'{path} doesn\'t hold a password for each user: give {{"user": "password", ...}}')


def _without_query(record: logging.LogRecord) -> bool:
    """Keep samples and variants, which stand in addresses, out of the log of requests."""
    if isinstance(record.args, tuple):
        record.args = tuple(re.sub(r"\?\S*", "", one) if isinstance(one, str) else one for one in record.args)
    return True


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

    ``PHENVIZ_WORLD`` names a ``project.yaml``, ``PHENVIZ_DEVICE`` a device, ``PHENVIZ_FILES`` a folder;
    limits are those of the environment, too (`phenviz.app.shell.limits`).
    """

    def make() -> Runtime:
        from phenviz.world import open_world

        KEEPER.set(read_limits())
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

"""The dashboard in a cell of a notebook: ``phenviz.explore("HNF4A")``."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import IO
from urllib.parse import urlencode, urlsplit

from phenviz.app.pages import PAGES
from phenviz.errors import PhenvizError
from phenviz.world import World, open_world

_HERE = "http://localhost:{port}"
_CHILD = "from phenviz.app.in_notebook import serve_for_parent; serve_for_parent()"
_ENDING_S = 10
_running: list[_Running] = []


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of a dashboard that this process has started; a notebook shows it in the cell.

    Parameters
    ----------
    url
        Its address. Whoever knows it and can reach this machine can open it.
    height
        Pixels of the cell.
    """

    url: str
    height: int = 760

    def _repr_html_(self) -> str:
        url = escape(self.url)
        return (
            f'<iframe src="{url}" title="PhenViz" width="100%" height="{self.height}" '
            'style="border:1px solid #8884;border-radius:6px" allow="clipboard-write; fullscreen"></iframe>'
            f'<p><a href="{url}" target="_blank" rel="noopener">Open in a tab of its own</a></p>'
        )

    def stop(self) -> None:
        """End the dashboard, and with it all cells that show the same world."""
        for one in [one for one in _running if self.url.startswith(one.address)]:
            _running.remove(one)
            one.stop()


def explore(
    locus: str = "",
    world: World | None = None,
    *,
    page: str = "explore",
    device: str = "auto",
    at: str | None = None,
    height: int = 760,
    **view: str,
) -> Dashboard:
    """Show a page of the dashboard in the cell of a notebook.

    The dashboard runs in a process of its own, is shared by all cells that look at the same world, and ends
    with the notebook. It listens on this machine alone, under a path that can't be guessed.

    Parameters
    ----------
    locus
        Gene, rsID or coordinates (1-based, inclusive); "" for where the page begins by itself.
    world
        What to look at; the embedded world by default.
    page
        ``explore``, ``individual``, ``variants``, ``disease``, ``risk`` or ``about``.
    device
        Where the model runs: ``auto``, ``cpu``, ``cuda:0``, ``mps``.
    at
        Where the browser reaches this machine, if that is another one, with ``{port}`` in it:
        ``https://hub.example.org/user/ann/proxy/absolute/{port}`` (jupyter-server-proxy). None for
        ``http://localhost:{port}``, or for what JupyterHub says of itself.
    height
        Pixels of the cell.
    **view
        What else the page's address holds, as after *Share*: ``focus="Mono"``, ``genome="world/HG00096"``.

    Returns
    -------
    Dashboard
        Shows itself as the last value of a cell; `Dashboard.stop` ends it.

    Raises
    ------
    PhenvizError
        If there is no such page or place, if it isn't known where the browser reaches this machine, or if
        the dashboard doesn't start.

    Examples
    --------
    >>> phenviz.explore("SIRPB1")  # doctest: +SKIP
    """
    known = [entry.key for entry in PAGES]
    if page not in known:
        raise PhenvizError(f"the dashboard has no page {page!r}: it has {', '.join(known)}")
    if world is None:
        world = _embedded_world()
    if locus.strip():
        world.view(locus)  # raises if it is unknown
        view = {"locus": locus.strip()} | view
    running = _start(world, device, at or _place())
    query = f"?{urlencode(view, safe=',:~/')}" if view else ""
    return Dashboard(f"{running.address}/{page}{query}", height)


def serve_for_parent() -> None:
    """Serve what the process that started this one asks for on standard input, until it closes that."""
    from phenviz.app.shell.serve import serve

    def end_with_parent() -> None:
        # not by the buffered reader, whose lock would be missing when Python ends
        os.read(sys.stdin.fileno(), 1)
        # the server's own way to end: it also removes what was uploaded
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        world, options = pickle.load(sys.stdin.buffer)
        threading.Thread(target=end_with_parent, daemon=True).start()
        serve(world, show=False, **options)
    except PhenvizError as error:
        sys.exit(str(error))


@dataclass(frozen=True, slots=True)
class _Running:
    """A process that serves a world."""

    world: World
    device: str
    at: str
    address: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start(world: World, device: str, at: str) -> _Running:
    for one in _running:
        if one.world is world and one.device == device and one.at == at and one.process.poll() is None:
            return one
    port = _free_port()
    place = urlsplit(at.replace("{port}", str(port)))
    if place.scheme not in ("http", "https") or not place.netloc:
        raise PhenvizError(f"{at!r} is no address: give one such as https://hub.example.org/proxy/{{port}}")
    # others on this machine reach the port, but don't know the path, which no list of processes shows
    prefix = f"{place.path.strip('/')}/{secrets.token_urlsafe(16)}".lstrip("/")
    options = {"device": device, "port": port, "origins": [place.netloc], "prefix": prefix}
    with tempfile.TemporaryFile() as log:
        # in a session of its own, as interrupting a cell interrupts the whole group of the kernel
        process = subprocess.Popen(
            [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        one = _Running(world, device, at, f"{place.scheme}://{place.netloc}/{prefix}", process)
        try:
            _hand_over(process, (world, options))
            _await(process, port, log)
        except BaseException:
            one.stop()
            raise
    _running.append(one)
    return one


def _hand_over(process: subprocess.Popen[bytes], asked: object) -> None:
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(asked))
    process.stdin.flush()


def _await(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    """Wait until the server listens: the cell asks it at once."""
    while process.poll() is None:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
    raise PhenvizError(f"the dashboard didn't start: {said[-1]}")


@cache
def _embedded_world() -> World:
    return open_world()


def _place() -> str:
    """Return where a browser reaches this machine: on itself, unless a hub says otherwise."""
    if "JUPYTERHUB_SERVICE_PREFIX" not in os.environ:
        return _HERE
    public = os.environ.get("JUPYTERHUB_PUBLIC_URL")
    if not public:
        raise PhenvizError(
            "this notebook runs on a JupyterHub that doesn't say by which address browsers reach it: give "
            "at='https://HUB/user/NAME/proxy/absolute/{port}'; that needs jupyter-server-proxy on the hub"
        )
    return f"{public.rstrip('/')}/proxy/absolute/{{port}}"


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("localhost", 0))
        port: int = held.getsockname()[1]
    return port

"""A running dashboard on the embedded world, and a browser that looks at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from phenviz.data.embedded_world import embedded_project

CHROMIUM = Path(os.environ.get("PHENVIZ_CHROMIUM", "/usr/bin/chromium"))
_START_SECONDS = 180
_WAIT_MS = 90_000


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory) -> Iterator[str]:
    """Serve the embedded world from a process of its own; its address."""
    if embedded_project().checkpoint is None:
        pytest.skip("the embedded world has no weights yet")
    port = _free_port()
    log = tmp_path_factory.mktemp("dashboard") / "server.log"
    environment = os.environ | {"PHENVIZ_CACHE": str(tmp_path_factory.mktemp("dashboard_cache"))}
    code = f"from phenviz.app.shell.serve import serve; serve(port={port}, show=False)"
    with log.open("w") as output:
        server = subprocess.Popen([sys.executable, "-c", code], stdout=output, stderr=output, env=environment)
    address = f"http://localhost:{port}/"
    try:
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(_START_SECONDS * 5):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address + "favicon.ico", timeout=5)
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the dashboard didn't start:\n{log.read_text()[-3_000:]}")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: set PHENVIZ_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, dashboard) -> Iterator:
    """Open the dashboard at an address; afterwards, no tab may have logged an error or asked the network."""
    tabs, errors = [], []

    def note_request(request) -> None:
        if not request.url.startswith((dashboard, dashboard.replace("http", "ws"), "data:", "blob:")):
            errors.append(f"asked the network: {request.url}")

    def open_tab(query: str = "", *, width: int = 1440, height: int = 900, ready: str = "view-length"):
        tab = browser.new_page(viewport={"width": width, "height": height})
        tabs.append(tab)
        tab.set_default_timeout(_WAIT_MS)
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", note_request)
        tab.goto(dashboard + query)
        tab.get_by_test_id(ready).wait_for()
        return tab

    yield open_tab
    for tab in tabs:
        tab.close()
    assert errors == []

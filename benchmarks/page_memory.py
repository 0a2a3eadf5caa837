"""Whether the dashboard's server gives back what closed pages took: ``python -m benchmarks.page_memory``.

Serves the embedded world from a process of its own, opens its pages in Chromium one after another, uses and
closes them. Prints the server's memory and the objects of pages that are still alive: the first has to stay
flat, the second has to be none. 100 pages take about ten minutes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = Path(os.environ.get("PHENVIZ_CHROMIUM", "/usr/bin/chromium"))
# of the module phenviz.app.shell.serve, in which a closed page is kept for long enough to be reconnected to
PATIENCE_MS = 1_000
_SITE = "?locus=chr20:1600826-1601025"
_WAIT_MS = 240_000
# the server looks for closed pages every 17 s
_GONE_SECONDS = 120
_ALIVE = (
    "Document", "Session", "Page",
    "ExplorePage", "IndividualPage", "VariantsPage", "DiseasePage", "AboutPage",
)  # fmt: skip


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_memory", description=__doc__)
    parser.add_argument("--pages", type=int, default=100, help="pages to open, use and close")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        _serve(options.serve)
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, served() as (address, ask):
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for count in range(options.pages):
            use(browser, address, count)
            if (count + 1) % 10 == 0:
                found = when_gone(ask)
                print(f"{count + 1} pages: {found['megabytes']:.0f} MB, alive {found['alive']}", flush=True)
        browser.close()


@contextmanager
def served() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Serve the embedded world; its address, and a function that asks how much memory pages have."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = int(probe.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.page_memory", "--serve", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert server.stdin is not None and server.stdout is not None
    said, asked = server.stdout, server.stdin

    def answer() -> dict[str, Any]:
        for line in said:
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError("the dashboard ended")

    def ask() -> dict[str, Any]:
        asked.write("\n")
        asked.flush()
        return answer()

    try:
        answer()
        yield f"http://localhost:{port}/", ask
    finally:
        asked.close()  # ends it
        server.wait(60)
        said.close()


def use(browser: Any, address: str, count: int) -> None:
    """Open one page after another, each kind in its turn, do something on it, and close it."""
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.set_default_timeout(_WAIT_MS)
    kinds = (_explore, _individual, _variants, _disease, _about)
    kinds[count % len(kinds)](tab, address)
    tab.close()
    # a browser that asks for a page and never draws it
    urllib.request.urlopen(f"{address}explore{_SITE}", timeout=60).read()


def when_gone(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask until no page is alive any more, or for two minutes."""
    deadline = time.monotonic() + _GONE_SECONDS
    while (found := ask())["alive"] and time.monotonic() < deadline:
        time.sleep(2)
    return found


def _explore(tab: Any, address: str) -> None:
    tab.goto(f"{address}explore{_SITE}")
    tab.locator("[data-testid=cost]:not(.waiting):not(.refused)").wait_for()
    tab.get_by_role("button", name="Run", exact=True).click()
    tab.locator("[data-testid=run-status][data-state=done]").wait_for()
    tab.get_by_test_id("zoom-out-3").click()
    tab.wait_for_timeout(500)


def _individual(tab: Any, address: str) -> None:
    tab.goto(f"{address}individual?locus=chr20:3768001-3786000")
    tab.locator("[data-testid=person-status][data-state=done]").wait_for(state="attached")


def _variants(tab: Any, address: str) -> None:
    tab.goto(f"{address}variants?locus=chr20:3770001-3800000")
    tab.locator("[data-testid=variants-status][data-state=done]").wait_for()
    tab.get_by_test_id("variants").locator("tbody tr").first.click()
    tab.get_by_test_id("logos").wait_for()


def _disease(tab: Any, address: str) -> None:
    tab.goto(f"{address}disease?source=simulated&permutations=1000")
    # the first of these pages are closed in the middle of their run
    status = tab.get_by_test_id("disease-status")
    tab.locator("[data-testid=disease-status]:is([data-state=running], [data-state=done])").wait_for()
    if status.get_attribute("data-state") == "done":
        tab.get_by_role("button", name="QQ plots").click()
    tab.wait_for_timeout(500)


def _about(tab: Any, address: str) -> None:
    tab.goto(f"{address}about")
    tab.get_by_test_id("place").wait_for()


def _serve(port: int) -> None:
    import psutil

    import phenviz.app.shell.serve as app

    app._PATIENCE_MS = PATIENCE_MS
    threading.Thread(target=app.serve, kwargs={"port": port, "show": False}, daemon=True).start()
    while True:
        try:
            urllib.request.urlopen(f"http://localhost:{port}/favicon.ico", timeout=5)
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.2)
        else:
            break
    process = psutil.Process()
    print("{}", flush=True)
    for _line in sys.stdin:
        print(json.dumps({"alive": _alive(), "megabytes": process.memory_info().rss / 1e6}), flush=True)
    os._exit(0)


def _alive() -> dict[str, int]:
    """Count the objects that belong to a page; Bokeh's document of no page is none of them."""
    from bokeh.io import curdoc

    gc.collect()
    kinds = [type(thing).__name__ for thing in gc.get_objects() if thing is not curdoc()]
    found = [kind for kind in kinds if kind in _ALIVE]
    return dict(Counter(found))


if __name__ == "__main__":
    main()

"""Take the pictures of the README from a running dashboard: ``python scripts/screenshots.py``.

Starts the dashboard on the embedded world, drives it with Chromium (``PHENVIZ_CHROMIUM``, by default
``/usr/bin/chromium``) through playwright, and writes ``docs/images/*.png``; that of real traits only where
their data packs are.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from phenviz.data.packs import has_pack

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
CHROMIUM = os.environ.get("PHENVIZ_CHROMIUM", "/usr/bin/chromium")
_SIZE = {"width": 1440, "height": 900}
_WAIT_MS = 600_000
_DISEASE_PACKS = ("ukbb-blood-finemap", "blood16-atac")
_DISEASE = (
    "disease?source=ukbb-blood-finemap&methods=variant,overlap,accessibility-rank,accessibility"
    "&trait=MCH&focus=Ery"
)


def main() -> None:
    """Start the server, take all pictures, stop the server."""
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    code = f"from phenviz.app.shell.serve import serve; serve(port={port}, show=False)"
    server = subprocess.Popen([sys.executable, "-c", code])
    address = f"http://localhost:{port}/"
    try:
        _wait_for(address)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = chromium.new_page(viewport=_SIZE)
            page.set_default_timeout(_WAIT_MS)
            take_all(page, address)
            chromium.close()
    finally:
        server.terminate()
        server.wait(30)


def take_all(page: Page, address: str) -> None:
    """Visit the views worth showing, one after the other."""
    _open(page, address)
    _save(page, "explore")
    _open(page, address + "?locus=chr20:1600826-1601025&focus=Mono")
    _run(page)
    _save(page, "mutagenesis")
    _open(page, address + "?locus=chr20:1592001-1610000&focus=Mono&method=integrated-gradients&theme=dark")
    _run(page)
    _save(page, "integrated-gradients-dark")
    _open(page, address + "?locus=chr20:1-63025520")
    _save(page, "whole-chromosome")
    page.goto(address + "individual?locus=chr20:3768001-3786000&sample=HG00099")
    page.locator("[data-testid=person-status][data-state=done]").wait_for()
    _save(page, "individual")
    page.goto(address + "variants?locus=chr20:3760001-3800000")
    page.locator("[data-testid=variants-status][data-state=done]").wait_for()
    _save(page, "variants")
    page.get_by_test_id("variants").locator("tbody tr").first.click()
    page.locator("table.facts").first.wait_for()
    # logos, motifs and expression come one after the other
    page.wait_for_timeout(10_000)
    _save(page, "variant")
    page.goto(address + "risk?trait=MCV&sample=HG00096")
    status = page.get_by_test_id("risk-status")
    status.and_(page.locator("[data-state=waiting], [data-state=done]")).wait_for()
    if status.get_attribute("data-state") == "waiting":
        # a slow machine asks before it takes long
        page.get_by_role("button", name="Score", exact=True).click()
    status.and_(page.locator("[data-state=done]")).wait_for()
    _save(page, "risk")
    if all(has_pack(name) for name in _DISEASE_PACKS):
        take_disease(page, address)


def take_disease(page: Page, address: str) -> None:
    """Test real traits, unless that was done before, and take the map."""
    page.goto(address + _DISEASE)
    status = page.get_by_test_id("disease-status")
    status.and_(page.locator("[data-state=waiting], [data-state=done]")).wait_for()
    if status.get_attribute("data-state") == "waiting":
        page.get_by_role("button", name="Test", exact=True).click()
    status.and_(page.locator("[data-state=done]")).wait_for()
    _save(page, "disease")


def _open(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_test_id("activity-ready").wait_for()


def _run(page: Page) -> None:
    page.locator("[data-testid=cost]:not(.waiting):not(.refused)").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[data-testid=run-status][data-state=done]").wait_for()
    page.get_by_test_id("table-bases").locator("tbody tr").first.wait_for()
    page.get_by_text("searching motifs…").first.wait_for(state="detached")


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(3_000)
    page.screenshot(path=IMAGES / f"{name}.png")


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(address + "favicon.ico", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the dashboard didn't start")


if __name__ == "__main__":
    main()

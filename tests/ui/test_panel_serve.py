"""The entry points in apps/, under Panel's own server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from phenviz.app.pages import PAGES
from tests.ui.conftest import _free_port, _wait_for

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=90_000)
pytestmark = pytest.mark.ui

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted((ROOT / "apps").glob("*.py"))


def test_every_page_has_its_entry_point():
    assert {path.stem for path in APPS} == {entry.key for entry in PAGES}


@pytest.fixture(scope="module")
def address(toy_project, tmp_path_factory):
    port, log = _free_port(), tmp_path_factory.mktemp("panel_serve") / "server.log"
    environment = os.environ | {
        "PHENVIZ_WORLD": str(toy_project),
        "PHENVIZ_DEVICE": "cpu",
        "PHENVIZ_CACHE": str(tmp_path_factory.mktemp("panel_serve_cache")),
        # as from the root of a clone that isn't installed
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "panel", "serve", *map(str, APPS), "--port", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=ROOT)
    try:
        _wait_for(f"http://localhost:{port}/", server, log)
        yield f"http://localhost:{port}/"
    finally:
        server.terminate()
        server.wait(30)
    assert "Traceback" not in log.read_text()


def test_a_page_under_panel_serve_shows_its_tracks_and_no_error(browser, address):
    page, errors = browser.new_page(), []
    page.set_default_timeout(90_000)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}explore?locus=chr20:5001-9000")
    expect(page).to_have_title("Explore · PhenViz")
    expect(page.get_by_test_id("locus")).to_have_value("chr20:5,001-9,000")
    page.get_by_role("application").wait_for()
    page.close()
    assert errors == []

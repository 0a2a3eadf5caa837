"""The dashboard in a cell of a notebook."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

import phenviz
from phenviz.app import in_notebook
from phenviz.errors import PhenvizError
from tests.toys import toy_project


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return phenviz.open_world(toy_project(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def shown(world):
    contig = next(iter(world.reference.contigs))
    dashboard = phenviz.explore(f"{contig}:101-600", world, focus=world.contexts[0].name, device="cpu")
    yield dashboard
    dashboard.stop()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_cell_shows_the_page_at_the_place_and_links_to_it(world, shown):
    asked = urlsplit(shown.url)
    assert asked.path.endswith("/explore") and f"focus={world.contexts[0].name}" in asked.query
    assert ":101-600" in asked.query
    html = shown._repr_html_()
    escaped = shown.url.replace("&", "&amp;")
    assert f'<iframe src="{escaped}"' in html and f'<a href="{escaped}"' in html
    assert status(shown.url) == 200


def test_nobody_finds_it_without_its_path(shown):
    asked = urlsplit(shown.url)
    root = f"{asked.scheme}://{asked.netloc}"
    assert asked.hostname == "localhost" and len(asked.path.split("/")[1]) >= 20
    assert [status(f"{root}{path}") for path in ("/explore", "/", "/guess/explore")] == [404] * 3


def test_cells_of_one_world_share_a_server_and_another_page_is_a_page_of_it(world, shown):
    other = phenviz.explore("", world, page="individual", device="cpu", height=500)
    assert other.url.rpartition("/")[0] == urlsplit(shown.url)._replace(query="").geturl().rpartition("/")[0]
    assert other.url.endswith("/individual") and 'height="500"' in other._repr_html_()


def test_a_view_can_write_nothing_into_the_page_of_the_notebook(world, shown):
    html = phenviz.explore("", world, device="cpu", focus='"><script>alert(1)</script>')._repr_html_()
    assert "<script>" not in html and html.count('"') == shown._repr_html_().count('"')


def test_what_does_not_exist_is_refused_before_anything_starts(world, monkeypatch):
    monkeypatch.setattr(in_notebook.subprocess, "Popen", lambda *_args, **_more: pytest.fail("was started"))
    with pytest.raises(PhenvizError, match="no page 'genes': it has explore, individual"):
        phenviz.explore("", world, page="genes")
    with pytest.raises(PhenvizError, match="NOSUCHGENE"):
        phenviz.explore("NOSUCHGENE", world)
    with pytest.raises(PhenvizError, match="no address"):
        phenviz.explore("", world, at="hub.example.org")


def test_behind_a_hub_it_stands_where_the_hub_leads(world, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    monkeypatch.delenv("JUPYTERHUB_PUBLIC_URL", raising=False)
    with pytest.raises(PhenvizError, match="give at='https://HUB"):
        phenviz.explore("", world)
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://hub.example.org/user/ann/")
    dashboard = phenviz.explore("", world, device="cpu")
    found = re.fullmatch(
        r"https://hub\.example\.org(/user/ann/proxy/absolute/(\d+)/[\w-]{20,}/explore)", dashboard.url
    )
    # what the hub's proxy asks for
    assert status(f"http://localhost:{found[2]}{found[1]}") == 200
    dashboard.stop()


def test_a_dashboard_that_does_not_start_says_why(tmp_path):
    project = toy_project(tmp_path)
    world = phenviz.open_world(project)
    for file in tmp_path.glob("*.fa*"):
        file.unlink()
    with pytest.raises(PhenvizError, match=r"the dashboard didn't start: .*\.fa"):
        phenviz.explore("", world, device="cpu")


def test_a_stopped_dashboard_is_gone_and_the_next_cell_starts_another(world, shown):
    first = phenviz.explore("", world, device="cpu", at="http://127.0.0.1:{port}")
    assert status(first.url) == 200
    first.stop()
    second = phenviz.explore("", world, device="cpu", at="http://127.0.0.1:{port}")
    assert second.url != first.url and status(second.url) == 200
    second.stop()
    assert status(shown.url) == 200


def test_it_ends_with_the_process_that_asked_for_it(tmp_path):
    project = toy_project(tmp_path)
    asks = (
        "import phenviz, sys; d = phenviz.explore('', phenviz.open_world(sys.argv[1]), device='cpu');"
        "print(d.url, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", asks, str(project)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    url = parent.stdout.readline().strip()
    assert status(url) == 200
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    with pytest.raises(OSError):  # refused, or cut off
        while time.monotonic() < deadline:
            status(url)
            time.sleep(0.2)

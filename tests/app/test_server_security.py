"""What a dashboard that others can reach lets through: tried on a running server."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from phenviz.app.shell import serve as module
from phenviz.app.shell.session import words_of
from phenviz.errors import DataError
from tests.toys import toy_project

_START_SECONDS = 120
_ALIVE = "/static/js/bokeh.min.js"


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("localhost", 0))
        return held.getsockname()[1]


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Site:
    """A running dashboard."""

    def __init__(self, port: int, log) -> None:
        self.port, self.log = port, log

    def ask(self, path: str, body: str | None = None, **headers: str) -> Answer:
        asked = http.client.HTTPConnection("localhost", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            asked.request("GET" if body is None else "POST", path, body, named)
            found = asked.getresponse()
            # a web socket that was let in stays open
            return Answer(found.status, found.headers, b"" if found.status == 101 else found.read())
        finally:
            if "found" in locals():
                found.close()
            asked.close()

    def shake_hands(self, path: str, origin: str, host: str = "lab.example.org") -> int:
        key = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
        key |= {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Protocol": "bokeh, x"}
        return self.ask(path, Origin=origin, Host=host, **key).status


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    project, running = toy_project(folder), []

    def run(*options: str) -> Site:
        port = _free_port()
        log = folder / f"{port}.log"
        command = [sys.executable, "-m", "phenviz", "serve", "--world", str(project), "--no-browser",
                   "--port", str(port), "--device", "cpu", *options]  # fmt: skip
        environment = os.environ | {"PHENVIZ_CACHE": str(folder / "cache")}
        with log.open("w") as output:
            running.append(subprocess.Popen(command, stdout=output, stderr=output, env=environment))
        site = Site(port, log)
        prefix = f"/{options[options.index('--prefix') + 1]}" if "--prefix" in options else ""
        for _ in range(_START_SECONDS * 5):
            assert running[-1].poll() is None, log.read_text()
            try:
                if site.ask(prefix + _ALIVE).status == 200:
                    return site
            except OSError:
                time.sleep(0.2)
        raise AssertionError(log.read_text())

    yield run
    for server in running:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def site(start) -> Iterator[Site]:
    return start(
        "--allow-origin", "lab.example.org", "--allow-origin", "lab.example.org:8443", "--prefix", "pv"
    )


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://lab.example.org", {101}),
        ("https://lab.example.org:8443", {101}),
        ("https://evil.example.com", {403}),
        ("http://lab.example.org.evil.example.com", {403}),
        ("null", {403}),
    ],
)
def test_only_pages_of_the_names_that_are_allowed_can_talk_to_the_server(site, origin, status):
    # without a session's token a handshake that is let in ends at once, but not because of its origin
    found = site.shake_hands("/pv/explore/ws", origin)
    assert (found == 403) == (status == {403}), found


def test_a_foreign_name_that_leads_to_this_machine_opens_nothing_but_its_own_does(site):
    for name, refused in (("evil.example.com", True), ("localhost", False), ("127.0.0.1", False)):
        host = f"{name}:{site.port}"
        assert (site.shake_hands("/pv/explore/ws", f"http://{host}", host) == 403) == refused, name
    # a foreign page on this machine, too
    assert site.shake_hands("/pv/explore/ws", "http://localhost:1234", f"localhost:{site.port}") == 403


def test_every_page_stands_under_the_prefix_and_nothing_beside_it(site):
    assert site.ask("/pv/explore").status == 200 and site.ask("/explore").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/pv/static/../../../../../../etc/passwd",
        "/pv/static/..%2f..%2f..%2f..%2fetc/passwd",
        "/pv/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/pv/static//etc/passwd",
        "/pv/static/js/....//....//etc/passwd",
        "/pv/static/extensions/panel/..%2f..%2f..%2f..%2fpyproject.toml",
        "/pv/components/phenviz.app.shell.serve/../../../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_what_is_served(site, path):
    answer = site.ask(path)
    assert answer.status in (400, 403, 404) and b"root:" not in answer.body


def test_the_log_holds_no_sample_and_no_variant_of_an_address(site):
    site.ask("/pv/nowhere?sample=HG00096&variant=20:1600925:G:A")
    site.ask("/pv/individual?sample=HG00096")
    time.sleep(0.5)
    assert "HG00096" not in site.log.read_text() and "1600925" not in site.log.read_text()


def test_with_a_login_nothing_is_shown_to_others_but_that_the_server_is_alive(start, tmp_path):
    (tmp_path / "users.json").write_text(json.dumps({"ann": "correct horse"}))
    guarded = start("--basic-auth", str(tmp_path / "users.json"))
    for path in ("/", "/explore", "/individual", "/variants"):
        answer = guarded.ask(path)
        assert answer.status in (302, 403) and "login" in answer.headers.get("Location", "login"), path
    assert guarded.ask(_ALIVE).status == 200

    def log_in(password: str) -> Answer:
        page = guarded.ask("/login")
        token = re.search(rb'name="_xsrf" value="([^"]+)"', page.body)
        body = f"username=ann&password={password.replace(' ', '+')}"
        body += f"&_xsrf={token[1].decode()}" if token else ""
        kind, cookie = (
            "application/x-www-form-urlencoded",
            page.headers.get("Set-Cookie", "").partition(";")[0],
        )
        return guarded.ask("/login", body, Content_Type=kind, Cookie=cookie)

    assert "user" not in (log_in("wrong").headers.get("Set-Cookie") or "")
    entered = log_in("correct horse").headers.get_all("Set-Cookie") or []
    cookies = "; ".join(one.partition(";")[0] for one in entered)
    assert "user=" in cookies and guarded.ask("/explore", Cookie=cookies).status == 200
    assert "correct horse" not in guarded.log.read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [("x", "can't be read as JSON"), ("{}", "a password for each"), ('{"a": ""}', "each user")],
)
def test_a_file_of_passwords_that_would_let_anybody_in_is_refused(tmp_path, content, said):
    (tmp_path / "users.json").write_text(content)
    with pytest.raises(DataError, match=said):
        module._login(tmp_path / "users.json", None)


def test_oauth_without_its_key_is_refused_and_a_secret_is_made_where_none_is_set(tmp_path, monkeypatch):
    for name in ("PANEL_COOKIE_SECRET", *module._OAUTH_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match="PANEL_OAUTH_KEY, PANEL_OAUTH_SECRET, PANEL_OAUTH_ENCRYPTION"):
        module._login(None, "github")
    (tmp_path / "users.json").write_text('{"ann": "x"}')
    made = [module._login(tmp_path / "users.json", None)["cookie_secret"] for _ in range(2)]
    assert made[0] != made[1] and len(made[0]) >= 32
    monkeypatch.setenv("PANEL_COOKIE_SECRET", "ours")
    assert module._login(tmp_path / "users.json", None)["cookie_secret"] == "ours"
    assert module._login(None, None) == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3"])
def test_where_others_can_reach_it_no_foreign_page_may_talk_to_it(address):
    names = module._own_names(address, 5006)
    assert names and "*" not in names and all(name.endswith(":5006") for name in names)
    assert module._own_names("localhost", 5006) is None


def test_what_a_user_is_told_of_a_person_is_not_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG, logger="phenviz.app"):
        assert "HG00096" in words_of(DataError("no sample 'HG00096' in people.vcf: chr20:5 A>C"))
    assert "HG00096" not in caplog.text and "A>C" not in caplog.text

"""Twenty people open the dashboard within ten seconds: ``python -m benchmarks.crowd``.

Serves the embedded world from a process of its own, with an empty cache, and opens the first page as browsers
do: the page's address, its web socket, the whole document, "it is drawn". Prints after how many seconds all
predicted activity of the view was there, and what a person cost the server's event loop: processor time says
more than seconds on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_TOKEN = re.compile(r'"token":"([^"]+)"')
_READY = "data-testid='activity-ready'"
_PATIENCE = 300


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--within", type=float, default=10, help="seconds in which they all come")
    parser.add_argument("--address", help="of a server that runs already")
    options = parser.parse_args()
    if options.address:
        asyncio.run(_measure(options.address, options.people, options.within, None))
        return
    with tempfile.TemporaryDirectory(prefix="phenviz-crowd-") as cache, socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        code = f"from phenviz.app.shell.serve import serve; serve(port={port}, show=False)"
        server = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"PHENVIZ_CACHE": cache},
        )
        try:
            asyncio.run(_measure(f"localhost:{port}", options.people, options.within, server.pid))
        finally:
            server.terminate()
            server.wait(60)


async def _measure(address: str, people: int, within: float, server: int | None) -> None:
    from tornado.httpclient import AsyncHTTPClient

    AsyncHTTPClient.configure(None, max_clients=2 * people)
    await _wait_for(address)
    print(f"first of all: {await _open(address):.1f} s", flush=True)
    spent = _processor_seconds(server)
    came = [asyncio.create_task(_open(address, within * number / people)) for number in range(people)]
    seconds = sorted(await asyncio.gather(*came))
    spent = _processor_seconds(server) - spent
    print(
        f"{people} people within {within:g} s: first {seconds[0]:.1f} s, middle "
        f"{seconds[people // 2]:.1f} s, last {seconds[-1]:.1f} s; {spent / people:.2f} s of the loop each"
    )


def _processor_seconds(server: int | None) -> float:
    """Seconds that the event loop's thread has had, without those of the model's."""
    if server is None:
        return 0.0
    fields = Path(f"/proc/{server}/task/{server}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _wait_for(address: str) -> None:
    from tornado.httpclient import AsyncHTTPClient, HTTPClientError

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            await AsyncHTTPClient().fetch(
                f"http://{address}/favicon.ico", raise_error=False, request_timeout=30
            )
            return
        except (OSError, HTTPClientError):
            await asyncio.sleep(0.5)
    raise SystemExit("the dashboard didn't start")


async def _open(address: str, after: float = 0.0) -> float:
    """Open the page and wait for its activity; returns the seconds that took."""
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.websocket import websocket_connect

    patient = {"connect_timeout": _PATIENCE, "request_timeout": _PATIENCE}
    await asyncio.sleep(after)
    began = time.monotonic()
    page = await AsyncHTTPClient().fetch(HTTPRequest(f"http://{address}/explore", **patient))
    found = _TOKEN.search(page.body.decode())
    assert found is not None
    socket_of_page = HTTPRequest(f"ws://{address}/explore/ws", **patient)
    connection = await websocket_connect(
        socket_of_page, subprotocols=["bokeh", found[1]], max_message_size=2**30
    )
    shown = False
    while not shown or time.monotonic() > began + _PATIENCE:
        text = await connection.read_message()
        if text is None:
            raise SystemExit("the server closed a page")
        if isinstance(text, str) and '"ACK"' in text:
            await _send(connection, "PULL-DOC-REQ", {})
        if isinstance(text, str) and '"PULL-DOC-REPLY"' in text:
            ready = {"type": "event", "name": "document_ready", "values": {"type": "map", "entries": []}}
            event = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready}
            await _send(connection, "PATCH-DOC", {"events": [event]})
        shown = isinstance(text, str) and (_READY in text or "activity-ready" in text)
    connection.close()
    return time.monotonic() - began


async def _send(connection: object, kind: str, content: dict[str, object]) -> None:
    header = {"msgid": os.urandom(8).hex(), "msgtype": kind}
    for part in (header, {}, content):
        await connection.write_message(json.dumps(part))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()

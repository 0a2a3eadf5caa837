"""A web server for tests that cuts connections, redirects, and lies about lengths."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What a server does with each file; requests are kept as (path, Range or "")."""

    content: dict[str, bytes]
    cut_after: int = 0
    ranges: bool = True
    etag: str = '"one"'
    claimed_length: int | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def web_server(behaviour: Behaviour) -> Iterator[str]:
    """Serve files on this machine; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            behaviour.requests.append((self.path, asked))
            self.close_connection = True
            if self.path in behaviour.redirects:
                self.send_response(302)
                self.send_header("Location", behaviour.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                return
            if self.path not in behaviour.content:
                self.send_error(404)
                return
            self._send(behaviour.content[self.path], asked)

        def _send(self, content: bytes, asked: str) -> None:
            start, whole = 0, len(content)
            fits = self.headers.get("If-Range") == behaviour.etag
            if asked and behaviour.ranges and fits:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= whole:
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            else:
                self.send_response(200)
            body = content[start:]
            if behaviour.etag:
                self.send_header("ETag", behaviour.etag)
            claimed = len(body) if behaviour.claimed_length is None else behaviour.claimed_length
            if not behaviour.chunked:
                self.send_header("Content-Length", str(claimed))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[: behaviour.cut_after] if behaviour.cut_after else body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A web server in a thread on loopback that answers what a function says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

Fields = dict[str, str]
Answer = tuple[int, bytes]
"""Status, and a body of JSON."""


class Httpd:
    """Give it the answer to a path with the fields of its query or form; `with` runs it."""

    def __init__(self, answer: Callable[[str, Fields], Answer]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(answer: Callable[[str, Fields], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._tell(parts.path, parts.query)

        def do_POST(self) -> None:
            self._tell(urlsplit(self.path).path, self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _tell(self, path: str, encoded: str) -> None:
            status, body = answer(path, {key: values[0] for key, values in parse_qs(encoded).items()})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Tests are quiet."""

    return Handler

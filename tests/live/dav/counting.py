"""Stands before a server of calendars and contacts, and counts what passes: bodies that are read, and writes."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

READING = frozenset(("OPTIONS", "PROPFIND", "REPORT", "GET", "HEAD"))
_BODIES = (b"BEGIN:VCALENDAR", b"BEGIN:VCARD")


class Counting:
    """A proxy before a port of this machine; `with` runs it."""

    def __init__(self, port: int) -> None:
        self.requests: Counter[str] = Counter()
        self.bodies = 0  # items that were handed out whole
        self._behind = port
        self._guard = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What a plan names."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def writes(self) -> int:
        """Requests that may have changed something."""
        return sum(count for method, count in self.requests.items() if method not in READING)

    def forget(self) -> None:
        """Count from here on."""
        with self._guard:
            self.requests.clear()
            self.bodies = 0

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask the server behind, in plain text, and count."""
        connection = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=300)
        try:
            connection.request(method, path, body or None, {**headers, "accept-encoding": "identity"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        with self._guard:
            self.requests[method] += 1
            self.bodies += sum(data.count(begin) for begin in _BODIES) if answer.status in (200, 207) else 0
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                given = {name.lower(): value for name, value in self.headers.items()}
                status, headers, data = counting.pass_on(self.command, self.path, given, body)
                self.send_response_only(status)
                for name, value in {**headers, "content-length": str(len(data))}.items():
                    if name not in ("connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def __getattr__(self, name: str) -> object:
                if name.startswith("do_"):
                    return self.handle_any
                raise AttributeError(name)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing is told."""

        return Handler

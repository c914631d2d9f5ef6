"""Which certificate is believed, and that nothing is sent before it is."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.live import certificates
from xdmigrate.errors import CertificateRejected, ConnectionLost, Unreachable
from xdmigrate.model import Login
from xdmigrate_dav.settings import Mechanism, Settings
from xdmigrate_dav.wire import Client

LOGIN = Login("ann", "ann", "s3cret")


class Site:
    """An HTTPS server that keeps what it was asked; its directory holds ca.pem and server.pem."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers.get("authorization", ""))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as it is declared
                """Says nothing."""

        certificates.issue(folder, ["localhost"], 30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=True)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes are wanted

    @property
    def fingerprint(self) -> bytes:
        return sha256(ssl.PEM_cert_to_DER_cert((self.folder / "server.pem").read_text())).digest()

    def get(self, name: str = "localhost", *, ca: str = "", fingerprint: bytes = b"", scheme: str = "https") -> int:
        url = f"{scheme}://{name}:{self.server.server_port}"
        settings = Settings("box", url=url, ca=ca, fingerprint=fingerprint, mechanism=Mechanism.BASIC)
        client = Client(settings, LOGIN, url)
        try:
            return client.request("GET", "/").status
        finally:
            client.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_known_authority_is_believed(site: Site) -> None:
    assert site.get(ca=str(site.folder / "ca.pem")) == 200
    assert len(site.asked) == 1


def test_exactly_one_certificate_is_believed_whoever_signed_it(site: Site) -> None:
    assert site.get("127.0.0.1", fingerprint=site.fingerprint) == 200


def test_every_other_certificate_gets_nothing(site: Site) -> None:
    with pytest.raises(CertificateRejected):
        site.get()
    with pytest.raises(CertificateRejected, match=r"127\.0\.0\.1"):
        site.get("127.0.0.1", ca=str(site.folder / "ca.pem"))
    with pytest.raises(CertificateRejected, match=site.fingerprint.hex()):
        site.get(fingerprint=b"\0" * 32)
    assert site.asked == []


def test_authorities_that_cannot_be_read_are_told(site: Site) -> None:
    with pytest.raises(CertificateRejected, match="cannot be read"):
        site.get(ca=str(site.folder / "none.pem"))


def test_no_tls_where_plaintext_is_spoken(site: Site) -> None:
    with pytest.raises((ConnectionLost, Unreachable)):
        site.get(scheme="http")
    assert site.asked == []

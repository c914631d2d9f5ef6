"""HTTP to one server: bounded answers, redirects only inside it, every failure an error of ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urljoin, urlsplit

import httpx

from xdmigrate.errors import CertificateRejected, ConnectionLost, EndpointError, ProtocolError, Unreachable
from xdmigrate.model import Login
from xdmigrate_dav import documents, hrefs, tls
from xdmigrate_dav.channel import CONNECT_SECONDS, IDLE_SECONDS, Channel
from xdmigrate_dav.documents import BadXml, Multistatus
from xdmigrate_dav.logging_in import Credentials, Flow
from xdmigrate_dav.peer import Peer, delay_of, secrets_of
from xdmigrate_dav.settings import DEFAULT_PORTS, Settings
from xdmigrate_dav.unpacking import BadPacking, unpacked

LARGEST = 64 << 20
"""Bytes of an answer, unpacked."""

REDIRECTS = 5
SAFE = frozenset(("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"))
"""Methods that change nothing: asked once more when an idle connection turns out to have ended."""

XML = {"content-type": 'application/xml; charset="utf-8"'}


class TooLong(ProtocolError):
    """The answer is larger than what was asked for may be."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")
    url: str = ""  # where it came from, after redirects

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def delay(self) -> float | None:
        """Seconds that the server asks to wait, if it does."""
        return delay_of(self.headers.get("retry-after", ""))

    @property
    def condition(self) -> str:
        """The precondition that failed (RFC 4918 section 16)."""
        return documents.condition_of(self.body)[0] if self.body else ""


class Client:
    """The way to one server, logged in as one account. Used by one thread at a time."""

    def __init__(
        self, settings: Settings, login: Login, url: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        told = login.token.current() if login.token is not None else ""
        self.peer = Peer(settings.endpoint, f"{parts.hostname}:{port}", login.address, secrets_of(login.password, told))
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._server = (parts.scheme, parts.hostname, port)
        self.credentials = Credentials(login, settings.mechanism)
        self._meter = settings.meter
        self._ended = 0  # connections in a row, by the server
        believed = tls.context(settings, self.peer) if parts.scheme == "https" else tls.nothing()
        self._channel = Channel(believed, transport)

    def close(self) -> None:
        """End the connection. Never raises."""
        with contextlib.suppress(Exception):
            self._channel.close()

    def url(self, path: str) -> str:
        """The whole address of a path on this server."""
        return self.origin + path

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        longest: int = LARGEST,
    ) -> Reply:
        """Ask, and follow redirects that stay on this server.

        Raises TooLong, Unreachable, CertificateRejected, ConnectionLost, ProtocolError, EndpointError.
        """
        url, given = self.url(path), dict(headers or {})
        for _ in range(REDIRECTS):
            reply = self._once_more(method, url, body, given, longest)
            where = reply.headers.get("location", "")
            if reply.status not in (301, 302, 303, 307, 308) or not where:
                return reply
            url = self._inside(url, where)
        raise self.peer.error(ProtocolError, f"{path} is redirected without an end")

    def _inside(self, url: str, where: str) -> str:
        try:
            parts = urlsplit(urljoin(url, where))
            server = (parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme))
        except ValueError as error:
            raise self.peer.error(ProtocolError, "redirects to what is no address", "look at `url`") from error
        path = hrefs.canonical(parts.path or "/")
        if server != self._server or path is None:
            cause = f"redirects to {parts.scheme}://{parts.netloc}, which never gets this account's credentials"
            raise self.peer.error(EndpointError, cause, "if that is the right server, write it as `url`")
        return self.url(path)

    def _once_more(self, method: str, url: str, body: bytes, headers: Mapping[str, str], longest: int) -> Reply:
        try:
            return self._once(method, url, body, headers, longest)
        except ConnectionLost:
            if method not in SAFE:
                raise
        return self._once(method, url, body, headers, longest)

    def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str], longest: int) -> Reply:
        """One question, after the login that it may take: what is answered to that is bounded, too."""
        with self._failing():
            flow = self.credentials.auth_flow(self._channel.request(method, url, body, headers))
            request: httpx.Request | None = next(flow)
            while request is not None:
                self._meter.count(commands=1, sent=len(body))
                response = self._channel.send(request)
                told = self._body(response, longest)
                request = _following(flow, response)
        return Reply(response.status_code, response.headers, told, url)

    def _body(self, response: httpx.Response, longest: int) -> bytes:
        pieces, size = [], 0
        try:
            for piece in unpacked(self._raw(response), response.headers.get("content-encoding", "")):
                size += len(piece)
                if size > longest:
                    raise self.peer.error(TooLong, f"the answer is longer than {longest} bytes")
                pieces.append(piece)
        finally:
            response.close()
            self._mind(response.headers.get("connection", ""))
        return b"".join(pieces)

    def _raw(self, response: httpx.Response) -> Iterator[bytes]:
        """As it comes: what httpx unpacks may be of any size."""
        for piece in cast(httpx.SyncByteStream, response.stream):
            self._meter.count(received=len(piece))
            yield piece

    def _mind(self, told: str) -> None:
        """A server that ends every connection may forget to say so of some (SOGo does): then none is used twice."""
        self._ended = self._ended + 1 if "close" in told.lower() else 0
        if self._ended > 1:
            self._channel.end_each()

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn what httpx raises into errors of ours."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise self.peer.error(Unreachable, f"no answer within {CONNECT_SECONDS:.0f} seconds") from error
        except httpx.ConnectError as error:
            raise self._unconnected(error) from error
        except httpx.TimeoutException as error:
            raise self.peer.error(ConnectionLost, f"silent for {IDLE_SECONDS:.0f} seconds") from error
        except httpx.TransportError as error:
            raise self.peer.error(ConnectionLost, str(error) or type(error).__name__) from error
        except BadPacking as error:
            raise self.peer.error(ProtocolError, str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise self.peer.error(ProtocolError, "the answer is not HTTP") from error

    def _unconnected(self, error: httpx.ConnectError) -> EndpointError:
        cause = _origin(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            told = getattr(cause, "verify_message", "") or str(cause.args[-1])
            return self.peer.error(CertificateRejected, told)
        if isinstance(cause, ssl.SSLError):
            told = getattr(cause, "reason", "") or type(cause).__name__
            return self.peer.error(Unreachable, f"no TLS: {told}", "look at the port in `url`")
        if isinstance(cause, socket.gaierror):
            return self.peer.error(Unreachable, "the name is not known", "look at the host in `url`")
        return self.peer.error(Unreachable, str(cause))

    def delete(self, doing: str, path: str, headers: Mapping[str, str] | None = None) -> None:
        """Remove what is there; what is gone already is no fault. Raises as `request`, and for a refusal."""
        reply = self.request("DELETE", path, headers=headers)
        if not reply.is_success and reply.status not in (404, 410):
            raise self.refusal(doing, reply)

    # --- WebDAV -------------------------------------------------------------------------------------------------

    def multistatus(
        self, doing: str, method: str, path: str, body: bytes, *, depth: str = "0", longest: int = LARGEST
    ) -> tuple[Iterator[documents.Answer], Multistatus]:
        """Ask for a multistatus and read it. Whatever else is answered is an error; raises TooLong, too."""
        reply = self.request(method, path, body=body, headers={**XML, "depth": depth}, longest=longest)
        if reply.status != 207:
            raise self.refusal(doing, reply)
        read = Multistatus()
        return self._answers(doing, read, reply.body), read

    def answers(
        self, doing: str, path: str, body: bytes, *, depth: str = "0", method: str = "PROPFIND"
    ) -> list[documents.Answer]:
        """The same, all at once and without what is told at its end."""
        try:
            return list(self.multistatus(doing, method, path, body, depth=depth)[0])
        except TooLong as error:
            raise self.too_long(doing) from error

    def too_long(self, doing: str) -> ProtocolError:
        """The error for an answer without an end."""
        return self.peer.error(ProtocolError, f"cannot {doing}: the answer is longer than {LARGEST} bytes")

    def refusal(self, doing: str, reply: Reply) -> Exception:
        """The error for an answer that is no success."""
        if reply.is_success:
            return self.peer.error(ProtocolError, f"cannot {doing}: the answer is not WebDAV (status {reply.status})")
        return self.peer.refusal(doing, reply.status, reply.condition, reply.delay)

    def _answers(self, doing: str, read: Multistatus, body: bytes) -> Iterator[documents.Answer]:
        try:
            yield from read.read(body)
        except BadXml as error:
            raise self.peer.error(ProtocolError, f"cannot {doing}: {error}") from error


def _following(flow: Flow, response: httpx.Response) -> httpx.Request | None:
    """What is to be sent after this answer; None: nothing, it is the answer."""
    try:
        return flow.send(response)
    except StopIteration:
        return None


def _origin(error: BaseException) -> BaseException:
    """What the library's error was made of."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error

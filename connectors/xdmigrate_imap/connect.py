"""Opening a connection: TCP, TLS with a verified or pinned certificate, greeting, login."""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from imapclient import SocketTimeout

from xdmigrate.errors import CertificateRejected, ConnectionLost, Unreachable, XdmigrateError
from xdmigrate.model import Login
from xdmigrate_imap.login import Client, TokenRefused, current_token, log_in
from xdmigrate_imap.peer import Peer
from xdmigrate_imap.settings import Settings, Tls
from xdmigrate_imap.wire import IDLE_SECONDS, reason

CONNECT_SECONDS = 30.0


def open_client(
    factory: Callable[..., Client], settings: Settings, login: Login, peer: Peer
) -> tuple[Client, frozenset[str]]:
    """Connect and log in; also what the server can do after that (RFC 3501 section 7.2.1).

    A token that the server does not take is asked for anew, once: it may have ended or been withdrawn since.
    Raises Unreachable, CertificateRejected, LoginRejected, Throttled or ProtocolError.
    """
    try:
        return _open(factory, settings, login, peer)
    except TokenRefused as refused:
        if login.token is None:
            raise refused.error from None
        login.token.reject(refused.token)
        if current_token(login, peer) == refused.token:
            raise refused.error from None
    try:
        return _open(factory, settings, login, peer)
    except TokenRefused as refused:
        raise refused.error from None


def _open(
    factory: Callable[..., Client], settings: Settings, login: Login, peer: Peer
) -> tuple[Client, frozenset[str]]:
    context = None if settings.tls is Tls.NONE else _context(settings, peer)
    with _connecting(settings, peer):
        client = factory(
            settings.host,
            port=settings.port,
            ssl=settings.tls is Tls.IMPLICIT,
            ssl_context=context if settings.tls is Tls.IMPLICIT else None,
            timeout=SocketTimeout(CONNECT_SECONDS, IDLE_SECONDS),
        )
        client._imap.debug = 0  # the library's 5 formats every literal, even when nothing is logged
    try:
        with _connecting(settings, peer):
            if settings.tls is Tls.STARTTLS:
                _start_tls(client, context, peer)
        log_in(client, settings, login, peer)
        with _connecting(settings, peer):
            return client, frozenset(each.decode("ascii", "replace").upper() for each in client.capabilities())
    except BaseException:
        drop(client)
        raise


def drop(client: Client) -> None:
    """End the connection without a word. Never raises."""
    with contextlib.suppress(Exception):
        client.shutdown()


def peer_of(settings: Settings, login: Login) -> Peer:
    """Who is on the other side, and which words must never be repeated."""
    peer = Peer(settings.endpoint, f"{settings.host}:{settings.port}", login.address)
    peer.hide(login.password)
    return peer


class _Pinned(ssl.SSLContext):
    """Accepts exactly the certificate with this SHA-256 and no other, whoever signed it."""

    pin = b""

    def wrap_socket(self, sock: socket.socket, *given: Any, **named: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(sock, *given, **named)
        found = sha256(wrapped.getpeercert(binary_form=True) or b"").digest()
        if found != self.pin:
            wrapped.close()
            raise ssl.SSLCertVerificationError(f"the certificate's SHA-256 is {found.hex()}")
        return wrapped


def _context(settings: Settings, peer: Peer) -> ssl.SSLContext:
    if settings.fingerprint:
        pinned = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
        pinned.check_hostname = False
        pinned.verify_mode = ssl.CERT_NONE
        pinned.pin = settings.fingerprint
        return pinned
    try:
        return ssl.create_default_context(cafile=settings.ca or None)
    except (OSError, ValueError) as error:
        raise peer.error(
            CertificateRejected, f"cannot read `ca` {settings.ca}: {error}", "name a file of PEM certificates"
        ) from error


@contextlib.contextmanager
def _connecting(settings: Settings, peer: Peer) -> Iterator[None]:
    """Turn every way in which opening a connection fails into an error of ours."""
    try:
        yield
    except ConnectionLost as error:
        if isinstance(error.__cause__, TimeoutError):
            raise _silent(peer) from error
        error.remedy = "look at `host`, `port` and `tls`; it is tried again"
        raise
    except ssl.SSLCertVerificationError as error:
        remedy = "mend the certificate, or trust it in the plan with `ca` or `fingerprint` (SHA-256)"
        cause = getattr(error, "verify_message", "") or str(error.args[-1])  # our own pin has only arguments
        raise peer.error(CertificateRejected, cause, remedy) from error
    except ssl.SSLError as error:
        cause = getattr(error, "reason", "") or type(error).__name__
        raise peer.error(Unreachable, f"no TLS: {cause}", "look at `port` and `tls`") from error
    except socket.gaierror as error:
        raise peer.error(Unreachable, "the name is not known", f"look at `host: {settings.host}`") from error
    except TimeoutError as error:
        raise _silent(peer) from error
    except OSError as error:
        raise peer.error(Unreachable, reason(error), "look at `host` and `port`; it is tried again") from error
    except imaplib.IMAP4.error as error:
        raise _bad_greeting(peer, str(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # what imaplib does with nonsense
        raise peer.protocol("does not speak IMAP") from error


def _silent(peer: Peer) -> Unreachable:
    cause = f"no answer within {CONNECT_SECONDS:.0f} seconds"
    return peer.error(Unreachable, cause, "look at `host`, `port`, `tls` and the firewall")


def _bad_greeting(peer: Peer, words: str) -> XdmigrateError:
    bye = re.search(r"BYE ([^'\"]*)", words)
    if bye:
        return peer.farewell(bye[1])
    if "EOF" in words:
        return peer.lost("the server closed the connection")
    return peer.protocol(f"does not speak IMAP: {words}")


def _start_tls(client: Client, context: ssl.SSLContext | None, peer: Peer) -> None:
    if not client.has_capability("STARTTLS"):
        raise peer.error(Unreachable, "does not offer STARTTLS", "set `tls: implicit` (port 993)")
    client.starttls(context)

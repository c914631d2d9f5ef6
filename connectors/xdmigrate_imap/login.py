"""Logging in on an open connection: which mechanism, what is sent, and what a refusal means."""

from __future__ import annotations

import imaplib
import re
from typing import Any

from xdmigrate.errors import ConnectionLost, LoginRejected, XdmigrateError
from xdmigrate.model import Login
from xdmigrate_imap import sasl
from xdmigrate_imap.peer import Peer, rejected_login
from xdmigrate_imap.sasl import EndlessChallenges, Exchange
from xdmigrate_imap.settings import Mechanism, Settings
from xdmigrate_imap.wire import reason

PROXIES = ("PROXYAUTH", "X-PROXYAUTH", "X-SUN-IMAP", "X-NETSCAPE")
"""Any of these announces PROXYAUTH: Netscape's, iPlanet's and Sun's servers never agreed on a word for it."""

_REFUSED = re.compile(r"(?:\[([A-Z][A-Z0-9-]*)[^\]]*\] ?)?(.*)", re.DOTALL)
_UNQUOTABLE = re.compile(r"[^\x20-\x7e]")
_FORBIDDEN = re.compile(r"[\0\r\n]")
_FORBIDDEN_NAME = re.compile(r"[\0\1\r\n]")
_NO_TOKEN = re.compile(r"[^\x21-\x7e]")  # b64token (RFC 6750 section 2.1), generously

Client = Any
"""An IMAPClient, plain or on our wire; the library brings no types."""


class TokenRefused(Exception):
    """The server did not take this token; `error` is what to tell when no other helps."""

    def __init__(self, token: str, error: XdmigrateError) -> None:
        super().__init__()
        self.token = token
        self.error = error


def log_in(client: Client, settings: Settings, login: Login, peer: Peer) -> None:
    """Log in by the best way that both sides know, chosen by what the server offers now, which is after TLS.

    Raises LoginRejected, Throttled, ConnectionLost or ProtocolError, and TokenRefused where another token may help.
    """
    if client._imap.state == "AUTH":  # PREAUTH (RFC 3501 section 7.1.4): nobody asked who we are
        raise peer.protocol("greets with PREAUTH, as nobody in particular")
    _check_characters(login, peer)
    mechanism = settings.mechanism or _best(client, login)
    if login.token is not None:
        _by_token(client, settings, login, mechanism, peer)
    elif mechanism.takes_token:
        remedy = "write `auth: {token: …}` or `auth: {oauth: …}`, or leave `mechanism` out"
        raise peer.error(LoginRejected, f"{mechanism} needs a token, and there is only a password", remedy)
    elif mechanism is Mechanism.PLAIN:
        _authenticate(client, sasl.plain(login.user, login.password, login.authorize_as), peer)
    else:
        _by_login(client, login, peer)


def _best(client: Client, login: Login) -> Mechanism:
    """What carries most.

    For a token its own standard before the forerunner. For a password SASL PLAIN, which carries every character and an
    authorisation identity; LOGIN is for servers without it, with PROXYAUTH where it is to act for another user.
    """
    if login.token is not None:
        return Mechanism.OAUTHBEARER if client.has_capability("AUTH=OAUTHBEARER") else Mechanism.XOAUTH2
    if client.has_capability("AUTH=PLAIN") or (login.authorize_as and not _offers_proxy(client)):
        return Mechanism.PLAIN
    return Mechanism.LOGIN


def _offers_proxy(client: Client) -> bool:
    return any(client.has_capability(name) for name in PROXIES)


def _check_characters(login: Login, peer: Peer) -> None:
    """NUL ends a field of SASL PLAIN, control-A one of a token's mechanisms; a line break would end the command."""
    names = (login.user, login.authorize_as)
    if any(map(_FORBIDDEN_NAME.search, names)) or _FORBIDDEN.search(login.password):
        raise peer.error(LoginRejected, "the user or the password holds a line break or NUL", "correct the secret")


# --- by token ---------------------------------------------------------------------------------------------------


def _by_token(client: Client, settings: Settings, login: Login, mechanism: Mechanism, peer: Peer) -> None:
    token = current_token(login, peer)
    user = login.authorize_as or login.user
    if mechanism is Mechanism.OAUTHBEARER:
        exchange = sasl.oauthbearer(user, token, settings.host, settings.port)
    else:
        exchange = sasl.xoauth2(user, token)
    try:
        _authenticate(client, exchange, peer)
    except LoginRejected as error:
        raise TokenRefused(token, error) from error


def current_token(login: Login, peer: Peer) -> str:
    """The token, known to the peer from now on as something that is never repeated."""
    try:
        token = login.token.current() if login.token else ""
    except XdmigrateError as error:
        error.endpoint, error.mailbox = error.endpoint or peer.endpoint, error.mailbox or peer.mailbox
        raise
    peer.hide(token)
    if not token or _NO_TOKEN.search(token):
        cause = "what `auth.token` gives is no token: it is empty, or holds a space or control character"
        raise peer.error(LoginRejected, cause, "make it give the access token alone, in its first line")
    return token


# --- the commands -----------------------------------------------------------------------------------------------


def _authenticate(client: Client, exchange: Exchange, peer: Peer) -> None:
    """AUTHENTICATE through imaplib, which asks `literal` for the answer to each challenge."""
    peer.hide(*exchange.secrets)
    imap = client._imap
    initial = [exchange.at_once()] if client.has_capability("SASL-IR") else []
    imap.literal = exchange.answer
    try:
        kind, data = imap._simple_command("AUTHENTICATE", exchange.mechanism, *initial)
    except EndlessChallenges:
        raise peer.protocol("asks without end during the login") from None
    except (imaplib.IMAP4.error, OSError, ConnectionLost) as error:
        raise _failed(client, error, peer) from error
    finally:
        imap.literal = None
    if kind != "OK":
        raise _refused(_text(data), peer, exchange.why, by_token=exchange.mechanism != "PLAIN")
    imap.state = "AUTH"


def _by_login(client: Client, login: Login, peer: Peer) -> None:
    if login.authorize_as and not _offers_proxy(client):
        raise peer.error(LoginRejected, "LOGIN cannot act for another user here", "set `auth.mechanism: plain`")
    if client.has_capability("LOGINDISABLED"):
        raise peer.error(LoginRejected, "takes no passwords on this connection", "set `tls: implicit` or `starttls`")
    if _UNQUOTABLE.search(login.user + login.password + login.authorize_as):
        raise peer.error(LoginRejected, "LOGIN carries only ASCII", "use a password of ASCII characters")
    try:
        client.login(_quoted(login.user), login.password)  # imaplib quotes only the password
    except (imaplib.IMAP4.error, OSError, ConnectionLost) as error:
        raise _failed(client, error, peer) from error
    if login.authorize_as:
        _proxy(client, login.authorize_as, peer)


def _proxy(client: Client, user: str, peer: Peer) -> None:
    """Go on as another user (Netscape's PROXYAUTH); the administrator's own mailbox is never touched."""
    try:
        kind, data = client._imap.proxyauth(_quoted(user))
    except (imaplib.IMAP4.error, OSError, ConnectionLost) as error:
        raise _failed(client, error, peer) from error
    if kind != "OK":
        raise _refused(f"[AUTHORIZATIONFAILED] {_text(data)}", peer)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# --- refusals ---------------------------------------------------------------------------------------------------


def _failed(client: Client, error: Exception, peer: Peer) -> XdmigrateError:
    """Imaplib gives the text of a NO as it is, the rest in its own words; IMAPClient makes all of it one class."""
    bye = client._imap.untagged_responses.get("BYE")
    if bye:
        return peer.farewell(bye[-1].decode("utf-8", "replace"))
    if isinstance(error, XdmigrateError):
        return error
    if isinstance(error, OSError):
        return peer.lost(reason(error))
    words = str(error)
    if isinstance(error, imaplib.IMAP4.abort) or isinstance(error.__context__, imaplib.IMAP4.abort):
        return peer.lost("the server closed the connection" if "EOF" in words else words)
    if " command error: BAD " in words:
        return rejected_login(peer, "", words.partition("BAD ")[2].strip("[]b'\""))
    return _refused(re.sub(r"^login failed: |^b'|'$", "", words), peer)


def _refused(words: str, peer: Peer, why: str = "", *, by_token: bool = False) -> XdmigrateError:
    """The error for a NO, with what a token's failure told beside it."""
    found = _REFUSED.fullmatch(words)
    code, text = (found[1] or "", found[2]) if found else ("", words)
    return rejected_login(peer, code, f"{text} ({why})" if why else text, by_token=by_token)


def _text(data: list[Any]) -> str:
    last = data[-1] if data else b""
    return last.decode("utf-8", "replace") if isinstance(last, bytes) else str(last or "")

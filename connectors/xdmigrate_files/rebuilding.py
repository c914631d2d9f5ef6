"""A message of Outlook's as RFC 5322: its transport headers, its bodies, its attachments. Pure, and always the same.

Outlook keeps parts and properties, not bytes. What is made of them says the same, but is nobody's original: signatures
over the bytes are broken by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from hashlib import sha256

_FIELD = re.compile(r"^([!-9;-~]{1,100}):[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.MULTILINE)
_OURS = re.compile(r"content-|mime-version\Z", re.IGNORECASE)
_TYPE = re.compile(r"([a-z0-9][a-z0-9.+-]{0,60})/([a-z0-9][a-z0-9.+-]{0,60})", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One attachment."""

    name: str
    data: bytes
    type: str = ""  # as Outlook noted it, e.g. "image/png"
    cid: str = ""  # how an HTML body names it
    message: bool = False  # `data` is a rebuilt message


@dataclass(frozen=True, slots=True)
class Parts:
    """What Outlook keeps of a message."""

    number: int
    headers: str = ""
    subject: str = ""
    sender: tuple[str, str] = ("", "")  # name and address
    to: str = ""
    cc: str = ""
    date: datetime | None = None
    plain: bytes | None = None
    html: bytes | None = None
    rtf: bytes | None = None
    enclosed: Sequence[Enclosed] = ()


def rebuilt(parts: Parts) -> bytes:
    """The message with CRLF; the same bytes for the same parts."""
    head = "".join(f"{name}: {value}\r\n" for name, value in _fields(parts))
    return head.encode("ascii", "replace") + _body(parts)


def _fields(parts: Parts) -> list[tuple[str, str]]:
    """The transport headers but for MIME's own; where there are none, what the properties tell."""
    told = [(found[1], _folded(found[2])) for found in _FIELD.finditer(parts.headers) if not _OURS.match(found[1])]
    known = {name.lower() for name, _ in told}
    for name, value in _properties(parts):
        if value and name.lower() not in known:
            told.append((name, value))
    return told


def _properties(parts: Parts) -> list[tuple[str, str]]:
    name, address = (_one_line(each) for each in parts.sender)
    try:
        sender = formataddr((name, address)) if "@" in address and address.isascii() else _encoded(name or address)
    except ValueError:
        sender = _encoded(name)
    return [
        ("From", sender),
        ("To", _encoded(parts.to)),
        ("Cc", _encoded(parts.cc)),
        ("Subject", _encoded(parts.subject)),
        ("Date", format_datetime(parts.date.replace(tzinfo=UTC)) if parts.date else ""),
    ]


def _folded(value: str) -> str:
    """A field's text as it was, a line at a time; what is not ASCII as RFC 2047 words."""
    lines = [line.strip() for line in _LINE_ENDS.split(value)]
    return "\r\n ".join(_UNSAFE.sub("", line) if line.isascii() else _encoded(line) for line in lines if line)


def _encoded(text: str) -> str:
    text = _one_line(text)
    if text.isascii() and len(text) < 900:
        return text
    return Header(text.encode("utf-8", "replace").decode(), "utf-8").encode(linesep="\r\n")


def _one_line(text: str) -> str:
    return _UNSAFE.sub("", " ".join(text.split()))


def _body(parts: Parts) -> bytes:
    """MIME-Version, Content-Type and the rest of the message."""
    message = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
    _texts(message, parts)
    for enclosed in parts.enclosed:
        _enclose(message, enclosed)
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            mark = sha256(b"%d:%d:%s" % (parts.number, number, parts.headers.encode("utf-8", "replace"))).hexdigest()
            part.set_boundary(f"=_{mark[:40]}")
    return message.as_bytes()


def _texts(message: EmailMessage, parts: Parts) -> None:
    if parts.plain is not None or (parts.html is None and parts.rtf is None):
        message.set_content(
            plain_text(parts.plain or b""), cte="base64" if parts.plain and not parts.plain.isascii() else None
        )
    if parts.html is not None:
        if parts.plain is None:
            message.set_content(parts.html, "text", "html", cte="base64")
        else:
            message.add_alternative(parts.html, "text", "html", cte="base64")
    elif parts.rtf is not None and parts.plain is None:
        message.set_content(parts.rtf, "text", "rtf", cte="base64")


def plain_text(raw: bytes) -> str:
    """A body of Outlook's, whose charset nobody tells, with LF."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return _LINE_ENDS.sub("\n", text.replace("\0", ""))


def _enclose(message: EmailMessage, enclosed: Enclosed) -> None:
    found = _TYPE.fullmatch(enclosed.type.strip())
    main, sub = (found[1].lower(), found[2].lower()) if found else ("application", "octet-stream")
    if main in {"message", "multipart"}:
        main, sub = "application", "octet-stream"
    name = _one_line(enclosed.name).encode("utf-8", "replace").decode()
    if enclosed.message:
        main, sub, name = "application", "octet-stream", f"{name or 'message'}.eml"
    cid = f"<{enclosed.cid}>" if enclosed.cid.isascii() and re.fullmatch(r"[!-~]{1,200}", enclosed.cid) else None
    message.add_attachment(enclosed.data, main, sub, filename=name or "attachment", cid=cid)

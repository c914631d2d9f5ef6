"""Realistic and awkward messages from a seed: the same seed gives the same bytes on every machine and Python.

Every line ends in CRLF, as an IMAP server stores it. The awkward kinds are the ones on which migrations are known to
lose, merge or alter mail.
"""

from __future__ import annotations

from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from random import Random

FIRST_DATE = datetime(2004, 1, 1, tzinfo=UTC)
SPAN_SECONDS = 20 * 365 * 86_400
ZONES = (-480, -210, 0, 60, 120, 345, 570)
"""Minutes east of UTC; an INTERNALDATE keeps its zone."""

SYSTEM_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft")
KEYWORDS = ("$Forwarded", "$MDNSent", "NonJunk", "Project-42")

PEOPLE = ("Ann Smith", "Bob O'Brien", "Chloé Dupont", "Jürgen Müller", "山田太郎", "Łukasz Żak", "Ольга Петрова")
TOPICS = (
    "Offer 2024/17",
    "Re: invoice",
    "Fwd: Besprechung am Montag",
    "Größe der Lieferung",
    "会議の件",
    "Été 😀",
    "AW: AW:",
)
SENTENCES = (
    "Please find the figures for the last quarter below.",
    "Bitte beachten Sie, dass sich die Lieferung um zwei Tage verzögert.",
    "Merci de confirmer votre présence avant vendredi.",
    "The meeting room on the second floor is booked until noon.",
    "> On Monday you wrote that the contract would be ready.",
    "添付ファイルをご確認ください。",
    "Kind regards",
)


WEIGHTS = {"plain": 60, "alternative": 20, "attachment": 8, "large": 0.1}
"""How frequent the kinds are after the first of each; the others weigh 1."""

MARKER_FOLDER = "PWNED"
"""Exists on a server that ran the body of a message as commands."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One message with what a mailbox knows about it."""

    kind: str
    raw: bytes
    flags: frozenset[str]
    date: datetime


def samples(seed: int, count: int, kinds: Sequence[str] = ()) -> Iterator[Sample]:
    """`count` messages of these kinds (all of them by default): each kind once, then most of them plain.

    Messages of the kind "duplicate" are equal byte for byte, all others differ.
    """
    names = tuple(kinds) or tuple(KINDS)
    weights = [WEIGHTS.get(name, 1) for name in names]
    rng = Random(seed)  # noqa: S311 - test data, not a secret
    for number in range(count):
        kind = names[number] if number < len(names) else rng.choices(names, weights)[0]
        yield Sample(kind, KINDS[kind](rng), _flags(rng), _date(rng))


def _flags(rng: Random) -> frozenset[str]:
    system = [flag for flag in SYSTEM_FLAGS if rng.random() < 0.3]
    return frozenset(system + [flag for flag in KEYWORDS if rng.random() < 0.1])


def _date(rng: Random) -> datetime:
    moment = FIRST_DATE + timedelta(seconds=rng.randrange(SPAN_SECONDS))
    return moment.astimezone(timezone(timedelta(minutes=rng.choice(ZONES))))


# --- parts ------------------------------------------------------------------------------------------------------


def _lines(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def _encoded(text: str) -> bytes:
    """Text as a header value: RFC 2047 encoded words where it is not ASCII."""
    if text.isascii():
        return text.encode()
    return b"=?UTF-8?B?" + b64encode(text.encode()) + b"?="


def _address(name: str, number: int) -> bytes:
    return b"%s <user%d@example.test>" % (_encoded(name), number)


def _header(rng: Random, *extra: bytes, identified: bool = True) -> bytes:
    """The usual header fields, these extra ones, and the empty line."""
    fields = [
        b"Received: from mx%d.example.test by mail.example.test; %s" % (rng.randrange(9), _rfc5322_date(rng)),
        b"From: " + _address(rng.choice(PEOPLE), rng.randrange(99)),
        b"To: " + _address(rng.choice(PEOPLE), rng.randrange(99)),
        b"Subject: " + _encoded(rng.choice(TOPICS)),
        b"Date: " + _rfc5322_date(rng),
    ]
    if identified:
        fields.append(b"Message-ID: <%032x@example.test>" % rng.getrandbits(128))
    return _lines(*fields, *extra, b"")


def _rfc5322_date(rng: Random) -> bytes:
    return format_datetime(_date(rng)).encode()


def _text(rng: Random, octets: int = 0) -> bytes:
    """Paragraphs of about this many bytes of UTF-8; most mails are short and a few are long."""
    octets = octets or min(int(rng.lognormvariate(7.0, 1.0)), 60_000)
    sentences = rng.choices(SENTENCES, k=1 + octets // 50)
    return _lines(*(sentence.encode() for sentence in sentences))


def _multipart(rng: Random, subtype: bytes, *parts: bytes) -> tuple[bytes, bytes]:
    """The Content-Type field and the body of a multipart entity (RFC 2046 section 5.1)."""
    boundary = b"=_%016x" % rng.getrandbits(64)
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/%s; boundary="%s"' % (subtype, boundary), b"%s--%s--\r\n" % (body, boundary)


def _text_part(rng: Random, subtype: bytes = b"plain") -> bytes:
    head = _lines(b"Content-Type: text/%s; charset=UTF-8" % subtype, b"Content-Transfer-Encoding: 8bit", b"")
    return head + _text(rng)


def _attachment(rng: Random, octets: int) -> bytes:
    head = _lines(
        b'Content-Type: application/octet-stream; name="report.bin"',
        b"Content-Disposition: attachment; filename*=UTF-8''%C3%9Cbersicht.bin",
        b"Content-Transfer-Encoding: base64",
        b"",
    )
    return head + encodebytes(rng.randbytes(octets)).replace(b"\n", b"\r\n")


# --- kinds ------------------------------------------------------------------------------------------------------


def _plain(rng: Random) -> bytes:
    return _header(rng, b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=UTF-8") + _text(rng)


def _alternative(rng: Random) -> bytes:
    field, body = _multipart(rng, b"alternative", _text_part(rng), _text_part(rng, b"html"))
    return _header(rng, b"MIME-Version: 1.0", field) + body


def _with_attachment(rng: Random, octets: int = 0) -> bytes:
    attachment = _attachment(rng, octets or rng.randrange(1_000, 40_000))
    field, body = _multipart(rng, b"mixed", _text_part(rng), attachment)
    return _header(rng, b"MIME-Version: 1.0", field) + body


def _large(rng: Random) -> bytes:
    return _with_attachment(rng, rng.randrange(600_000, 900_000))


def _nested(rng: Random) -> bytes:
    part = _text_part(rng)
    for _ in range(rng.randrange(3, 12)):
        field, body = _multipart(rng, b"mixed", part, _text_part(rng))
        part = _lines(field, b"") + body
    forwarded = _lines(b"Content-Type: message/rfc822", b"") + _plain(rng)
    field, body = _multipart(rng, b"mixed", part, forwarded)
    return _header(rng, b"MIME-Version: 1.0", field) + body


def _raw_header(rng: Random) -> bytes:
    """8-bit bytes in the header, in two charsets at once, as old clients wrote them."""
    return _header(rng, "X-Raw: Größe".encode("latin-1"), "X-Also: Größe".encode()) + _text(rng)


def _eight_bit(rng: Random) -> bytes:
    """Bytes that are text in no charset; RFC 3501 section 4.3 allows all but NUL in a literal."""
    octets = bytes(value for value in rng.randbytes(4_000) if value not in b"\x00\r\n")
    return _header(rng, b"Content-Transfer-Encoding: 8bit") + _lines(octets[:900], octets[900:1800], octets[1800:])


def _folded_header(rng: Random) -> bytes:
    """A long folded header, and fields that come twice."""
    references = b"\r\n ".join(b"<%016x@example.test>" % rng.getrandbits(64) for _ in range(60))
    return _header(rng, b"References: " + references, b"Date: not a date", b"Subject: again") + _text(rng)


def _no_id(rng: Random) -> bytes:
    return _header(rng, identified=False) + _text(rng)


def _same_id(rng: Random) -> bytes:
    """Always the same header, Message-ID included, over another body."""
    head = _lines(b"From: robot@example.test", b"Subject: Daily report", b"Message-ID: <daily@example.test>", b"")
    return head + b"Run %016x\r\n" % rng.getrandbits(64)


def _duplicate(_: Random) -> bytes:
    """Always the same bytes: as many copies as there are, there must be."""
    return _lines(
        b"From: list@example.test", b"Subject: Newsletter", b"Message-ID: <news@example.test>", b"", b"Hello!"
    )


def _commands(rng: Random) -> bytes:
    """A body that does harm when a server takes it for commands; then the marker folder exists."""
    lines = (
        b"A1 OK done",
        b"* BYE",
        b"+ go on",
        b"",
        b"A2 CREATE " + MARKER_FOLDER.encode(),
        b"A3 SELECT INBOX",
        b"A4 STORE 1:* +FLAGS (\\Deleted)",
        b"A5 EXPUNGE",
        b"A6 DELETE INBOX",
        b"A7 APPEND INBOX {3+}",
        b"abc",
        b"{5}",
        b")",
        b"A8 LOGOUT",
    )
    return _header(rng) + _lines(*lines, b"%016x" % rng.getrandbits(64))


def _dots(rng: Random) -> bytes:
    """Lines that line-based protocols and mbox files quote or take for an end."""
    return (
        _header(rng)
        + _lines(b".", b"..", b".hidden", b"From the start", b">From quoted", b"", b".", b"end")
        + _text(rng)
    )


def _long_lines(rng: Random) -> bytes:
    """Lines far over the 998 octets of RFC 5322 section 2.1.1."""
    return _header(rng) + _lines(rng.randbytes(6_000).hex().encode(), b"x" * 70_000, b"%x" % rng.getrandbits(64))


def _no_newline(rng: Random) -> bytes:
    return _header(rng) + b"no line end %016x" % rng.getrandbits(64)


def _no_header(rng: Random) -> bytes:
    """An empty header: the message starts with the empty line."""
    return b"\r\n" + b"%016x\r\n" % rng.getrandbits(64) + _text(rng)


def _no_body(rng: Random) -> bytes:
    return _header(rng)


def _header_only(rng: Random) -> bytes:
    """A header without the empty line after it; pymap loses its last byte."""
    return _header(rng)[:-2]


Build = Callable[[Random], bytes]

PORTABLE_KINDS: dict[str, Build] = {
    "plain": _plain,
    "alternative": _alternative,
    "attachment": _with_attachment,
    "large": _large,
    "nested": _nested,
    "raw-header": _raw_header,
    "eight-bit": _eight_bit,
    "folded-header": _folded_header,
    "no-id": _no_id,
    "same-id": _same_id,
    "duplicate": _duplicate,
    "commands": _commands,
    "dots": _dots,
    "long-lines": _long_lines,
    "no-newline": _no_newline,
    "no-header": _no_header,
    "no-body": _no_body,
}
"""Every test server keeps these byte for byte, the embedded one included."""

KINDS: dict[str, Build] = {**PORTABLE_KINDS, "header-only": _header_only}

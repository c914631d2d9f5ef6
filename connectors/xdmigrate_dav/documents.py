"""XML on the way: requests are built, answers are read piece by piece. Whatever a server sends, memory stays bounded.

An answer with a document type is refused before anything in it is believed, no entity is resolved, and nothing outside
the answer is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from xdmigrate_dav.names import PREFIXES, cal, card, dav

Element = etree._Element
Parser: Any = etree.XMLPullParser

WORDS = 100
"""Characters of an explanation that are repeated."""

PIECE = 65536
_HALF = re.compile(rb"&#(?:(5[5-7][0-9]{3})|[xX]([dD][89a-fA-F][0-9a-fA-F]{2}));")
_HALVES = re.compile(rb"(?:%s)+" % _HALF.pattern)
_QUOTING = re.compile(r"[:\"“‘<(\[]|(?<!\w)'|\. ")
ANSWERS = 500_000
"""Responses in one multistatus; more are no collection that anybody can use."""
ELEMENTS = 100_000
"""Elements in one response: each takes thirty times the memory of its bytes."""


class BadXml(ValueError):
    """The answer is not the XML that the protocol allows; the message says what is wrong with it."""


@dataclass(slots=True)
class Answer:
    """What a multistatus says about one resource (RFC 4918 section 14.24)."""

    href: str
    status: int = 0  # about the resource as a whole; 0: only its properties are told
    found: dict[str, Element] = field(default_factory=dict)  # the properties that it has
    lacking: dict[str, int] = field(default_factory=dict)  # the others, by their status
    condition: str = ""  # the name of the precondition that failed

    def text(self, name: str) -> str:
        """The text of a property; empty when it is not there."""
        element = self.found.get(name)
        return (element.text or "").strip() if element is not None else ""

    def hrefs(self, name: str) -> list[str]:
        """The addresses that a property holds."""
        element = self.found.get(name)
        return [] if element is None else [(each.text or "").strip() for each in element.iter(dav("href"))]

    def names(self, name: str) -> frozenset[str]:
        """The names of everything inside a property."""
        element = self.found.get(name)
        return frozenset() if element is None else frozenset(str(each.tag) for each in element.iterdescendants("*"))


class Multistatus:
    """Reads a multistatus as it arrives; `token` is known at its end (RFC 6578)."""

    def __init__(self) -> None:
        self.token = ""

    def read(self, body: bytes, piece: int = PIECE) -> Iterator[Answer]:
        """Each answer once; raises BadXml. `piece`: bytes that are looked at together."""
        count, whole = 0, memoryview(_mended(body))
        chunks = (bytes(whole[start : start + piece]) for start in range(0, len(whole), piece))
        for element in _elements(chunks, (dav("response"), dav("sync-token"))):
            parent = element.getparent()
            if parent is None or parent.getparent() is not None:  # inside a property
                continue
            if element.tag == dav("sync-token"):
                self.token = (element.text or "").strip()
                continue
            count += 1
            if count > ANSWERS:
                raise BadXml("the answer has no end")
            yield _answer(element)
            _forget(element)


def _mended(body: bytes) -> bytes:
    """With whole characters: SOGo writes one beyond 16 bits, as emoji are, as the two halves that UTF-16 makes of it.

    XML has no such references (section 4.1): one in the name of a calendar would hide the whole account.
    """
    return _HALVES.sub(_whole, body) if b"&#" in body else body


def _whole(found: re.Match[bytes]) -> bytes:
    codes = (int(decimal) if decimal else int(digits, 16) for decimal, digits in _HALF.findall(found[0]))
    text = b"".join(code.to_bytes(2) for code in codes).decode("utf-16-be", "replace")
    return "".join(f"&#{ord(each)};" for each in text).encode()


def condition_of(body: bytes) -> tuple[str, list[str]]:
    """The precondition that an error's body names (RFC 4918 section 16), and the addresses it tells with it."""
    try:
        for element in _elements([body], (dav("error"),)):
            for child in element.iterchildren("*"):
                hrefs = [(each.text or "").strip() for each in child.iter(dav("href"))]
                return etree.QName(child).localname, hrefs
    except BadXml:
        pass
    return "", []


def words_of(body: bytes) -> str:
    """What an error's body says to people, up to where it begins to repeat what was sent."""
    try:
        for element in _elements([body], (dav("responsedescription"),)):
            return _QUOTING.split(" ".join((element.text or "").split()), maxsplit=1)[0][:WORDS].strip(" .,;")
    except BadXml:
        pass
    return ""


def _elements(chunks: Iterable[bytes], tags: Sequence[str]) -> Iterator[Element]:
    """The finished elements with one of these names, and one with no content for the beginning of the document."""
    parser = Parser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    begun, held = False, 0
    try:
        for chunk in chunks:
            parser.feed(chunk)
            for event, element in parser.read_events():
                begun = begun or _begin(element)
                held += event == "start"
                if held > ELEMENTS:
                    raise BadXml("the answer tells too much about one resource")
                if event == "end" and element.tag in tags:
                    yield element
                    held = held if element.getparent() is not None else 0  # what was forgotten is no longer held
        parser.close()
        for event, element in parser.read_events():
            if event == "end" and element.tag in tags:
                yield element
    except (etree.XMLSyntaxError, ValueError) as error:
        if isinstance(error, BadXml):
            raise
        raise BadXml("the answer is not well-formed XML") from error
    if not begun:
        raise BadXml("the answer is empty")


def _begin(element: Element) -> bool:
    info = element.getroottree().docinfo
    if info.internalDTD is not None:
        raise BadXml("the answer has a document type, which is not allowed")
    return True


def _forget(element: Element) -> None:
    """Free what has been read; the answer keeps what it needs of it."""
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _answer(response: Element) -> Answer:
    answer = Answer((response.findtext(dav("href")) or "").strip(), _status(response.findtext(dav("status"))))
    for stat in response.iterchildren(dav("propstat")):
        status = _status(stat.findtext(dav("status")))
        for held in stat.iterchildren(dav("prop")):
            for element in held.iterchildren("*"):
                if 200 <= status < 300 or not status:  # a server that says nothing else about it tells it
                    answer.found[str(element.tag)] = element
                else:
                    answer.lacking[str(element.tag)] = status
    error = response.find(f".//{dav('error')}")
    if error is not None:
        answer.condition = next((etree.QName(each).localname for each in error.iterchildren("*")), "")
    return answer


def _status(line: str | None) -> int:
    """The number in "HTTP/1.1 404 Not Found"; 0 when there is none."""
    word = (line or "").split()[1:2]
    return int(word[0]) if word and word[0].isascii() and word[0].isdigit() and len(word[0]) == 3 else 0


# --- what is sent -----------------------------------------------------------------------------------------------


def element(name: str, *children: Element, text: str = "", attributes: Mapping[str, str] | None = None) -> Element:
    """An element with these children."""
    made = etree.Element(name, dict(attributes or {}), nsmap=PREFIXES)
    made.extend(children)
    if text:
        made.text = text
    return made


def sent(root: Element) -> bytes:
    """The document as it goes out."""
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def propfind(names: Sequence[str]) -> bytes:
    """Ask for these properties (RFC 4918 section 9.1)."""
    return sent(element(dav("propfind"), element(dav("prop"), *map(element, names))))


def sync(token: str, names: Sequence[str]) -> bytes:
    """Ask for all members, or for those that changed since the token (RFC 6578 section 3.2). Never with a limit."""
    level = element(dav("sync-level"), text="1")
    wanted = element(dav("prop"), *map(element, names))
    return sent(element(dav("sync-collection"), element(dav("sync-token"), text=token), level, wanted))


def proppatch(values: Mapping[str, Element]) -> bytes:
    """Set these properties (RFC 4918 section 9.2)."""
    return sent(element(dav("propertyupdate"), element(dav("set"), element(dav("prop"), *values.values()))))


def multiget(report: str, data: Element, paths: Sequence[str]) -> bytes:
    """Ask for several items whole (RFC 4791 section 7.9, RFC 6352 section 8.7)."""
    wanted = element(dav("prop"), element(dav("getetag")), data)
    return sent(element(report, wanted, *(element(dav("href"), text=path) for path in paths)))


def having(component: str) -> bytes:
    """Ask which items hold this component (RFC 4791 section 7.8)."""
    inner = element(cal("comp-filter"), attributes={"name": component})
    outer = element(cal("comp-filter"), inner, attributes={"name": "VCALENDAR"})
    wanted = element(dav("prop"), element(dav("getetag")))
    return sent(element(cal("calendar-query"), wanted, element(cal("filter"), outer)))


def uids_of_calendar(components: Sequence[str]) -> bytes:
    """Ask for all items, but of each only its UID (RFC 4791 section 9.6); servers may send more."""
    parts = [
        element(cal("comp"), element(cal("prop"), attributes={"name": "UID"}), attributes={"name": name})
        for name in components
    ]
    data = element(cal("calendar-data"), element(cal("comp"), *parts, attributes={"name": "VCALENDAR"}))
    matched = element(cal("filter"), element(cal("comp-filter"), attributes={"name": "VCALENDAR"}))
    return sent(element(cal("calendar-query"), element(dav("prop"), data), matched))


def uids_of_contacts() -> bytes:
    """Ask for all cards, but of each only its UID (RFC 6352 section 10.4); servers may send more."""
    data = element(card("address-data"), element(card("prop"), attributes={"name": "UID"}))
    matched = element(card("filter"), element(card("prop-filter"), attributes={"name": "UID"}))
    return sent(element(card("addressbook-query"), element(dav("prop"), data), matched))

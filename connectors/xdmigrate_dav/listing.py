"""What is in a collection: every item with its ETag. That list is the judge of what changed.

Sync tokens (RFC 6578) and CTags are believed only within one session, and only when they say that nothing changed:
servers are known that answer an old token as if nothing had happened since. The list costs one request and no body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from xdmigrate.errors import FolderUnusable, ProtocolError, QuotaExceeded
from xdmigrate.model import Head
from xdmigrate_dav import catalogue, documents, hrefs, names
from xdmigrate_dav.documents import Answer
from xdmigrate_dav.hrefs import ForeignHost
from xdmigrate_dav.names import cal, card
from xdmigrate_dav.wire import Client, TooLong

ASKED = (names.ETAG, names.SIZE, names.MODIFIED, names.MEDIA, names.TYPE)
GONE = frozenset((404, 410))
STATE_BYTES = 16
PAGES = 10_000
"""Most pages of one list."""

_STRONG = re.compile(rb'"[ !#-~]*"')
_COMPONENT = re.compile(r";\s*component=\"?([A-Za-z]+)", re.IGNORECASE)
"""RFC 5545 section 8.1: a parameter of the media type."""


@dataclass(slots=True)
class Listing:
    """The items of a collection by their ids, ascending."""

    heads: dict[bytes, Head] = field(default_factory=dict)
    token: str = ""
    components: dict[bytes, str] = field(default_factory=dict)  # what each item is, as far as it is told
    is_met: bool = False  # the answers are about this collection

    @property
    def state(self) -> bytes:
        """Equal for equal lists of items and versions; empty where a version is missing: then nothing is proved."""
        digest = sha256()
        for ref, head in self.heads.items():
            if not head.version:
                return b""
            digest.update(b"%d:%s%d:%s" % (len(ref), ref, len(head.version), head.version))
        return digest.digest()[:STATE_BYTES]

    def only(self, refs: Iterable[bytes]) -> Listing:
        """The part of it with these ids."""
        wanted = set(refs)
        return Listing({ref: head for ref, head in self.heads.items() if ref in wanted}, self.token)

    def took(self, client: Client, answers: Iterable[Answer], path: str) -> bool:
        """Add what is told; False when the server says that there is more. Raises FolderUnusable when it is gone."""
        whole = True
        for answer in answers:
            member = _path(client, answer, path)
            self.is_met = self.is_met or (member is not None and hrefs.collection(member).startswith(path))
            if member is not None and hrefs.collection(member) == path:
                if answer.status == 404:
                    raise client.peer.error(FolderUnusable, f"the collection {path} is gone")
                whole = whole and answer.status != 507
                self.token = catalogue.token_of(answer)
            elif member is not None:
                self._take(answer, member, path)
        return whole

    def _take(self, answer: Answer, member: str, path: str) -> None:
        head, gone = _head(answer, member, path), hrefs.ref_of(member, path)
        if head is not None:
            self.heads[head.ref] = head
            if component := _COMPONENT.search(answer.text(names.MEDIA)):
                self.components[head.ref] = component[1].upper()
        elif gone is not None and answer.status == 404:  # since the page before
            self.heads.pop(gone, None)
            self.components.pop(gone, None)

    def sorted(self) -> Listing:
        """The same, in the order of the ids."""
        self.heads = dict(sorted(self.heads.items()))
        return self

    @property
    def tasks(self) -> set[bytes] | None:
        """The tasks in a calendar, where the server tells of every item what it is; else None."""
        if len(self.components) < len(self.heads):
            return None
        return {ref for ref, component in self.components.items() if component == "VTODO"}


def read(client: Client, path: str, doing: str, tokens: tuple[str, ...] = ()) -> Listing:
    """List a collection, by pages where the server does not give it whole; with a token if these are asked for.

    Raises FolderUnusable when it is gone, ProtocolError when there is no whole list to be had.
    """
    listing = Listing()
    try:
        answers, _ = client.multistatus(doing, "PROPFIND", path, documents.propfind(ASKED + tokens), depth="1")
        if not listing.took(client, answers, path):
            return _by_pages(client, path, doing)
    except (TooLong, QuotaExceeded):  # 507 to a question: the server gives no more
        return _by_pages(client, path, doing)
    if not listing.is_met:  # the collection itself has to be in its list (RFC 4918 section 9.1)
        raise client.peer.error(ProtocolError, f"cannot {doing}: the answer is about something else than {path}")
    return listing.sorted()


def _by_pages(client: Client, path: str, doing: str) -> Listing:
    """The list by sync-collection from the beginning (RFC 6578 section 3.6): 507 means that there is more."""
    listing, token = Listing(), ""
    for _ in range(PAGES):
        try:
            answers, page = client.multistatus(doing, "REPORT", path, documents.sync(token, ASKED))
            whole = listing.took(client, answers, path)
        except (TooLong, QuotaExceeded) as error:
            raise cut_short(client, doing) from error
        if whole:
            listing.token = page.token
            return listing.sorted()
        if page.token in ("", token):
            break
        token = page.token
    raise cut_short(client, doing)


def cut_short(client: Client, doing: str) -> ProtocolError:
    """The error for a list that the server does not give whole."""
    return client.peer.error(ProtocolError, f"cannot {doing}: the server cuts the list short (507)")


def members(client: Client, answers: Iterable[Answer], path: str) -> Iterator[tuple[bytes, Answer]]:
    """Those of the answers that are about items of the collection, by their ids."""
    for answer in answers:
        member = _path(client, answer, path)
        ref = None if member is None else hrefs.ref_of(member, path)
        if ref is not None:
            yield ref, answer


def tasks(client: Client, path: str, doing: str) -> set[bytes]:
    """The ids of the items in a calendar that are tasks."""
    answers = client.answers(doing, path, documents.having("VTODO"), depth="1", method="REPORT")
    return {ref for ref, answer in members(client, answers, path) if answer.status in (0, 200)}


def version_of(answer: Answer) -> bytes:
    """The ETag as it was told; without one what else changes with the content; empty when nothing does."""
    etag = answer.text(names.ETAG)
    if etag:
        return etag.encode()
    stamp = f"{answer.text(names.MODIFIED)} {answer.text(names.SIZE)}".strip()
    return f"~{stamp}".encode() if answer.text(names.MODIFIED) else b""


def is_strong(version: bytes) -> bool:
    """Whether a write can be made conditional on it (RFC 9110 section 8.8.1), and a header can hold it."""
    return _STRONG.fullmatch(version) is not None


def _head(answer: Answer, member: str, path: str) -> Head | None:
    """None for collections inside, calendars inside, and what is gone meanwhile.

    Of what the server cannot tell anything now, it is known that it is there: whoever wants it will be told why not.
    """
    ref, types = hrefs.ref_of(member, path), answer.names(names.TYPE)
    if ref is None or types & {names.dav("collection"), cal("calendar"), card("addressbook")}:
        return None
    if GONE & {answer.status, *(answer.lacking.values() if not answer.found else ())}:
        return None
    size = answer.text(names.SIZE)
    return Head(
        ref, int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0, version=version_of(answer)
    )


def _path(client: Client, answer: Answer, path: str) -> str | None:
    """Behind a proxy a server may not know its own name; only the one that the plan names is asked for anything."""
    try:
        return hrefs.path_of(answer.href, client.url(path))
    except ForeignHost as foreign:
        return foreign.path

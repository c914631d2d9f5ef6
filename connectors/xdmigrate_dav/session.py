"""One account on one server: where its collections are, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self
from urllib.parse import urlsplit

from xdmigrate.errors import AccessDenied, FolderUnusable, ProtocolError
from xdmigrate.model import Folder, Kind, Login
from xdmigrate_dav import catalogue, discovery, documents, hrefs, invitations, listing, locating, names
from xdmigrate_dav.catalogue import Collection, Listed
from xdmigrate_dav.discovery import Account
from xdmigrate_dav.documents import Answer
from xdmigrate_dav.hrefs import ForeignHost
from xdmigrate_dav.invitations import Step
from xdmigrate_dav.listing import Listing
from xdmigrate_dav.settings import Settings, principal_of
from xdmigrate_dav.wire import Client


def shown(folder: Folder) -> str:
    """A folder as errors name it."""
    return f"{folder.kind.value} '{'/'.join(folder.path)}'"


def unusable(error: AccessDenied | ProtocolError) -> FolderUnusable:
    """What is told about one collection only."""
    remedy = "look at it in a calendar program, or exclude it in `scope.folders`"
    return FolderUnusable(error.message, remedy=remedy, endpoint=error.endpoint, mailbox=error.mailbox)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of one kind of item in a collection, as long as its token stays the same."""

    token: str
    count: int
    state: bytes


class Session:
    """A `Client` with the account that it serves. Used by one thread at a time."""

    def __init__(self, client: Client, account: Account, settings: Settings) -> None:
        self.client = client
        self.account = account
        self.settings = settings
        self._summaries: dict[tuple[str, Kind], Summary] = {}
        self._tokens: tuple[str, ...] = catalogue.TOKENS  # the one that the server tells, once it has told
        self._known: dict[str, Collection] = {}

    @classmethod
    def open(cls, settings: Settings, login: Login) -> Self:
        """Log in and find the account. Raises as `Connector.source`."""
        url = locating.address(settings)
        client = Client(settings, login, url)
        try:
            start = hrefs.canonical(urlsplit(url).path or "/") or "/"
            principal = principal_of(settings, login.address)
            return cls(client, discovery.account(client, start, principal), settings)
        except BaseException:
            client.close()
            raise

    @cached_property
    def powers(self) -> frozenset[str]:
        """The words of the `DAV` header (RFC 4918 section 10.1), in small letters. Raises when the server is busy."""
        words: list[str] = []
        for home in self.account.homes:
            reply = self.client.request("OPTIONS", home)
            if reply.is_success:
                words += reply.headers.get("dav", "").split(",")
            elif reply.status in (401, 429, 502, 503, 504):
                raise self.client.refusal("ask what the server can do", reply)
        return frozenset(word.strip().lower() for word in words)

    @cached_property
    def step(self) -> Step:
        """What keeps the server from sending invitations."""
        if not self.account.calendars:
            return Step.NOTHING
        delivers = invitations.schedules(self.powers) and any(each.is_sogo for each in self.collections())
        return invitations.step(self.powers, self.settings.scheduling, delivers=delivers)

    # --- collections --------------------------------------------------------------------------------------------

    def collections(self, *, tokens: bool = False, kind: Kind | None = None) -> list[Collection]:
        """All calendars and address books in the homes, those that are left out too; with their tokens if wanted.

        `kind`: only those in the homes where this kind is.
        """
        asked = documents.propfind(catalogue.ASKED + (self._tokens if tokens else ()))
        found: dict[str, Collection] = {}
        homes = self.account.homes if kind is None else self.account.homes_of(kind)
        for home in homes:
            answers = self.client.answers("list the calendars and address books", home, asked, depth="1")
            for answer in answers:
                path = self._path(answer.href, home)
                owner, behalf = self._owner(answer, home), bool(self.settings.principal)
                made = path and catalogue.of(answer, path, self.account.principal, owner, behalf=behalf)
                if made:
                    found[made.path] = made
                    self._tokens = tuple(each for each in self._tokens if answer.text(each))[:1] or self._tokens
        self._known = {path: each for path, each in self._known.items() if not path.startswith(homes)} | found
        return list(found.values())

    @property
    def is_sogo(self) -> bool:
        """Whether SOGo keeps what was told last."""
        return any(each.is_sogo for each in self._known.values())

    def known(self, folder: Folder) -> Collection:
        """The collection of a folder, as it was told last. Raises FolderUnusable when it is not there."""
        found = self._known.get(folder.native)
        return self.find(folder).collection if found is None else found

    def listed(self, *, tokens: bool = False, kind: Kind | None = None) -> list[Listed]:
        """What belongs to the account, as folders without counts; `kind` as for `collections`."""
        return catalogue.listed(each for each in self.collections(tokens=tokens, kind=kind) if not each.left_out)

    def folders(self) -> list[Folder]:
        """Every folder as it is now. Tasks in a calendar are a folder of their own when there are any.

        One that cannot be listed has no count: it may be none that anybody wants.
        """
        found = [self._folder_at_least(each) for each in self.listed(tokens=True)]
        return [each for each in found if each is not None]

    def _folder_at_least(self, one: Listed) -> Folder | None:
        try:
            return self.folder(one)
        except FolderUnusable:
            return one.folder(0, b"")  # never taken for gone

    def folder(self, one: Listed, *, empty: bool = False, fresh: bool = False) -> Folder | None:
        """As it is now; None for what a collection may also hold and does not, unless `empty`.

        `fresh`: believe no token.
        """
        known = self._summaries.get((one.collection.path, one.kind))
        if fresh or known is None or not known.token or known.token != one.collection.token:
            known = self._summary(one)
        if one.kind is not one.collection.kinds[0] and not known.count and not empty:
            return None
        return one.folder(known.count, known.state)

    def find(self, folder: Folder) -> Listed:
        """The folder as it is listed now. Raises FolderUnusable when it is gone."""
        for one in self.listed():
            if one.collection.path == folder.native and one.kind is folder.kind:
                return one
        raise self.gone(folder)

    def gone(self, folder: Folder) -> FolderUnusable:
        """The error for a folder that is not there any more."""
        return self.client.peer.error(FolderUnusable, f"{shown(folder)} is gone")

    # --- items --------------------------------------------------------------------------------------------------

    def listing(self, folder: Folder) -> Listing:
        """Every item of the folder, as it is now. Raises FolderUnusable when it is gone."""
        return self._of_kind(folder.native, folder.kind, shown(folder))

    def _summary(self, one: Listed) -> Summary:
        self._of_kind(one.collection.path, one.kind, f"{one.kind.value} '{one.name}'", self._tokens)
        return self._summaries[one.collection.path, one.kind]

    def _of_kind(self, path: str, kind: Kind, what: str, tokens: tuple[str, ...] = ()) -> Listing:
        """Every list is remembered in short, with the token that came with it or with an equal one before."""
        found = self._by_kind(path, kind, f"list {what}", tokens)
        for each, part in found.items():
            before, token = self._summaries.get((path, each)), part.token
            if not tokens and before is not None and before.state == part.state != b"":
                token = before.token
            self._summaries[path, each] = Summary(token, len(part.heads), part.state)
        return found[kind]

    def _by_kind(self, path: str, kind: Kind, doing: str, tokens: tuple[str, ...]) -> dict[Kind, Listing]:
        """A calendar may hold events and tasks, whatever it says that it takes: one list tells of both."""
        try:
            found = listing.read(self.client, path, doing, tokens)
            if kind is Kind.CONTACTS:
                return {kind: found}
            todo = listing.tasks(self.client, path, doing) if found.heads and found.tasks is None else found.tasks or ()
        except (AccessDenied, ProtocolError) as error:  # the collection's own trouble: others may be read
            raise unusable(error) from error
        return {Kind.TASKS: found.only(todo), Kind.CALENDAR: found.only(found.heads.keys() - set(todo))}

    def _path(self, href: str, base: str) -> str | None:
        try:
            return hrefs.path_of(href, self.client.url(base))
        except ForeignHost:
            return None

    def _owner(self, answer: Answer, base: str) -> str:
        told = [self._path(href, base) for href in answer.hrefs(names.OWNER)[:1]]
        return hrefs.collection(told[0]) if told and told[0] else ""

"""Ids changed on one side (UIDVALIDITY): items are matched anew by content before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from xdmigrate.contract import Source
from xdmigrate.engine import guards
from xdmigrate.engine.altering import as_copied
from xdmigrate.engine.fingerprints import Print, known_print, prints
from xdmigrate.engine.listing import PAGE, rows_of
from xdmigrate.engine.match import Look, pair_alike
from xdmigrate.engine.work import Pair, Work
from xdmigrate.model import Folder, Head
from xdmigrate_state import folders, ledger, places
from xdmigrate_state.rows import FolderRow, ItemRow, PlaceRow

Key = TypeVar("Key")


def rematch_source(work: Work, former: FolderRow, pair: Pair, *, trusted: bool) -> None:
    """Carry the links of `former` over to the new ids of the same folder; what is not found again is gone.

    `trusted`: a person has accepted that the source as a whole lost most of its items.
    """
    linked = [row for row in rows_of(work, former) if row.target_id is not None and not row.gone]
    shown = list(work.source.heads(pair.folder)) if linked else []
    looks = {row.source_id: Look(row.base_flags) for row in linked}
    sized = work.sized(former.kind)
    found = _paired(work.source, pair.folder, list(_contents(linked, former.kind)), looks, shown, sized=sized)
    path = "/".join(former.path)
    known = 0 if trusted else len(linked)
    guards.believe_rematch(
        work.mailbox.source, path, "source", known=known, matched=len(found), accepted=work.policy.accepted
    )
    for start in range(0, len(found), PAGE):
        chunk = found[start : start + PAGE]
        work.checkpoint(partial(ledger.transfer, from_folder=former, to_folder=pair.row, rows=chunk))

    def commit(c: Connection) -> FolderRow:
        ledger.retire(c, former)
        folders.supersede(c, former.id)
        work.note(c, "source-renumbered", path=list(former.path), known=len(linked), found=len(found))
        return folders.get(c, pair.row.id)

    pair.row = work.checkpoint(commit)


def rematch_target(work: Work, former: PlaceRow, folder: Folder) -> PlaceRow:
    """Link the copies in `former` to the new ids of the same target folder; what is not found again is sent again.

    Everything that is not ours becomes the new incarnation's baseline. One commit: half a re-match never shows.
    """
    links = list(as_copied(work, _links(work, former)))
    shown = list(work.target.heads(folder))
    known = ((row, row.fingerprint) for row in links if row.fingerprint)
    wanted = [((row.folder_id, row.source_id), known_print(former.kind, row.size, print_)) for row, print_ in known]
    looks = {(row.folder_id, row.source_id): Look(row.base_flags) for row in links}
    found = dict(_paired(work.target, folder, wanted, looks, shown, sized=work.sized(former.kind)))
    versions = {head.ref: head.version for head in shown if head.version}
    path = "/".join(former.path)
    guards.believe_rematch(
        work.mailbox.target, path, "target", known=len(links), matched=len(found), accepted=work.policy.accepted
    )
    foreign = [head.ref for head in shown if head.ref not in set(found.values())]

    def commit(c: Connection) -> PlaceRow:
        place = places.add(
            c,
            former.account_id,
            folder.kind,
            folder.path,
            folder.ref,
            folder.validity,
            folder.next_id,
            foreign,
            created=former.created,
        )
        for row in folders.of_place(c, former.id):
            _relink(c, row, place, links, found, versions)
        places.supersede(c, former.id)
        work.note(c, "target-renumbered", path=list(former.path), known=len(links), found=len(found))
        return place

    return work.checkpoint(commit)


def _relink(  # noqa: PLR0917 - the links of one folder, and what was found of them
    c: Connection,
    row: FolderRow,
    place: PlaceRow,
    links: Sequence[ItemRow],
    found: Mapping[tuple[int, bytes], bytes],
    versions: Mapping[bytes, bytes],
) -> None:
    mine = {link.source_id: link for link in links if link.folder_id == row.id}
    known = {ref: found[row.id, ref] for ref in mine if (row.id, ref) in found}
    ledger.relink(c, row, [(ref, place.id, target) for ref, target in known.items()], versions)
    ledger.reopen(c, row, [ref for ref in mine if ref not in known])
    ledger.withdraw(c, row, [ref for ref, link in mine.items() if link.gone and ref not in known])  # gone on both sides
    folders.set_target(c, row.id, place.path, place.id)
    folders.set_adopted(c, row.id, adopted=False)  # what is sent again may be among the new ids already


def _links(work: Work, place: PlaceRow) -> Iterator[ItemRow]:
    after = b""
    while rows := work.read(
        partial(ledger.by_targets, account_id=place.account_id, place_id=place.id, after=after, limit=PAGE)
    ):
        yield from rows
        after = rows[-1].target_id or b""


def _contents(rows: Sequence[ItemRow], kind: str) -> Iterator[tuple[bytes, Print]]:
    for row in rows:
        if row.fingerprint is not None:
            yield row.source_id, known_print(kind, row.size, row.fingerprint)


def _paired(
    store: Source,
    folder: Folder,
    wanted: Sequence[tuple[Key, Print]],
    looks: Mapping[Key, Look],
    shown: Sequence[Head],
    *,
    sized: bool,
) -> list[tuple[Key, bytes]]:
    """Sizes first, then bodies; where both sides have something left, all bodies: some servers estimate sizes."""
    sizes = {content.size for _, content in wanted}
    read = dict(prints(store, folder, [head.ref for head in shown if not sized or head.size in sizes]))
    copies = {head.ref: Look(head.flags) for head in shown}
    found = pair_alike(wanted, read.items(), looks, copies)
    rest = [head.ref for head in shown if head.ref not in read]
    if len(found) == len(wanted) or not rest:
        return found
    read |= prints(store, folder, rest)
    return pair_alike(wanted, [(head.ref, read[head.ref]) for head in shown if head.ref in read], looks, copies)

"""Expands a plan's `mailboxes`: inline entries and CSV rows become planned mailboxes; the first that names one wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from xdmigrate_plans import csvfile
from xdmigrate_plans.addresses import mapped
from xdmigrate_plans.content import Entry, InlineMailbox, MailboxFile
from xdmigrate_plans.diagnosis import diagnose, hidden, shown
from xdmigrate_plans.document import Document, dotted
from xdmigrate_plans.faults import Faults, Spot
from xdmigrate_plans.plan import PlannedMailbox
from xdmigrate_plans.textfile import located

_ENTRY: TypeAdapter[InlineMailbox | MailboxFile] = TypeAdapter(Entry)


@dataclass(slots=True)
class Expansion:
    """The mailboxes of a plan and the CSV files that were read for them."""

    mailboxes: list[PlannedMailbox] = field(default_factory=list)
    csv_files: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A mailbox as somebody wrote it, and where."""

    written: InlineMailbox
    spot: Spot
    where: str


def expand(document: Document, directory: Path, faults: Faults) -> Expansion:
    """All mailboxes of the document. Entries that the model refuses are left out here: that is told elsewhere."""
    expansion = Expansion()
    addresses = _addresses(document)
    found: dict[str, PlannedMailbox] = {}
    places: dict[tuple[str, str], list[_Candidate]] = {}
    for candidate in _candidates(document, directory, faults, expansion.csv_files):
        planned = _planned(candidate, addresses)
        if found.setdefault(planned.source.casefold(), planned) is not planned:
            continue
        places.setdefault(_place(planned), []).append(candidate)
    for (target, _into), sharing in places.items():
        wish = _check_place(target, sharing, faults)
        for key in (candidate.written.source.casefold() for candidate in sharing):
            found[key] = replace(found[key], merge=wish)
    expansion.mailboxes.extend(found.values())
    return expansion


def _addresses(document: Document) -> dict[str, str]:
    written = document.data.get("addresses")
    pairs = written.items() if isinstance(written, dict) else ()
    return {old: new for old, new in pairs if isinstance(new, str)}


def _candidates(document: Document, directory: Path, faults: Faults, files: list[Path]) -> Iterator[_Candidate]:
    written = document.data.get("mailboxes")
    for place, entry in enumerate(written if isinstance(written, list) else ()):
        where = ("mailboxes", place)
        match _entry(entry):
            case InlineMailbox() as mailbox:
                yield _Candidate(mailbox, document.spot(where), dotted(where))
            case MailboxFile() as listed:
                files.append(path := located(listed.file, directory))
                rows = csvfile.read(path, faults, document.spot((*where, "file")), dotted((*where, "file")))
                yield from _listed(rows, str(path), listed, faults)


def _entry(entry: Any) -> InlineMailbox | MailboxFile | None:
    try:
        return _ENTRY.validate_python(entry)
    except ValidationError:
        return None


def _listed(rows: list[csvfile.Row], file: str, listed: MailboxFile, faults: Faults) -> Iterator[_Candidate]:
    lines: dict[str, int] = {}
    for row in rows:
        spot = Spot(file, row.line)
        mailbox = _row_mailbox(row, listed, spot, faults)
        if mailbox is None:
            continue
        first = lines.setdefault(mailbox.source.casefold(), row.line)
        if first == row.line:
            yield _Candidate(mailbox, spot, "source")
        else:
            message = f"'{mailbox.source}' stands on line {first} and on line {row.line}"
            faults.add(spot, "source", message, "remove one of them")


def _row_mailbox(row: csvfile.Row, listed: MailboxFile, spot: Spot, faults: Faults) -> InlineMailbox | None:
    cells: Mapping[str, str | None] = {"wave": listed.wave, "merge": listed.merge, **row.cells}
    try:
        return InlineMailbox.model_validate(cells)
    except ValidationError as error:
        for where, message, remedy in diagnose(error, InlineMailbox, cells, show=hidden if row.passwords else shown):
            faults.add(spot, dotted(where), message, remedy)
        return None


def _planned(candidate: _Candidate, addresses: Mapping[str, str]) -> PlannedMailbox:
    written = candidate.written
    values = written.model_dump(exclude={"target"})
    target = written.target or mapped(written.source, addresses)
    return PlannedMailbox(**values, target=target, line=candidate.spot.line, file=candidate.spot.file)


def _check_place(target: str, sharing: list[_Candidate], faults: Faults) -> str | None:
    """How the mailboxes that go to one place on the target share it; only where the plan says so, and with one voice.

    The first of them need not say it, but it shares like the others: who is copied first makes no difference.
    """
    first, *later = sharing
    for candidate in later:
        if not candidate.written.merge:
            message = f"goes to the same place in '{target}' as '{first.written.source}' ({_at(first)})"
            remedy = "give it a folder of its own by `into`, or write `merge: keep` or `merge: dedupe`"
            faults.add(candidate.spot, candidate.where, f"'{candidate.written.source}' {message}", remedy)
    told = [candidate for candidate in sharing if candidate.written.merge]
    for candidate in told[1:]:
        if candidate.written.merge != told[0].written.merge:
            message = f"says merge: {candidate.written.merge}, '{told[0].written.source}' ({_at(told[0])}) says"
            remedy = "write the same for all mailboxes that go to one place"
            faults.add(candidate.spot, candidate.where, f"{message} merge: {told[0].written.merge}", remedy)
    return told[0].written.merge if told else None


def _at(candidate: _Candidate) -> str:
    return f"{candidate.spot.file}:{candidate.spot.line}"


def _place(mailbox: PlannedMailbox) -> tuple[str, str]:
    return mailbox.target.casefold(), (mailbox.into or "").casefold()

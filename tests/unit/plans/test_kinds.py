"""Which kinds of data a plan moves, and between which endpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdmigrate.errors import PlanInvalid
from xdmigrate.model import Kind
from xdmigrate_plans import edit
from xdmigrate_plans.loader import load
from xdmigrate_plans.plan import Plan, Way

GROUPWARE = frozenset((Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS))
MOVED = {"imap": frozenset((Kind.MAIL,)), "dav": GROUPWARE, "memory": frozenset(Kind), "cards": {Kind.CONTACTS}}

PLAN = """\
version: 1
name: contoso
endpoints:
  old: {{connector: imap, host: imap.old.example}}
  old-dav: {{connector: dav, url: "https://dav.old.example/"}}
  new: {{connector: memory, server: new}}
  new-dav: {{connector: dav, url: "https://dav.new.example/"}}
  book: {{connector: cards, server: book}}
source: {source}
target: {target}
mailboxes:
  - {{source: ann@old.example, target: ann@new.example}}
"""

SPLIT = "{mail: old, calendar: old-dav, contacts: old-dav, tasks: old-dav}"


def loaded(home: Path, source: str, target: str) -> Plan:
    path = home / "plan.yaml"
    path.write_text(PLAN.format(source=source, target=target))
    return load(path, connectors=frozenset(MOVED), moves=MOVED.__getitem__)


def told(home: Path, source: str, target: str) -> list[tuple[int, str, str]]:
    with pytest.raises(PlanInvalid) as refusal:
        loaded(home, source, target)
    assert all(problem.remedy for problem in refusal.value.problems)
    return [(problem.line, problem.where, problem.message) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    ("source", "target", "kinds"),
    [
        ("old", "new", [Kind.MAIL]),
        ("old", "{mail: new}", [Kind.MAIL]),
        ("old-dav", "new-dav", [Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS]),
        ("new", "new-dav", [Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS]),
        ("book", "new", [Kind.CONTACTS]),
        ("{contacts: book}", "new", [Kind.CONTACTS]),
        ("{contacts: old-dav, calendar: old-dav}", "new", [Kind.CALENDAR, Kind.CONTACTS]),
        (SPLIT, "new", list(Kind)),
    ],
)
def test_a_name_alone_stands_for_all_that_both_sides_move(
    tmp_path: Path, source: str, target: str, kinds: list[Kind]
) -> None:
    plan = loaded(tmp_path, source, target)
    assert list(plan.kinds) == kinds
    assert [list(plan.snapshot()[side]) for side in ("source", "target")] == [kinds, kinds]


def test_each_pair_of_endpoints_is_one_way_and_mail_goes_first(tmp_path: Path) -> None:
    plan = loaded(tmp_path, SPLIT, "{contacts: book, tasks: new-dav, mail: new, calendar: new-dav}")
    assert plan.ways == [
        Way("old", "new", (Kind.MAIL,)),
        Way("old-dav", "new-dav", (Kind.CALENDAR, Kind.TASKS)),
        Way("old-dav", "book", (Kind.CONTACTS,)),
    ]
    assert plan.endpoint_names("source") == ["old", "old-dav"]
    assert plan.endpoint_name("target") == "new"


@pytest.mark.parametrize(
    ("source", "target", "problems"),
    [
        (SPLIT, "{mail: new}", [(9, f"source.{kind}", f"{kind} has no endpoint under target") for kind in GROUPWARE]),
        ("{mail: old}", SPLIT, [(10, f"target.{kind}", f"{kind} has no endpoint under source") for kind in GROUPWARE]),
        ("{mail: old-dav}", "{mail: new}", [(9, "source.mail", "endpoint 'old-dav' (dav) moves no mail")]),
        ("old", "{mail: new, tasks: new}", [(10, "target.tasks", "endpoint 'old' (imap) moves no tasks")]),
        ("old", "new-dav", [(10, "target", "connectors imap and dav move no kind of data in common")]),
        ("{calendar: dav}", "{calendar: new}", [(9, "source.calendar", "'dav' is no endpoint")]),
        ("{}", "new", [(9, "source", "the value names no endpoint")]),
        (
            "{directory: old}",
            "{mail: new}",
            [(9, "source.directory", "kind 'directory' is not supported by this version")],
        ),
    ],
)
def test_what_does_not_fit_together_is_told_with_its_line(
    tmp_path: Path, source: str, target: str, problems: list[tuple[int, str, str]]
) -> None:
    assert set(problems) <= set(told(tmp_path, source, target))


def test_invitations_are_never_sent_whatever_a_plan_wishes(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.format(source="old", target="new") + "invitations: always\n")
    with pytest.raises(PlanInvalid, match="invitations: 'always' is not accepted here; use 'never'"):
        load(path, connectors=frozenset(MOVED), moves=MOVED.__getitem__)


def test_kinds_come_and_go_freely_but_another_system_is_refused(tmp_path: Path) -> None:
    mail = loaded(tmp_path, "{mail: old}", "{mail: new}")
    both = loaded(tmp_path, "{mail: old, calendar: old-dav}", "{mail: new, calendar: new}")
    other = loaded(tmp_path, "{mail: old, calendar: old-dav}", "{mail: new, calendar: new-dav}")
    begun = {"ann@old.example"}
    assert [(each.kind, each.where, each.after) for each in edit.diff(mail.snapshot(), both, begun)] == [
        ("free", "source.calendar", "old-dav"),
        ("free", "target.calendar", "new"),
    ]
    assert {(each.kind, each.text) for each in edit.diff(both.snapshot(), mail, begun)} == {
        ("free", "no longer copied; what is on the target stays")
    }
    assert [(each.kind, each.where) for each in edit.diff(both.snapshot(), other, begun)] == [
        ("refused", "target.calendar")
    ]


def test_nothing_but_mail_has_the_snapshot_that_it_always_had(tmp_path: Path) -> None:
    assert loaded(tmp_path, "old", "new").snapshot()["source"] == {"mail": "old"}

"""Permissions, comments and colours of folders: added, once, to nobody unknown, never in the mail's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.world import USER, World
from xdmigrate.engine.context import Policy
from xdmigrate.engine.people import People, is_person
from xdmigrate.engine.scope import Scope
from xdmigrate.report.status import plan_status
from xdmigrate.testing.faults import Fault, Faults, Mode, Operation
from xdmigrate.testing.memory.powers import Powers
from xdmigrate_state import journal

PEOPLE = People({USER: USER, "bob": "bob@new.example"}, lambda address: address.replace("old.", "new."))
POLICY = Policy(Scope(), people=PEOPLE)
INBOX = ("INBOX",)


def world(home: Path, policy: Policy = POLICY, target: Powers | None = None) -> World:
    made = World(home, policy=policy, target=target)
    made.old.deliver(INBOX, b"Subject: x\r\n\r\nx\r\n")
    box = made.old.box(INBOX)
    box.grants.update({USER: "lrswipkxtea", "bob": "lrs", "carol@old.example": "lr"})
    box.notes.update({"/private/comment": b"for Ann", "/shared/vendor/x/color": b"#ff0000"})
    return made


def left(made: World) -> list[tuple[str, str]]:
    (box,) = made.db.read(lambda c: plan_status(c, "contoso", made.clock.now())).mailboxes
    return [(one.what, one.name) for one in box.left]


def test_everything_known_is_copied_once(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.sync()
    box = made.new.box(INBOX)
    assert box.grants == {"bob@new.example": "lrs", "carol@new.example": "lr"}
    assert box.notes == made.old.box(INBOX).notes
    assert left(made) == []
    box.grants.clear()
    made.sync()
    assert box.grants == {}  # looked at once: what the target's user takes away stays away


def test_rights_are_added_and_never_more_than_at_the_source(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.old.box(INBOX).grants.update({"-bob": "s", "-group:interns": "r", "anyone": "l"})
    made.new.box(INBOX).grants.update({"carol@new.example": "ip", "anyone": "p"})
    made.sync()
    assert made.new.box(INBOX).grants == {"bob@new.example": "l", "carol@new.example": "ilp", "anyone": "p"}
    assert left(made) == [("grant", "-bob"), ("grant", "-group:interns"), ("grant", "anyone")]


def test_a_group_gets_rights_where_the_target_knows_it(tmp_path: Path) -> None:
    made = world(tmp_path)
    made.old.box(INBOX).grants.update({"group:sales": "lr", "group:other": "lr", "dave": "lr"})
    made.new.box(INBOX).grants["group:sales"] = "l"
    made.sync()
    assert made.new.box(INBOX).grants["group:sales"] == "lr"
    assert left(made) == [("grant", "dave"), ("grant", "group:other")]


def test_what_the_target_cannot_have_is_listed(tmp_path: Path) -> None:
    made = world(tmp_path, target=Powers(grants=False, notes=False))
    made.sync()
    assert left(made) == [
        ("grant", "bob"),
        ("grant", "carol@old.example"),
        ("note", "/private/comment"),
        ("note", "/shared/vendor/x/color"),
    ]


def test_refusals_are_told_and_do_not_stop_the_mail(tmp_path: Path) -> None:
    made = world(tmp_path, target=Powers(stranger=lambda name: name.startswith("carol")))
    made.new.box(INBOX).notes["/private/comment"] = b"the user's own"
    made.sync()
    assert len(made.new.contents(INBOX)) == 1
    assert made.new.box(INBOX).grants == {"bob@new.example": "lrs"}
    assert made.new.box(INBOX).notes["/private/comment"] == b"the user's own"
    assert left(made) == [("grant", "carol@new.example"), ("note", "/private/comment")]
    (entry,) = [row for row in made.db.read(lambda c: journal.show(c, made.plan_id)) if row.event == "shared"]
    assert entry.facts["declined"] == ["carol@new.example"]
    assert b"own" not in repr(entry.facts).encode()


def test_the_plan_may_do_without_permissions(tmp_path: Path) -> None:
    made = world(tmp_path, policy=replace(POLICY, permissions=False))
    made.sync()
    assert made.new.box(INBOX).grants == {}
    assert made.new.box(INBOX).notes
    made.policy = POLICY
    made.sync()
    assert made.new.box(INBOX).grants == {"bob@new.example": "lrs", "carol@new.example": "lr"}


@pytest.mark.parametrize("mode", [Mode.BEFORE, Mode.AFTER])
def test_a_lost_answer_is_made_good(tmp_path: Path, mode: Mode) -> None:
    made = world(tmp_path)
    faults = iter([Fault(mode)])

    def once(operation: Operation) -> Fault | None:
        return next(faults, None) if operation.name == "share" else None

    made.target_faults = Faults(once)
    made.sync()
    assert made.new.box(INBOX).grants == {"bob@new.example": "lrs", "carol@new.example": "lr"}
    assert next(faults, None) is None


@pytest.mark.parametrize("name", ["", "-bob", "anyone", "Anonymous", "group:x", "$x", "#staff", "a\nb"])
def test_some_identifiers_are_no_persons(name: str) -> None:
    assert not is_person(name)
    assert PEOPLE.find(name) is None


def test_a_bare_name_that_the_plan_does_not_have_is_nobody() -> None:
    assert PEOPLE.find("dave") is None
    assert PEOPLE.find("BOB") == "bob@new.example"
    assert PEOPLE.find("dave@old.example") == "dave@new.example"

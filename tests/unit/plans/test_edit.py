"""What an edited plan means for work that has begun."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate_plans.content import Scope
from xdmigrate_plans.edit import Change, diff, refusal_checksum, refused, scope_hash
from xdmigrate_plans.plan import Plan

Load = Callable[..., Plan]
ANN = frozenset(("ann@old.example",))
NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def edited(load_text: Load, minimal: str) -> Callable[..., list[Change]]:
    """The changes between a plan with some additions and one with others."""

    def changes(before: str = "", after: str = "", *, seeded: frozenset[str] = ANN) -> list[Change]:
        old = json.loads(json.dumps(load_text(merged(minimal, before)).snapshot()))
        return diff(old, load_text(merged(minimal, after)), seeded)

    return changes


def merged(base: str, over: str) -> str:
    data = {**yaml.safe_load(base), **(yaml.safe_load(over) or {})}
    return yaml.safe_dump(data, sort_keys=False)


Edited = Callable[..., list[Change]]

FREE = {
    "limits: {old: {connections: 9}}": ("limits.old.connections", "", "9"),
    "failures: {items_per_mailbox: 3}": ("failures.items_per_mailbox", "50", "3"),
    "deletions: mirror": ("deletions", "additive", "mirror"),
    "customer: {name: Contoso}": ("customer.name", "", "Contoso"),
    "addresses: {a.b: c.d}": ("addresses.a.b", "", "c.d"),
    "scope: {order: oldest}": ("scope.order", "newest", "oldest"),
    "scope: {folders: {rename: {A: B}}}": ("scope.folders.rename.A", "", "B"),
    "mailboxes: [{source: ann@old.example, target: ann@new.example, wave: pilot}]": (
        "mailboxes.ann@old.example.wave",
        "",
        "pilot",
    ),
}


def test_nothing_changed_is_nothing_told(edited: Edited) -> None:
    everything = "\n".join(text for text in FREE if not text.startswith(("scope", "mailboxes")))
    assert edited(everything, everything) == []


@pytest.mark.parametrize("after", FREE)
def test_these_change_freely(after: str, edited: Edited) -> None:
    [change] = edited("", after)
    assert (change.kind, change.where, change.before, change.after) == ("free", *FREE[after])
    assert change.text
    assert refusal_checksum([change]) == ""


# --- endpoints --------------------------------------------------------------------------------------------------

OTHER_HOST = """
endpoints:
  old: {connector: imap, host: imap.old.example, auth: {password: "env:OLD"}}
  new: {connector: imap, host: imap2.new.example, auth: {password: "env:NEW"}}
"""


def test_another_system_is_refused_once_copying_has_begun(edited: Edited) -> None:
    [change] = edited("", OTHER_HOST)
    assert (change.kind, change.where) == ("refused", "endpoints.new")
    assert (change.before, change.after) == ("imap imap.new.example 993", "imap imap2.new.example 993")
    assert "imap2" in str(change)


def test_before_the_first_copy_a_host_is_just_corrected(edited: Edited) -> None:
    [change] = edited("", OTHER_HOST, seeded=NOBODY)
    assert change.kind == "free"


@pytest.mark.parametrize("setting", ["port: 1993", "tls: starttls"])
def test_another_port_is_another_system(setting: str, edited: Edited) -> None:
    after = OTHER_HOST.replace("imap2", "imap").replace("new.example,", f"new.example, {setting},")
    assert "refused" in [change.kind for change in edited("", after)]


def test_the_default_port_written_out_changes_nothing(edited: Edited) -> None:
    assert edited("", OTHER_HOST.replace("imap2.new.example", "IMAP.new.example, port: 993, tls: implicit")) == []


def test_other_settings_of_an_endpoint_change_freely(edited: Edited) -> None:
    after = OTHER_HOST.replace("imap2", "imap").replace("env:NEW", "file:new.pw")
    [change] = edited("", after)
    assert (change.kind, change.where, change.after) == ("free", "endpoints.new.auth.password", "file:new.pw")


def test_a_side_that_moves_to_another_endpoint_is_refused(edited: Edited) -> None:
    third = OTHER_HOST.replace("imap2", "imap") + "  third: {connector: imap, host: third.example}\n"
    [change] = edited(third, third + "target: third\n")
    assert (change.kind, change.where, change.after) == ("refused", "target.mail", "imap third.example 993")


def test_an_endpoint_may_get_another_name(edited: Edited) -> None:
    after = OTHER_HOST.replace("imap2", "imap").replace("  new:", "  fresh:") + "target: fresh\n"
    changes = edited("", after)
    assert refused(changes) == []
    assert ("target.mail", "new", "fresh") in [(change.where, change.before, change.after) for change in changes]


def test_an_endpoint_nobody_uses_changes_freely(edited: Edited) -> None:
    third = OTHER_HOST.replace("imap2", "imap") + "  third: {connector: imap, host: third.example}\n"
    assert {change.kind for change in edited(third, third.replace("third.example", "4th.example"))} == {"free"}


# --- mailboxes --------------------------------------------------------------------------------------------------


def boxes(*entries: str) -> str:
    return f"mailboxes: [{', '.join('{' + entry + '}' for entry in entries)}]"


ANN_BOX = "source: ann@old.example, target: ann@new.example"
BOB_BOX = "source: bob@old.example, target: bob@new.example"


@pytest.mark.parametrize("edit", ["target: anna@new.example", "target: ann@new.example, into: Old"])
def test_the_target_of_a_mailbox_is_fixed_once_copying_has_begun(edit: str, edited: Edited) -> None:
    after = boxes(f"source: ann@old.example, {edit}")
    [change] = edited("", after)
    assert (change.kind, change.where.rpartition(".")[2]) == ("refused", edit.rpartition(", ")[2].partition(":")[0])
    assert [change.kind for change in edited("", after, seeded=NOBODY)] == ["free"]
    assert [change.kind for change in edited("", after, seeded=frozenset(("ANN@old.example",)))] == ["refused"]


def test_a_renamed_domain_cannot_move_a_mailbox_silently(edited: Edited) -> None:
    mapped = boxes("source: ann@old.example")
    changes = edited(f"{mapped}\naddresses: {{old.example: a}}", f"{mapped}\naddresses: {{old.example: b}}")
    assert [(change.where, change.after) for change in refused(changes)] == [
        ("mailboxes.ann@old.example.target", "ann@b")
    ]


def test_mailboxes_come_and_go(edited: Edited) -> None:
    [come] = edited("", boxes(ANN_BOX, BOB_BOX))
    assert (come.kind, come.before, come.after) == ("free", "", "bob@old.example")
    [gone] = edited(boxes(ANN_BOX, BOB_BOX), "")
    assert (gone.kind, gone.before, gone.after) == ("free", "bob@old.example", "")
    assert gone.text == "stays as it is, no longer synced"


def test_one_gone_and_one_come_may_be_a_rename(edited: Edited) -> None:
    gone, come = edited("", boxes(BOB_BOX))
    assert gone.text.startswith("stays as it is, no longer synced")
    assert "xdmigrate mailbox PLAN rename ann@old.example bob@old.example" in gone.text
    assert come.text == "an additional mailbox"


def test_many_gone_and_come_get_the_general_hint(edited: Edited) -> None:
    changes = edited(boxes(ANN_BOX, BOB_BOX), boxes("source: carl@old.example"))
    assert ["rename OLD NEW" in change.text for change in changes] == [True, True, False]


# --- scope ------------------------------------------------------------------------------------------------------


def folders(include: list[str], exclude: list[str]) -> str:
    return f"scope: {{folders: {{include: {include}, exclude: {exclude}}}}}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (folders(["A"], []), folders(["A", "B"], [])),
        (folders(["A"], []), folders(["*"], [])),
        (folders(["*"], ["X", "Y"]), folders(["*"], ["Y"])),
        (folders(["*"], ["*"]), folders(["*"], ["Y"])),
        ("scope: {mail_since: 2015-01-01}", "scope: {mail_since: 2014-12-31}"),
        ("scope: {mail_since: 2015-01-01}", ""),
        ("scope: {max_size: 10MB}", "scope: {max_size: 11MB}"),
        ("scope: {max_size: 9}", "scope: {max_size: 10}"),
        ("scope: {max_size: 10MB}", ""),
    ],
)
def test_a_wider_scope_and_its_reverse(before: str, after: str, edited: Edited) -> None:
    [wider] = edited(before, after)
    assert wider.kind == "scope-wider"
    assert "becomes pending" in wider.text
    [narrower] = edited(after, before)
    assert narrower.kind == "scope-narrower"
    assert (narrower.before, narrower.after) == (wider.after, wider.before)


def test_other_folders_are_both_wider_and_narrower(edited: Edited) -> None:
    changes = edited(folders(["A"], ["X"]), folders(["B"], ["Y"]))
    assert sorted(change.kind for change in changes) == ["scope-narrower"] * 2 + ["scope-wider"] * 2


# --- checksum ---------------------------------------------------------------------------------------------------


def test_the_checksum_names_exactly_what_is_refused(edited: Edited) -> None:
    changes = edited("", OTHER_HOST)
    accepted = refusal_checksum(changes)
    assert len(accepted) == 12
    assert refusal_checksum(edited("", OTHER_HOST + "deletions: mirror\n")) == accepted
    assert refusal_checksum(edited("", OTHER_HOST.replace("imap2", "imap3"))) != accepted
    assert refusal_checksum([*changes, replace(changes[0], where="target.mail")]) != accepted
    assert refusal_checksum(reversed([*changes, changes[0]])) == refusal_checksum([*changes, changes[0]])


names = st.text("abcXYZ", min_size=1, max_size=5)
scopes = st.fixed_dictionaries(
    {},
    optional={
        "folders": st.fixed_dictionaries({}, optional={"include": st.lists(names), "exclude": st.lists(names)}),
        "max_size": st.integers(1, 10**9),
        "mail_since": st.dates().map(str),
        "order": st.sampled_from(["newest", "oldest"]),
    },
)
documents = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "name": st.just("p"),
        "endpoints": st.just({n: {"connector": "imap", "host": n} for n in "ab"}),
        "source": st.sampled_from("ab"),
        "target": st.sampled_from("ab"),
        "mailboxes": st.just([]),
    },
    optional={
        "scope": scopes,
        "limits": st.dictionaries(st.sampled_from("ab"), st.just({"connections": 2})),
        "addresses": st.dictionaries(names, names),
        "deletions": st.sampled_from(["additive", "mirror"]),
    },
)


@given(documents, documents)
def test_a_plan_does_not_differ_from_itself(one: dict[str, object], other: dict[str, object]) -> None:
    """And two plans differ exactly when their checksums do."""
    from pathlib import Path

    from xdmigrate_plans.content import Content

    plans = [Plan(Path("p"), Content.model_validate(data), ()) for data in (one, other)]
    for plan in plans:
        assert diff(json.loads(json.dumps(plan.snapshot())), plan, ANN) == []
    changes = diff(plans[0].snapshot(), plans[1], ANN)
    if plans[0].checksum == plans[1].checksum:
        assert changes == []
    assert (refusal_checksum(changes) == "") is (refused(changes) == [])


@given(scopes, scopes)
def test_the_scope_hash_follows_filters_only(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = Scope.model_validate(one), Scope.model_validate(other)
    filters = [(set(s.folders.include), set(s.folders.exclude), s.mail_since, s.max_size) for s in (first, second)]
    assert (scope_hash(first) == scope_hash(second)) is (filters[0] == filters[1])
    turned = first.model_copy(update={"order": "oldest" if first.order == "newest" else "newest"})
    assert scope_hash(turned) == scope_hash(first)

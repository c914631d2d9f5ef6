"""Three leavers into one colleague's mailbox, on real servers, counted by the independent reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import pytest

from tests.conftest import FULL, Pair
from tests.live.dovecot import Dovecot
from tests.live.project import Project, Values, between, closed, within
from tests.live.reader import Account, Draft, contents, dump, load
from tests.live.test_main_job import idle

Accounts = Callable[[], str]
Bodies = dict[str, "Counter[tuple[str, int]]"]

MESSAGES = 3000 if FULL else 120
LEFT = "Left 2025"


def mail(number: int, mark: str = "") -> Draft:
    return Draft(b"From: a@example.test\r\nSubject: %d\r\n\r\n%s\r\n" % (number, mark.encode() or b"for all"))


def held(position: int) -> dict[str, list[Draft]]:
    """What one leaver has: much that all were sent, some of it twice or three times, and something of his own."""
    common = [mail(number) for number in range(MESSAGES)]
    twice = [mail(number) for number in range(15) for _ in range(position + 1)]
    own = [mail(number, f"only {position}") for number in range(30)]
    return {"INBOX": common + own, "Sent": own[:10] + common[:20], "Lists/All staff": twice}


def whole(server: Dovecot, user: str) -> Account:
    return dump(*server.access(user))


def below(account: Account, folder: str) -> Bodies:
    found = contents(account)
    return {name.removeprefix(f"{folder}/"): bodies for name, bodies in found.items() if name.startswith(f"{folder}/")}


def joined(sources: list[Bodies], wish: str) -> Bodies:
    one = Counter.__or__ if wish == "dedupe" else Counter.__add__
    names = {name for source in sources for name in source}
    return {name: reduce(one, (source.get(name, Counter()) for source in sources)) for name in names}


def three(pair: Pair, new_user: Accounts, folder: Path, wish: str) -> tuple[Project, list[str], str]:
    users, colleague = [new_user() for _ in range(3)], new_user()
    for position, user in enumerate(users):
        load(*pair.old.access(user), held(position))
    boxes: list[Values] = [{"source": user, "target": colleague, "into": LEFT, "merge": wish} for user in users]
    return between(pair.old, pair.new, folder, *boxes), users, colleague


@pytest.mark.parametrize("wish", ["dedupe", pytest.param("keep", marks=pytest.mark.full)])
def test_three_into_one_folder(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, wish: str) -> None:
    old, new = dovecot_pair
    project, users, colleague = three(dovecot_pair, new_user, tmp_path, wish)
    load(*new.access(colleague), {"INBOX": [mail(0), mail(0), mail(1, "his own")]})
    sources = [contents(whole(old, user)) for user in users]
    if wish == "dedupe":
        with project.running("sync") as run:
            assert within(60, lambda: project.writing() or not run.running)
            run.kill()
    run_again = project.run("sync")
    assert (run_again.exit, run_again.facts["errors"]) == (0, [])
    there = whole(new, colleague)
    assert below(there, LEFT) == {name: bodies for name, bodies in joined(sources, wish).items() if bodies}
    assert len(there["INBOX"]) == 3  # what is not below `into` is the colleague's own
    counts = project.counts()
    items = sum(bodies.total() for source in sources for bodies in source.values())
    copies = sum(len(messages) for name, messages in there.items() if name != "INBOX")
    assert closed(counts)
    assert (counts["source"], counts["copied"], counts["merged"]) == (items, copies, items - copies)
    explained(project, items)
    idle(project, new, [colleague])
    assert whole(new, colleague) == there


def explained(project: Project, items: int) -> None:
    """Every item of every leaver is verified, also those whose only copy came from another one."""
    answer = project.run("verify", "--full")
    assert (answer.exit, answer.facts["verdict"]) == (0, "pass"), answer.out
    found: Counter[str] = sum((Counter(box["kinds"]["mail"]) for box in answer.facts["mailboxes"]), Counter())
    assert (found["source"], found["verified"]) == (items, items)


def test_another_tool_had_half_filled_the_target(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path) -> None:
    """It ran twice over a part, added a header to another part, and is joined by the owner's own mail."""
    old, new = dovecot_pair
    user = new_user()
    load(*old.access(user), {"INBOX": [mail(number) for number in range(200)], "Sent": [mail(7)] * 5})
    altered = [Draft(b"X-TUID: abcdefghijkl\r\n" + mail(number).body) for number in range(100, 120)]
    brought = [mail(number) for number in (*range(100), *range(40))]
    own = [mail(number, "own") for number in range(6)]
    load(*new.access(user), {"INBOX": brought + altered + own, "Sent": [mail(7)] * 3})
    before = contents(whole(new, user))
    project = between(old, new, tmp_path, user)
    assert project.run("sync").exit == 0
    counts = project.counts()
    assert (counts["source"], counts["present"], counts["copied"]) == (205, 103, 102)
    there = contents(whole(new, user))
    sources = contents(whole(old, user))
    assert there["INBOX"] == sources["INBOX"] | before["INBOX"]
    assert there["Sent"] == sources["Sent"]
    answer = project.run("verify", "--full")
    assert answer.facts["verdict"] == "pass"
    found = answer.facts["mailboxes"][0]["kinds"]["mail"]
    assert (found["verified"], found["own"], found["unexplained"]) == (205, 40 + 20 + 6, 0)
    idle(project, new, [user])

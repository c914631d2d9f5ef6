"""A server keeps an item and the answer is lost, and perhaps what is asked next as well: nothing is lost, or twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from tests.connectors.dav.scripted import card, event, todo
from tests.live.cutting import CuttingProxy
from tests.live.dav.chain import USER, Service, serving
from tests.live.project import Project, closed

pytestmark = pytest.mark.live

ITEMS = {
    "calendar.ics": [event(f"e{number}", f"Number {number}") for number in range(12)],
    "tasks.ics": [todo(f"t{number}") for number in range(3)],
    "people.vcf": [card(f"c{number}", f"Person {number}") for number in range(6)],
}
COUNT = sum(map(len, ITEMS.values()))

_KEPT = re.compile(rb"HTTP/1\.[01] 20[0-9] ")


class Deaf:
    """Loses one of `every` answers to items that were kept, and `more` answers after it, whatever they are about."""

    def __init__(self, every: int, more: int) -> None:
        self.puts = 0
        self.kept = 0
        self.lost = 0
        self._every, self._more = every, more
        self._open = 0  # items that are sent, and not answered yet
        self._left = 0  # answers that are still to be lost

    def __call__(self, data: bytes, to_server: bool) -> int | None:
        if to_server:
            is_put = data.startswith(b"PUT ")
            self.puts, self._open = self.puts + is_put, self._open + is_put
            return None
        if self._left:
            self._left -= 1
            return 0
        if not self._open or not _KEPT.match(data):
            return None
        self._open, self.kept = self._open - 1, self.kept + 1
        if self.kept % self._every:
            return None
        self.lost, self._left = self.lost + 1, self._more
        return 0


OTHERS = ("Xandikos", "Cyrus", "SOGo")


@pytest.fixture(params=["Radicale", *(pytest.param(each, marks=pytest.mark.full) for each in OTHERS)])
def target(request: pytest.FixtureRequest) -> Iterator[Service]:
    """An account of each server, with its sending of invitations switched off."""
    with serving(request.param) as service:
        yield service


def filled(folder: Path, given: Mapping[str, Sequence[bytes]]) -> Path:
    """The items as plain files."""
    for name, items in given.items():
        stem, _, ending = name.partition(".")
        (folder / stem).mkdir(parents=True)
        for number, data in enumerate(items):
            (folder / stem / f"{number}.{ending}").write_bytes(data)
    return folder


def there(target: Service) -> dict[str, str]:
    """The items of the account with their ETags."""
    deep = max(home.count("/") for home in target.homes) + 1
    return {path: version for path, version in target.versions().items() if path.count("/") > deep and path[-1] != "/"}


@pytest.mark.parametrize(("every", "more"), [(3, 0), pytest.param(10, 6, marks=pytest.mark.full)])
def test_an_item_that_is_kept_and_whose_answer_is_lost(tmp_path: Path, target: Service, every: int, more: int) -> None:
    """Without the answer alone it is looked at once more; without that, too, the whole range is settled."""
    deaf, url = Deaf(every, more), httpx.URL(target.server.url)
    old = {"connector": "files", "path": str(filled(tmp_path / "old", ITEMS))}
    with CuttingProxy(url.port or 80, deaf) as proxy:
        new = target.endpoint(tmp_path) | {"url": str(url.copy_with(port=proxy.port))}
        project = Project(tmp_path / "job", old, new, [USER])
        done = project.run("sync")
        written = there(target)
        sent = deaf.puts
        again = project.run("sync")
    assert deaf.lost == COUNT // every
    assert sent == len(written) == COUNT, "what was kept is not sent again"
    for answer in (done, again):
        assert (answer.exit, answer.facts["errors"]) == (0, []), answer.err
        totals = answer.facts["totals"].values()
        assert all(closed(counts) for counts in totals)
        assert sum(counts["copied"] + counts["present"] for counts in totals) == COUNT
    assert (deaf.puts, there(target)) == (sent, written), "a second run writes nothing"
    if more:
        project.plan["endpoints"]["new"] = target.endpoint(tmp_path)
        project.save()
        assert project.run("verify", "--full").facts["verdict"] == "pass"


UNREADABLE = [
    event("over", more="RRULE:FREQ=NEVER\r\n"),
    event("begin").replace(b"DTSTART:20370102T100000Z", b"DTSTART:Next Year"),
    event("end").replace(b"DTEND:20370102T110000Z", b"DTEND:20370102T11000"),
    event("alarm", more="BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:now\r\nEND:VALARM\r\n"),
]
MAKING_OTHERS = {"Radicale": 1, "Cyrus": 1, "SOGo": 2}
"""Of how many of these a server makes something else."""


def test_what_should_be_taken_out_again_and_is_not(tmp_path: Path, target: Service) -> None:
    """The process may die between a write and its taking back: then the item is in quarantine, and says so."""
    lost = 0

    def losing_a_removal(data: bytes, to_server: bool) -> int | None:
        nonlocal lost
        if lost or not to_server or not data.startswith(b"DELETE "):
            return None
        lost = 1
        return 0

    url = httpx.URL(target.server.url)
    old = {"connector": "files", "path": str(filled(tmp_path / "old", {"calendar.ics": [event("good"), *UNREADABLE]}))}
    with CuttingProxy(url.port or 80, losing_a_removal) as proxy:
        new = target.endpoint(tmp_path) | {"url": str(url.copy_with(port=proxy.port))}
        project = Project(tmp_path / "job", old, new, [USER])
        done = project.run("sync")
        written = there(target)
        again = project.run("sync")
    others = MAKING_OTHERS.get(target.name, 0)
    assert lost == min(others, 1)
    for answer in (done, again):
        [counts] = answer.facts["totals"].values()
        assert closed(counts)
        assert counts["pending"] == 0
        assert counts["copied"] == len(written) - lost
        assert answer.exit == (3 if counts["failed"] else 0), answer.err
    assert there(target) == written, "a second run writes nothing"
    details = [each["detail"] for each in project.run("quarantine", "list").facts["items"]]
    assert sum("left alone" in each for each in details) == lost
    assert sum("taken out again" in each for each in details) == others - lost

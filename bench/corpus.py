"""What is moved: accounts made from a seed, the same on every machine. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import exp, log
from statistics import NormalDist

from tests.live.reader import Draft, native

MEDIAN = 8_000
MEAN = 59_000
LARGEST = 40_000_000
"""The sizes of a real mailbox: log-normal, most messages small, most bytes in few messages."""

FOLDERS = 30
LINE = 76
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)

FLAGS: tuple[tuple[int, frozenset[str]], ...] = (
    (60, frozenset({"\\Seen"})),
    (15, frozenset({"\\Seen", "\\Answered"})),
    (5, frozenset({"\\Seen", "\\Flagged"})),
    (2, frozenset({"\\Seen", "Invoice"})),  # a keyword
    (18, frozenset()),
)
"""Flag sets with their shares in percent."""

NAMES = ("Projekte", "Entwürfe", "受信箱", "Kunden", "Été", "Archive", "R&D", "Ελλάδα", "Old mail", "Rechnungen")


@dataclass(frozen=True, slots=True)
class Corpus:
    """One kind of account. `size` 0 means real sizes, else each message has exactly so many bytes."""

    name: str
    messages: int
    size: int = 0
    folders: int = FOLDERS
    seed: int = 1

    def scaled(self, factor: float) -> Corpus:
        """The same with fewer messages; folders get fewer more slowly, and none is empty."""
        folders = max(3, round(self.folders * min(1.0, factor) ** 0.5))
        return replace(self, messages=max(folders, round(self.messages * factor)), folders=folders)

    def sizes(self) -> list[int]:
        """Of all messages, in the order in which they stand."""
        if self.size:
            return [self.size] * self.messages
        sizes = lognormal(self.messages)
        random.Random(f"{self.seed}/sizes").shuffle(sizes)
        return sizes

    def paths(self) -> list[tuple[str, ...]]:
        """INBOX, then nested and non-ASCII folders."""
        return [("INBOX",), *(path(number) for number in range(self.folders - 1))]

    def account(self) -> Iterator[tuple[str, list[Draft]]]:
        """Folder by folder: its name on the wire and its messages; one folder is in memory at a time."""
        sizes, names = self.sizes(), ["/".join(map(native, levels)) for levels in self.paths()]
        maker = Maker(f"{self.seed}/{self.name}")
        for number, name in enumerate(names):
            first, last = (len(sizes) * n // len(names) for n in (number, number + 1))
            yield name, [maker.draft(position, sizes[position]) for position in range(first, last)]


def lognormal(count: int) -> list[int]:
    """Sizes at the middle of `count` equal shares of the distribution: the shape is the same at every scale."""
    normal = NormalDist(log(MEDIAN), (2 * log(MEAN / MEDIAN)) ** 0.5)
    return [min(LARGEST, max(600, round(exp(normal.inv_cdf((n + 0.5) / count))))) for n in range(count)]


def path(number: int) -> tuple[str, ...]:
    """The levels of a folder: the first ten stand at the top, the others below an earlier one."""
    own = NAMES[number % len(NAMES)] if number < len(NAMES) else f"{NAMES[number % len(NAMES)]} {number}"
    return (own,) if number < len(NAMES) else (*path(number - len(NAMES)), own)


class Maker:
    """Makes messages of exact sizes: a header of its own for each, then lines cut from one random text."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        chance = random.Random(seed)
        alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        lines = (bytes(chance.choices(alphabet, k=LINE)) for _ in range(8192))
        self._text = b"".join(line + b"\r\n" for line in lines)

    def draft(self, number: int, size: int) -> Draft:
        """Message `number` with `size` bytes, flags and date; the same whenever it is made."""
        chance = random.Random(f"{self._seed}/{number}")
        date = EPOCH + timedelta(minutes=37 * number)
        return Draft(self._raw(number, size, date, chance), flags(chance.randrange(100)), date)

    def _raw(self, number: int, size: int, date: datetime, chance: random.Random) -> bytes:
        head = (
            f"From: Sender {number % 97} <sender{number % 97}@example.net>\r\nTo: ann@example.test\r\n"
            f"Subject: Message {number}\r\nDate: {date:%d %b %Y %H:%M:%S} +0000\r\n"
            f"Message-ID: <{chance.getrandbits(64):016x}.{number}@example.net>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        ).encode()
        return head + self._body(size - len(head), chance.randrange(8192))

    def _body(self, size: int, line: int) -> bytes:
        start = line * (LINE + 2)
        body = (self._text[start:] + self._text * (1 + size // len(self._text)))[: max(2, size) - 2]
        return body.removesuffix(b"\r")[: len(body)] + (b"x\r\n" if body.endswith(b"\r") else b"\r\n")


def flags(percent: int) -> frozenset[str]:
    """The flag set at this place of the shares."""
    for share, chosen in FLAGS:
        if percent < share:
            return chosen
        percent -= share
    return frozenset()


def large(octets: int) -> list[Draft]:
    """One message of this size."""
    return [Maker("large").draft(1, octets)]


BIG = Corpus("big", 20_000)
MID = Corpus("mid", 5_000)
TINY = Corpus("tiny", 20_000, size=2_000)
HUGE = Corpus("huge", 100_000, size=900)
SMALL: Sequence[Corpus] = [Corpus(f"small{number:02}", 50, folders=5, seed=number) for number in range(20)]

"""Whole accounts from a seed, ready for `tests.live.reader.load`."""

from __future__ import annotations

from collections.abc import Sequence

from tests.data.folders import AWKWARD
from tests.live.reader import Draft, native
from xdmigrate.testing.messages import samples


def account(
    seed: int, messages: int = 60, *, paths: Sequence[tuple[str, ...]] = AWKWARD[:5], kinds: Sequence[str] = ()
) -> dict[str, list[Draft]]:
    """Messages of these kinds (default: all) dealt out to INBOX and these folders, by native name with "/" between.

    The kind "duplicate" comes more than once when there are enough messages, also within one folder.
    """
    names = ["INBOX", *("/".join(map(native, path)) for path in paths)]
    folders: dict[str, list[Draft]] = {name: [] for name in names}
    for number, sample in enumerate(samples(seed, messages, kinds)):
        folders[names[number % len(names)]].append(Draft(sample.raw, sample.flags, sample.date))
    copies = [Draft(sample.raw, sample.flags, sample.date) for sample in samples(seed, 3, ["duplicate"])]
    folders["INBOX"] += copies if not kinds or "duplicate" in kinds else []
    return folders

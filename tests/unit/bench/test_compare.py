from __future__ import annotations

from collections import Counter

from bench.compare import Difference, Seen, difference


def seen(name: str, *flags: str, bare: str = "") -> Seen:
    return Seen(name, bare or name, frozenset(flags))


def test_equal_accounts_are_exact() -> None:
    account = {"INBOX": Counter({seen("a"): 2, seen("b", "\\Seen"): 1})}
    found = difference(account, account)
    assert found.exact
    assert str(found) == "exact"


def test_each_message_counts_once_and_for_the_right_thing() -> None:
    source = {"INBOX": Counter([seen("a"), seen("a"), seen("b", "\\Seen"), seen("c"), seen("d")])}
    target = {"INBOX": Counter([seen("a"), seen("b"), seen("c2", bare="c"), seen("x")])}
    assert difference(source, target) == Difference(missing=2, altered=1, extra=1, flags=1)
    assert str(difference(source, target)) == "2 missing, 1 with X-TUID, 1 extra, 1 other flags"


def test_a_copy_in_another_folder_is_missing_where_it_belongs_and_extra_where_it_is() -> None:
    found = difference({"INBOX": Counter([seen("a")])}, {"Sent": Counter([seen("a")])})
    assert (found.missing, found.extra) == (1, 1)
    assert not found.exact


def test_a_copy_too_many_is_seen() -> None:
    found = difference({"INBOX": Counter([seen("a")])}, {"INBOX": Counter([seen("a"), seen("a")])})
    assert found == Difference(missing=0, altered=0, extra=1, flags=0)


def test_nothing_at_all_is_exact() -> None:
    assert difference({}, {}).exact

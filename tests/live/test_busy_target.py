"""The target is in use while mail is copied into it: rules move what arrives, and nothing is there twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Pair
from tests.live.dovecot import Dovecot
from tests.live.project import between
from tests.live.reader import dump, load, session
from tests.live.refusals import assert_healthy, assert_verified, mails

Accounts = Callable[[], str]


@contextmanager
def rules(server: Dovecot, user: str, wanted: Callable[[int], bool]) -> Iterator[list[int]]:
    """A mail client whose rules move the wanted messages (by UID) from INBOX to "Rules" at once; tells how many."""
    stop, moved = threading.Event(), [0]

    def work() -> None:
        with session(*server.access(user)) as client:
            client.select("INBOX")
            while not stop.is_set():
                uids = [uid for uid in map(int, client.uid("SEARCH", "ALL")[1][0].split()) if wanted(uid)]
                if uids:
                    moved[0] += len(uids)
                    named = ",".join(map(str, uids))
                    for command in (("COPY", named, "Rules"), ("STORE", named, "+FLAGS.SILENT", r"(\Deleted)")):
                        assert client.uid(*command)[0] == "OK"
                    client.expunge()
                stop.wait(0.002)

    client = threading.Thread(target=work)
    client.start()
    try:
        yield moved
    finally:
        stop.set()
        client.join()


def test_rules_that_move_what_arrives(dovecot_pair: Pair, new_user: Accounts, tmp_path: Path, full: bool) -> None:
    old, new = dovecot_pair
    user, count = new_user(), 5000 if full else 1500
    load(*old.access(user), {"INBOX": mails(count, size=1500)})
    load(*new.access(user), {"Rules": mails(3, "already")})
    project = between(old, new, tmp_path, user)
    with rules(new, user, lambda uid: uid % 3 != 0) as moved:
        answer = project.run("sync")
    assert answer.exit == 0, answer
    assert answer.facts["totals"]["mail"]["copied"] == count
    assert moved[0] > 0
    there = Counter(message.sha256 for messages in dump(*new.access(user)).values() for message in messages)
    assert (len(there), set(there.values())) == (count + 3, {1}), "every message once, wherever it is now"
    assert_verified(project)
    assert_healthy(project)
    assert Counter(message.sha256 for messages in dump(*new.access(user)).values() for message in messages) == there

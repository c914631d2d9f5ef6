"""`sync`: what it does, tells and returns."""

from __future__ import annotations

import threading

import pytest

from tests.unit.cli.conftest import PEOPLE, Office
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate_state import locks
from xdmigrate_state.database import Database

COUNTS = {"source", "copied", "present", "merged", "filtered", "failed", "pending", "gone", "bytes"}
FIGURES = {"kinds", "left", "altered"}
MAILBOX = {"id", "source", "target", "wave", "stage", "attention", "last_pass", "next", "eta"} | FIGURES


def test_everything_is_copied_and_the_summary_is_closed(office: Office) -> None:
    told = office.run("sync", "PLAN")
    assert told.code == 0
    assert told.stderr == ""
    assert f"state: {office.state} (new)" in told.stdout
    assert "12 items at the source = 12 copied + 0 present" in told.stdout
    assert [len(office.inbox(name)) for name in PEOPLE] == [4, 4, 4]
    again = office.run("sync", "PLAN")
    assert again.code == 0
    assert "(new)" not in again.stdout
    assert [len(office.inbox(name)) for name in PEOPLE] == [4, 4, 4]


def test_json_is_one_object_of_the_promised_shape(office: Office) -> None:
    told = office.run("sync", "PLAN", "--json").json
    assert set(told) == {
        "schema",
        "exit",
        "errors",
        "plan",
        "stage",
        "mailboxes",
        "totals",
        "seconds",
        "requests",
        "endpoints",
        "limit",
    }
    assert (told["schema"], told["exit"], told["errors"], told["plan"], told["stage"]) == (1, 0, [], "office", "synced")
    assert told["requests"] > 0
    assert set(told["totals"]["mail"]) == COUNTS
    assert {frozenset(box) for box in told["mailboxes"]} == {frozenset(MAILBOX)}
    totals = told["totals"]["mail"]
    outcomes = ("copied", "present", "merged", "filtered", "failed", "pending")
    assert totals["source"] == 12 == sum(totals[outcome] for outcome in outcomes)


def test_a_wave_or_a_mailbox_alone(office: Office) -> None:
    assert office.run("sync", "PLAN", "--wave", "pilot").code == 0
    assert [len(office.inbox(name)) for name in PEOPLE] == [4, 0, 0]
    assert office.run("sync", "PLAN", "--mailbox", "BOB@x.test").code == 0
    assert [len(office.inbox(name)) for name in PEOPLE] == [4, 4, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--wave", "none"), "waves of this plan: pilot"),
        (("--mailbox", "bbo@x.test"), "did you mean 'bob@x.test'?"),
        (("--kind", "fax"), "no kind of data"),
    ],
)
def test_a_wrong_choice_is_a_usage_error_with_a_hint(office: Office, options: tuple[str, ...], words: str) -> None:
    told = office.run("sync", "PLAN", *options)
    assert told.code == 2
    assert words in told.stderr


def test_a_dry_run_predicts_and_changes_nothing(office: Office) -> None:
    told = office.run("sync", "PLAN", "--dry-run", "--json")
    assert told.json["dry_run"] is True
    assert told.json["totals"]["mail"]["copied"] == 12
    assert [office.inbox(name) for name in PEOPLE] == [[], [], []]
    assert office.run("sync", "PLAN", "--json").json["totals"]["mail"]["copied"] == 12


def test_items_that_are_refused_are_quarantined_and_exit_3(office: Office) -> None:
    office.new.powers = Powers(refuse=lambda data: "refused" if data.startswith(b"Subject: 3") else "")
    told = office.run("sync", "PLAN", "--json")
    assert told.code == told.json["exit"] == 3
    assert told.codes == ["item-refused"]
    assert told.json["totals"]["mail"]["failed"] == 3


def test_a_rejected_login_is_attention_for_one_mailbox(office: Office) -> None:
    office.old.account("bob@x.test").password = "another"
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 3
    assert told.codes == ["login-rejected"]
    bob = next(box for box in told.json["mailboxes"] if box["source"] == "bob@x.test")
    assert (bob["stage"], bob["attention"]["code"]) == ("needs-attention", "login-rejected")
    assert set(bob["attention"]) == {"code", "since", "remedy"}
    office.old.logins = 0
    assert office.run("sync", "PLAN", "--mailbox", "bob@x.test").code == 3
    assert office.old.logins == 0, "not tried again until the secret changes"


def test_a_shared_login_that_is_rejected_is_tried_once(office: Office) -> None:
    for side in ("old", "new"):
        office.edit(
            f'server: {getattr(office, side).name}, auth: {{user: "{{address}}"',
            f"server: {getattr(office, side).name}, auth: {{user: admin",
        )
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 3
    assert office.old.logins <= 3, "at most once a worker"


@pytest.mark.usefixtures("no_waits")
def test_an_endpoint_out_of_reach_is_exit_4(office: Office) -> None:
    office.old.reachable = False
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 4
    assert told.codes == ["unreachable"]
    assert told.json["errors"][0]["endpoint"] == "old"


def test_a_secret_that_cannot_be_read_is_exit_2(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFICE_PASSWORD")
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 2
    assert set(told.codes) == {"secret-unreadable"}


def test_another_whole_run_is_exit_7_but_one_mailbox_is_handed_over(office: Office) -> None:
    office.run("sync", "PLAN")
    with Database.open(office.state) as db, locks.PlanLock(office.state.parent, "office"):
        told = office.run("sync", "PLAN", "--json")
        assert told.code == 7
        assert told.codes == ["plan-held"]
        asked = _answered(db, lambda: office.run("sync", "PLAN", "--mailbox", "ann@x.test", "--json").json)
    assert (asked["exit"], asked["request"]) == (0, "taken")


def _answered(db: Database, run: object) -> dict[str, object]:
    """Run while another thread does what a running process does: take requests."""
    from xdmigrate.jobs.inbox import Inbox

    end = threading.Event()

    def take() -> None:
        while not end.wait(0.05):
            Inbox(db, 1).take(set(), 1.0)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        return run()  # type: ignore[operator, no-any-return]
    finally:
        end.set()
        thread.join()


def test_an_edit_that_endangers_copies_is_refused_until_its_checksum_is_accepted(office: Office) -> None:
    office.run("sync", "PLAN")
    office.edit("source: ann@x.test", "source: ann@x.test, target: bob@x.test, into: Ann")
    told = office.run("sync", "PLAN", "--json")
    assert told.code == 5
    assert told.codes == ["guard-refused"]
    checksum = told.json["errors"][0]["remedy"].split()[-1]
    shown = office.run("diff", "PLAN", "--json")
    assert (shown.code, shown.json["checksum"]) == (5, checksum)
    assert office.run("sync", "PLAN", "--accept-change", checksum).code == 0
    assert office.run("diff", "PLAN").code == 0


def test_a_shrunken_source_is_not_believed(office: Office) -> None:
    account = office.old.account("ann@x.test")
    refs = [account.deliver(INBOX, b"Subject: more %d\r\n\r\n" % number) for number in range(40)]
    office.run("sync", "PLAN")
    for ref in refs:
        account.delete(INBOX, ref)
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, told.codes) == (5, ["guard-refused"])
    checksum = told.json["errors"][0]["remedy"].split()[-1]
    assert office.run("sync", "PLAN", "--accept-change", checksum).code == 0
    assert len(office.inbox("ann@x.test")) == 44


def test_two_plan_files_of_one_name_are_refused(office: Office) -> None:
    office.run("sync", "PLAN")
    second = office.plan.with_name("copy.yaml")
    second.write_text(office.text)
    told = office.run("sync", str(second))
    assert told.code == 5
    assert "both" in told.stderr


def test_a_paused_plan_is_exit_6_and_says_so(office: Office) -> None:
    office.run("sync", "PLAN", "--mailbox", "ann@x.test")
    assert office.run("pause", "PLAN").code == 0
    told = office.run("sync", "PLAN", "--json")
    assert (told.code, told.codes) == (6, ["stopped"])
    assert office.run("resume", "PLAN").code == 0
    assert office.run("sync", "PLAN").code == 0


def test_a_csv_with_passwords_is_read_into_the_store_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFICE_PASSWORD")
    people = office.plan.with_name("people.csv")
    people.write_text("source,source_password,target_password\nann@x.test,right-password,right-password\n")
    people.chmod(0o600)
    before = office.plan.read_text()
    office.plan.write_text(before[: before.index("mailboxes:")] + "mailboxes:\n  - {file: people.csv}\n")
    assert office.run("sync", "PLAN").code == 0
    people.write_text("source\nann@x.test\n")
    assert office.run("sync", "PLAN").code == 0, "the store has them now"
    assert b"right-password" not in (office.state.parent / "secrets" / "office.vault").read_bytes()


def test_nothing_secret_is_in_state_or_log(office: Office) -> None:
    office.old.account("bob@x.test").password = "another"
    office.run("sync", "PLAN", "-v")
    for path in office.state.parent.rglob("*"):
        if path.is_file():
            assert b"right-password" not in path.read_bytes(), path
            assert b"Subject" not in path.read_bytes(), path

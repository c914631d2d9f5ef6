"""The other commands: facts, words, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, PEOPLE, Office
from xdmigrate.testing.memory import INBOX, Powers
from xdmigrate_state.database import Database

VERDICT = {
    "source", "verified", "missing", "moved", "changed", "metadata", "kept", "own", "departed", "arrived",
    "unexplained", "failed",
}  # fmt: skip


def refuse_some(office: Office) -> None:
    office.new.powers = Powers(refuse=lambda data: "refused" if data.startswith(b"Subject: 3") else "")


# --- init, check, diff ------------------------------------------------------------------------------------------


def test_init_writes_a_plan_that_check_can_read_and_never_overwrites(office: Office) -> None:
    told = office.run("init", "contoso", "--json")
    assert told.json["path"] == "plans/contoso.yaml"
    assert office.run("init", "contoso").code == 2
    assert office.run("init", "contoso", "--output", "other.yaml").code == 0
    assert Path("other.yaml").read_text() == Path("plans/contoso.yaml").read_text()
    assert office.run("init", "x", "--to", "fax").code == 2
    assert office.run("init", "Not A Name").code == 2


def test_check_tries_every_login_and_changes_nothing(office: Office) -> None:
    told = office.run("check", "PLAN", "--json")
    assert told.code == 0
    assert [box["ok"] for box in told.json["mailboxes"]] == [True, True, True]
    assert office.old.logins == office.new.logins == 3
    assert not office.state.exists()
    assert [office.inbox(name) for name in PEOPLE] == [[], [], []]


def test_check_tells_which_mailbox_fails_and_why(office: Office) -> None:
    office.new.account("bob@x.test").password = "another"
    told = office.run("check", "PLAN", "--json")
    assert told.code == 3
    assert [box["ok"] for box in told.json["mailboxes"]] == [True, False, True]
    assert told.codes == ["login-rejected"]
    assert "2 of 3 mailboxes are ready" in office.run("check", "PLAN").stdout


def test_check_leaves_an_endpoint_out_of_reach_alone(office: Office) -> None:
    office.new.reachable = False
    told = office.run("check", "PLAN", "--json")
    assert told.code == 4
    assert set(told.codes) == {"unreachable"}


def test_check_stops_at_five_rejections_in_a_row(office: Office) -> None:
    more = "".join(f"  - {{source: user{number}@x.test}}\n" for number in range(20))
    office.plan.write_text(office.plan.read_text() + more)
    for name in PEOPLE:
        office.old.account(name).password = "another"
    office.run("check", "PLAN")
    assert office.old.logins == 5


def test_all_problems_of_a_plan_are_told_at_once(office: Office) -> None:
    office.edit("connector: memory, server: " + office.new.name, "connector: memroy")
    office.edit("version: 1", "version: 1\ncolour: red")
    told = office.run("check", "PLAN", "--json")
    assert told.code == 2
    assert set(told.codes) == {"plan-invalid"}
    assert len(told.codes) >= 2
    assert all(str(office.plan) in error["message"] for error in told.json["errors"])


def test_problems_that_the_connector_finds_name_file_and_line(office: Office) -> None:
    office.edit(f"server: {office.new.name}, ", "")
    told = office.run("check", "PLAN")
    assert told.code == 2
    assert f"{office.plan}:6: endpoints.new.server" in told.stderr


def test_diff_tells_what_an_edit_would_change(office: Office) -> None:
    assert office.run("diff", "PLAN").code == 2, "nothing was run yet"
    office.run("sync", "PLAN")
    assert "nothing has changed" in office.run("diff", "PLAN").stdout
    office.edit("mailboxes:", "scope: {max_size: 5MB}\nmailboxes:")
    told = office.run("diff", "PLAN", "--json").json
    assert [change["kind"] for change in told["changes"]] == ["scope-narrower"]
    assert (told["exit"], told["checksum"]) == (0, "")


# --- status and verify ------------------------------------------------------------------------------------------


def test_status_reads_beside_a_run_and_without_the_plan_being_valid(office: Office) -> None:
    from xdmigrate_state import locks

    assert office.run("status", "PLAN").code == 2
    office.run("sync", "PLAN")
    office.plan.write_text("name: office\nnonsense: [")
    with locks.PlanLock(office.state.parent, "office"):
        told = office.run("status", "PLAN", "--json")
    assert told.code == 0
    assert told.json["totals"]["mail"]["copied"] == 12
    assert set(told.json) == {"schema", "exit", "errors", "plan", "stage", "mailboxes", "totals"}


def test_status_without_a_plan_shows_all_of_them(office: Office) -> None:
    office.run("sync", "PLAN")
    second = office.plan.with_name("second.yaml")
    second.write_text(office.text.replace("name: office", "name: second"))
    office.run("sync", str(second))
    told = office.run("status", "--json").json
    assert [plan["plan"] for plan in told["plans"]] == ["office", "second"]
    assert office.run("status", "--state", "elsewhere").code == 2


def test_status_times_are_the_customers(office: Office) -> None:
    office.run("sync", "PLAN")
    told = office.run("status", "PLAN").stdout
    assert "(times: Europe/London)" in told


def test_verify_passes_and_tells_the_promised_shape(office: Office) -> None:
    office.run("sync", "PLAN")
    told = office.run("verify", "PLAN", "--full", "--json")
    assert (told.code, told.json["verdict"]) == (0, "pass")
    for box in told.json["mailboxes"]:
        assert set(box) >= {"id", "source", "target", "verdict", "kinds"}
        assert set(box["kinds"]["mail"]) == VERDICT
        assert box["kinds"]["mail"]["verified"] == 4


def test_verify_fails_for_what_is_missing_and_names_it(office: Office) -> None:
    office.run("sync", "PLAN")
    office.old.account("ann@x.test").deliver(INBOX, b"Subject: new\r\n\r\nnot copied yet\r\n")
    told = office.run("verify", "PLAN")
    assert told.code == 3
    assert "FAIL: 12 of 13 items" in told.stdout
    assert "ann@x.test: missing: INBOX" in told.stdout
    assert office.run("verify", "PLAN", "--mailbox", "bob@x.test").code == 0


def test_verify_before_anything_was_copied_is_no_pass(office: Office) -> None:
    assert office.run("verify", "PLAN").code == 2
    office.run("sync", "PLAN", "--mailbox", "ann@x.test")
    assert office.run("verify", "PLAN").code == 3


def test_verify_cannot_pass_without_its_endpoints(office: Office) -> None:
    office.run("sync", "PLAN")
    office.new.reachable = False
    told = office.run("verify", "PLAN", "--json")
    assert (told.code, told.json["verdict"]) == (4, "fail")


def test_accepted_failures_are_exceptions(office: Office) -> None:
    refuse_some(office)
    office.run("sync", "PLAN")
    failed = office.run("verify", "PLAN")
    assert failed.code == 3
    assert "3 not copied" in failed.stdout
    assert office.run("quarantine", "PLAN", "accept", "--all").code == 2, "a reason is needed"
    assert office.run("quarantine", "PLAN", "accept", "--all", "--reason", "spam").code == 0
    told = office.run("verify", "PLAN", "--json")
    assert (told.code, told.json["verdict"]) == (0, "pass-with-exceptions")
    assert office.run("sync", "PLAN").code == 0


# --- quarantine -------------------------------------------------------------------------------------------------


def test_quarantine_lists_retries_and_refuses_unknown_items(office: Office) -> None:
    refuse_some(office)
    office.run("sync", "PLAN")
    items = office.run("quarantine", "PLAN", "list", "--json").json["items"]
    assert [item["code"] for item in items] == ["refused"] * 3
    assert office.run("quarantine", "PLAN", "retry", "77.1").code == 2
    assert office.run("quarantine", "PLAN", "retry").code == 2
    office.new.powers = Powers()
    assert office.run("quarantine", "PLAN", "retry", items[0]["id"]).code == 0
    assert office.run("quarantine", "PLAN", "retry", "--code", "refused").code == 0
    assert office.run("sync", "PLAN").code == 0
    assert office.run("quarantine", "list", "PLAN", "--json").json["items"] == []


def test_quarantine_takes_the_beginning_of_a_name_and_knows_its_codes(office: Office) -> None:
    refuse_some(office)
    assert "would not be copied" not in office.run("sync", "PLAN", "--dry-run").stdout
    told = office.run("sync", "PLAN")
    assert "not copied: 3 refused: the memory server does not take it" in told.stdout
    assert f"`xdmigrate quarantine {office.plan} list` names them" in told.stderr
    items = [each["id"] for each in office.run("quarantine", "PLAN", "list", "--json").json["items"]]
    told = office.run("quarantine", "PLAN", "accept", "--code", "refusd", "--reason", "x")
    assert (told.code, "the codes there are: refused" in told.stderr) == (2, True)
    assert office.run("quarantine", "PLAN", "accept", items[0][:2], "--reason", "x").code == 2
    assert office.run("quarantine", "PLAN", "accept", items[0], "--reason", "spam").code == 0
    assert "accepted: spam; " in office.run("quarantine", "PLAN", "list").stdout
    assert "3 not copied (3 refused), 1 of them accepted" in office.run("quarantine", "PLAN", "list").stdout


def test_a_secret_that_nothing_asks_for_is_told(office: Office) -> None:
    told = office.run("secret", "PLAN", "set", "sorce:ann@x.test", input="pw\n")
    assert (told.code, "nothing in the plan asks for it; it asks for source:ann@x.test, " in told.stdout) == (0, True)
    told = office.run("secret", "PLAN", "set", "source:ann@x.test", input="pw\n")
    assert "nothing in the plan" not in told.stdout


def test_no_command_gets_the_help_and_one_object_for_machines(office: Office) -> None:
    told = office.run()
    assert (told.code, told.stderr.startswith("Usage: xdmigrate")) == (2, True)
    assert office.run("--json").json["errors"][0]["message"] == "Missing command"


def test_quarantine_names_the_remedy_and_the_plan_can_wish_for_it(office: Office) -> None:
    bad = "Subject: Größe\r\n\r\nbody\r\n".encode()
    office.old.account("ann@x.test").deliver(INBOX, bad)
    office.new.powers = Powers(refuse=lambda data: "" if data.isascii() else "refused")
    office.run("sync", "PLAN")
    told = office.run("quarantine", "PLAN", "list")
    assert "1 of them may pass when repaired" in told.stdout
    assert "scope: {repair: true}" in told.stdout
    office.edit("source: old\n", "source: old\nscope: {repair: true}\n")
    assert [change["where"] for change in office.run("diff", "PLAN", "--json").json["changes"]] == ["scope.repair"]
    done = office.run("sync", "PLAN")
    assert done.code == 0
    assert "1 copies have other bytes than their source, 1 of them accepted" in " ".join(done.stdout.split())
    (item,) = office.run("quarantine", "PLAN", "list", "--json").json["items"]
    assert (item["code"], item["copied"], item["remedy"]) == ("repaired", True, "")
    assert "8-bit headers encoded" in item["detail"]
    verdict = office.run("verify", "PLAN", "--full")
    assert verdict.code == 0
    assert "1 with other bytes, 1 of them accepted" in " ".join(verdict.stdout.split())


def test_altered_copies_are_accepted_and_never_sent_again(office: Office) -> None:
    office.new.powers = Powers(rewrite=lambda data: b"X: y\r\n" + data if b"Subject: 3" in data else data)
    office.run("sync", "PLAN")
    items = office.run("quarantine", "PLAN", "list", "--code", "altered", "--json").json["items"]
    assert [item["copied"] for item in items] == [True] * 3
    assert office.run("verify", "PLAN", "--json").json["verdict"] == "fail"
    for words in ((items[0]["id"],), ("--code", "altered")):
        told = office.run("quarantine", "PLAN", "retry", *words, "--json")
        assert (told.code, told.codes) == (2, ["usage"])
    assert office.run("quarantine", "PLAN", "retry", "--all").code == 0
    assert "retry of 0 items" in office.run("quarantine", "PLAN", "retry", "--all").stdout
    assert office.run("quarantine", "PLAN", "accept", items[0]["id"], "--reason", "the target's way").code == 0
    box = office.run("status", "PLAN", "--json").json["mailboxes"]
    assert sum(each["altered"]["items"] for each in box) == 3
    assert sum(each["altered"]["accepted"] for each in box) == 1
    told = office.run("quarantine", "PLAN", "accept", "--code", "altered", "--reason", "the target's way")
    assert "3 items are copied with other bytes" in told.stdout
    assert office.run("verify", "PLAN", "--json").json["verdict"] == "pass-with-exceptions"


def test_quarantine_export_writes_bytes_and_a_harmless_list(office: Office) -> None:
    folder = "=cmd|'C calc'!A0"
    office.old.account("ann@x.test").create_folder((folder,))
    office.old.account("ann@x.test").deliver((folder,), b"Subject: 3 evil\r\n\r\nx\r\n")
    refuse_some(office)
    office.run("sync", "PLAN")
    told = office.run("quarantine", "PLAN", "export", "out", "--json").json
    assert (told["items"], told["written"]) == (4, 4)
    with Path("out/quarantine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert {Path("out", row["file"]).read_bytes()[:10] for row in rows} == {b"Subject: 3"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path("out").iterdir()} == {0o600}


def test_quarantine_export_tells_what_it_could_not_fetch(office: Office) -> None:
    refuse_some(office)
    office.run("sync", "PLAN")
    account = office.old.account("ann@x.test")
    account.change_validity(INBOX)
    told = office.run("quarantine", "PLAN", "export", "out", "--json")
    assert told.code == 3
    assert told.json["written"] == 2


# --- mailbox ----------------------------------------------------------------------------------------------------


def test_mailbox_show_skip_reset_rename(office: Office) -> None:
    office.run("sync", "PLAN")
    shown = office.run("mailbox", "PLAN", "show", "ann@x.test", "--json").json
    assert shown["mailbox"]["stage"] == "synced"
    assert [folder["path"] for folder in shown["folders"]] == [["INBOX"]]
    assert office.run("mailbox", "PLAN", "skip", "bob@x.test", "--reason", "left").code == 0
    stages = {box["source"]: box["stage"] for box in office.run("status", "PLAN", "--json").json["mailboxes"]}
    assert stages["bob@x.test"] == "skipped"
    assert office.run("mailbox", "PLAN", "skip", "bob@x.test", "--undo").code == 0
    assert office.run("mailbox", "PLAN", "reset", "ann@x.test").code == 5, "it asks first"
    assert office.run("mailbox", "PLAN", "reset", "ann@x.test", "--yes").code == 0
    assert office.run("sync", "PLAN", "--json").json["totals"]["mail"]["present"] == 4
    assert len(office.inbox("ann@x.test")) == 4
    ann = shown["mailbox"]["id"]
    office.edit("source: ann@x.test", "source: anna@x.test")
    assert office.run("mailbox", "PLAN", "rename", str(ann), "anna@x.test").code == 2, "the plan sends her elsewhere"
    office.edit("source: anna@x.test", "source: anna@x.test, target: ann@x.test")
    assert office.run("mailbox", "PLAN", "rename", str(ann), "anna@x.test").code == 0
    assert office.run("mailbox", "PLAN", "show", "anna@x.test", "--json").json["mailbox"]["id"] == ann


# --- secrets ----------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_stdin_and_is_used(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFICE_PASSWORD")
    office.edit("env:OFFICE_PASSWORD", "store:shared")
    assert office.run("secret", "PLAN", "status").code == 2
    assert office.run("secret", "PLAN", "set", "shared", input="\n").code == 2
    told = office.run("secret", "PLAN", "set", "shared", input=f"{PASSWORD}\n")
    assert told.code == 0
    assert PASSWORD not in told.stdout + told.stderr
    assert office.run("secret", "PLAN", "status", "--json").json["names"] == ["shared"]
    assert office.run("sync", "PLAN").code == 0
    assert office.run("secret", "PLAN", "purge").code == 5
    assert office.run("secret", "PLAN", "purge", "--yes", "--json").json["secrets"] == 1


def test_secrets_of_a_csv_are_imported(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_PASSWORD", "wrong")
    rows = "".join(f"{name},{PASSWORD},{PASSWORD}\n" for name in PEOPLE)
    path = office.home / "passwords.csv"
    path.write_text(f"source,source_password,target_password\n{rows}")
    path.chmod(0o644)
    assert office.run("secret", "PLAN", "import", str(path)).code == 2, "everybody could read it"
    path.chmod(0o600)
    assert office.run("secret", "PLAN", "import", str(path), "--json").json["secrets"] == 6
    assert office.run("sync", "PLAN").code == 0
    path.write_text(f"source,source_password\nnobody@x.test,{PASSWORD}\n")
    assert office.run("secret", "PLAN", "import", str(path)).code == 2


# --- journal and state ------------------------------------------------------------------------------------------


def test_journal_shows_and_finds_an_edit(office: Office) -> None:
    office.run("sync", "PLAN")
    entries = office.run("journal", "PLAN", "show", "--json").json["entries"]
    assert {"plan-applied", "synced", "range"} <= {entry["event"] for entry in entries}
    assert office.run("journal", "PLAN", "show", "--mailbox", "ann@x.test").code == 0
    assert office.run("journal", "PLAN", "verify").code == 0
    with Database.open(office.state) as db:
        db.write(lambda c: c.exec_driver_sql("UPDATE journal SET facts = '{}' WHERE chain = 0 AND seq = 1"))
    broken = office.run("journal", "PLAN", "verify", "--json")
    assert broken.code == 5
    assert broken.json["breaks"]


def test_state_is_backed_up_restored_and_copied(office: Office) -> None:
    office.run("secret", "PLAN", "set", "any", input="thing\n")
    office.run("sync", "PLAN")
    before = office.run("status", "PLAN", "--json").json["mailboxes"]
    assert office.run("state", "backup", "backup").code == 0
    assert office.run("state", "backup", "backup").code == 2, "a backup is never overwritten"
    assert office.run("state", "restore", "backup").code == 5
    shutil.rmtree(office.state.parent)
    assert office.run("state", "restore", "backup", "--json").json["plans"] == ["office"]
    assert office.run("status", "PLAN", "--json").json["mailboxes"] == before
    assert office.run("secret", "PLAN", "status", "--json").json["names"] == ["any"]
    assert office.run("state", "restore", "backup", "--yes").code == 0
    assert list(office.state.parent.glob("office.db.replaced-*"))
    assert office.run("state", "copy", "elsewhere").code == 0
    assert office.run("status", "PLAN", "--state", "elsewhere", "--json").json["mailboxes"] == before


def test_state_moves_to_postgresql_and_work_goes_on_there(office: Office, postgres_url: str) -> None:
    office.run("sync", "PLAN", "--mailbox", "ann@x.test")
    assert office.run("state", "copy", postgres_url).code == 0
    told = office.run("sync", "PLAN", "--state", postgres_url, "--json")
    assert (told.code, told.json["totals"]["mail"]["copied"]) == (0, 12)
    assert [len(office.inbox(name)) for name in PEOPLE] == [4, 4, 4]
    assert office.run("status", "--state", postgres_url, "--json").json["plans"][0]["plan"] == "office"


def test_the_log_is_json_lines_for_the_owner_only(office: Office) -> None:
    office.run("sync", "PLAN", "-v")
    log = office.state.parent / "logs" / "office" / "sync.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"slice", "call"} <= {line["event"] for line in lines}
    assert stat.S_IMODE(log.stat().st_mode) == 0o600

"""The log hides secrets, rotates, and takes what a bug leaves behind."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.cli import log as logs
from xdmigrate.cli.log import HIDDEN, LogFile, Redactor, internal_error

SECRETS = st.text("KQXZ", min_size=4, max_size=12)
WORDS = st.text(st.characters(exclude_characters="KQXZ"), max_size=20)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.getLogger("xdmigrate").handlers.clear()


@given(SECRETS, WORDS, WORDS)
def test_no_secret_passes_however_deep(secret: str, before: str, behind: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    told = redactor.hide({"a": [before + secret + behind, {"b": (secret,)}], "n": 3})
    assert told == {"a": [before + HIDDEN + behind, {"b": [HIDDEN]}], "n": 3}


def test_a_short_secret_does_not_black_out_ordinary_words() -> None:
    redactor = Redactor()
    redactor.add("a")
    redactor.add("")
    assert redactor.hide(["a", "banana"]) == [HIDDEN, "banana"]


def test_lines_are_json_and_private_and_without_secrets(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs", "sync", verbose=False)
    log.redactor.add("hunter22")
    logger = structlog.get_logger()
    logger.info("login", password="hunter22", words="NO bad password hunter22")
    logger.debug("call", operation="read")
    log.close()
    (line,) = map(json.loads, log.path.read_text().splitlines())
    assert (line["event"], line["password"], line["words"]) == ("login", HIDDEN, f"NO bad password {HIDDEN}")
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_what_connectors_warn_of_is_in_the_log(tmp_path: Path) -> None:
    """They know the standard library alone; what other libraries say is theirs."""
    log = LogFile(tmp_path, "sync", verbose=False)
    log.redactor.add("hunter22")
    logging.getLogger("xdmigrate_files.source").warning("%d links, hunter22", 3)
    logging.getLogger("xdmigrate_files.source").info("too quiet")
    logging.getLogger("elsewhere").warning("no")
    log.close()
    logging.getLogger("xdmigrate_files.source").warning("too late")
    (line,) = map(json.loads, log.path.read_text().splitlines())
    assert (line["event"], line["level"], line["by"]) == (f"3 links, {HIDDEN}", "warning", "xdmigrate_files.source")


def test_it_rotates_and_every_file_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "OCTETS_A_FILE", 1000)
    log = LogFile(tmp_path, "sync", verbose=True)
    for number in range(100):
        structlog.get_logger().info("event", number=number)
    log.close()
    files = sorted(tmp_path.glob("sync.log*"))
    assert len(files) == logs.FILES + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert json.loads(log.path.read_text().splitlines()[-1])["number"] == 99


def bug() -> Exception:
    try:
        int("secret-value")
    except ValueError as error:
        return error
    raise AssertionError


def test_a_bug_is_one_line_and_the_traceback_goes_to_the_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path, "sync", verbose=False)
    log.redactor.add("secret-value")
    told = internal_error(bug(), log)
    log.close()
    assert (told.exit_code, told.code) == (1, "internal")
    assert str(log.path) in told.message
    assert "secret-value" not in told.message
    assert "Traceback" in log.path.read_text()
    assert "secret-value" not in log.path.read_text()


def test_a_bug_before_there_is_a_log_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = internal_error(bug(), None)
    (path,) = tmp_path.iterdir()
    assert str(path) in told.message
    assert "Traceback" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

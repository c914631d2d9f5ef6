"""Templates and references: filled in once, and no way out."""

import os
import stat
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import keyring
import keyring.backend
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdmigrate.errors import SecretUnreadable
from xdmigrate_plans.references import SCHEMES, NotAReference, parse
from xdmigrate_plans.resolver import Resolver
from xdmigrate_plans.templates import Fields, expand
from xdmigrate_plans.vault import Vault

ANN = Fields.of("ann@contoso.example")


def resolver(folder: Path, environ: Mapping[str, str] | None = None, seconds: float = 30.0) -> Resolver:
    vault = Vault(folder, "contoso", environ={"XDMIGRATE_KEY": "A" * 43 + "="})
    return Resolver(folder, vault, environ=environ, command_seconds=seconds)


def python(code: str, *arguments: str) -> str:
    return " ".join(["command:" + sys.executable, "-c", f'"{code}"', *arguments])


# --- templates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{address}", "ann@contoso.example"),
        ("{address}*admin", "ann@contoso.example*admin"),
        ("{local}+{domain}", "ann+contoso.example"),
        ("{other} {address", "{other} {address"),
        ("{{local}}", "{ann}"),
    ],
)
def test_fields_are_filled_in(template: str, filled: str) -> None:
    assert expand(template, ANN) == filled


def test_an_account_without_a_domain_is_all_local() -> None:
    assert Fields.of("ann") == Fields("ann", "ann", "")
    assert Fields.of("a@b@c") == Fields("a@b@c", "a@b", "c")


@given(st.text(), st.text(), st.text())
def test_what_was_filled_in_is_not_read_again(before: str, value: str, after: str) -> None:
    fixed = Fields("{local}", value, "{address}")
    plain_before, plain_after = before.replace("{", ""), after.replace("{", "")
    assert expand(plain_before + "{address}{local}{domain}" + plain_after, fixed) == (
        f"{plain_before}{{local}}{value}{{address}}{plain_after}"
    )


# --- the form of references -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "env:PW",
        "env:PW_{local}",
        "file:old.pw",
        "file:pw/{address}",
        "keyring:xdmigrate/new",
        "store:{address}",
        "command:pass show 'my mail/{address}'",
        "command:awk '{print}' x",
    ],
)
def test_references_are_recognised(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "hunter2:x",
        "ENV:hunter2",
        "env:",
        "env:hunter2 x",
        "keyring:hunter2",
        "keyring:/hunter2",
        "keyring:hunter2/",
        "file: ",
        "command:'hunter2",
        "command:{address} hunter2",
        "store:{adress}hunter2",
        "command:x {adress} hunter2",
    ],
)
def test_everything_else_is_taken_for_the_secret_itself(text: str) -> None:
    with pytest.raises(NotAReference) as refusal:
        parse(text)
    assert "hunter2" not in str(refusal.value)


@given(st.text() | st.from_regex(r"(env|file|keyring|store|command):.*", fullmatch=True))
def test_any_text_is_a_reference_or_is_not(text: str) -> None:
    with suppress(NotAReference):
        assert str(parse(text)) == text
        assert text.partition(":")[0] in SCHEMES


# --- environment, store, keyring --------------------------------------------------------------------------------


def test_the_environment_is_asked(tmp_path: Path) -> None:
    found = resolver(tmp_path, {"PW_ann": "s3cret", "XDMIGRATE_KEY": "key", "EMPTY": "", "BYTES": "\udcff"})
    assert found.resolve("env:PW_{local}", ANN) == "s3cret"
    with pytest.raises(SecretUnreadable, match="not UTF-8"):
        found.resolve("env:BYTES", ANN)
    for name in ("NOWHERE", "EMPTY", "XDMIGRATE_KEY"):
        with pytest.raises(SecretUnreadable, match=f"env:{name} is empty or not there"):
            found.resolve(f"env:{name}", ANN)


def test_the_store_is_asked(tmp_path: Path) -> None:
    found = resolver(tmp_path)
    assert found.stored("source:ann@contoso.example") is None
    Vault(tmp_path, "contoso", environ={"XDMIGRATE_KEY": "A" * 43 + "="}).set("source:ann@contoso.example", "s3cret")
    assert found.stored("source:ann@contoso.example") == "s3cret"
    assert found.resolve("store:source:{address}", ANN) == "s3cret"
    with pytest.raises(SecretUnreadable, match="xdmigrate secret PLAN set"):
        found.resolve("store:other", ANN)


class Slow(keyring.backend.KeyringBackend):
    """A keyring that waits for somebody to unlock it."""

    priority = 5
    seconds: ClassVar[float] = 0.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        time.sleep(self.seconds)
        return f"{service}|{username}" if service == "known" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def test_the_keyring_is_asked(tmp_path: Path) -> None:
    keyring.set_keyring(Slow())
    assert resolver(tmp_path).resolve("keyring:known/mail/{address}", ANN) == "known|mail/ann@contoso.example"
    with pytest.raises(SecretUnreadable, match="keyring:other/x"):
        resolver(tmp_path).resolve("keyring:other/x", ANN)


def test_a_keyring_that_does_not_answer_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slow, "seconds", 30.0)
    keyring.set_keyring(Slow())
    with pytest.raises(SecretUnreadable):
        resolver(tmp_path, seconds=0.05).resolve("keyring:known/x", ANN)


# --- files ------------------------------------------------------------------------------------------------------


def test_a_private_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pw").mkdir()
    path = tmp_path / "pw" / "ann@contoso.example"
    path.write_bytes("s3crét\r\nsecond line\n".encode())
    path.chmod(0o600)
    assert resolver(tmp_path).resolve("file:pw/{address}", ANN) == "s3crét"
    assert resolver(Path("/")).resolve(f"file:{path}", ANN) == "s3crét"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o610])
def test_a_file_for_others_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a b.pw"
    path.write_text("hunter2")
    path.chmod(mode)
    with pytest.raises(SecretUnreadable) as refusal:
        resolver(tmp_path).resolve("file:a b.pw", ANN)
    assert refusal.value.remedy == f"chmod 600 '{path}'"
    assert f"{mode:04o}" in refusal.value.message
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("address", ["../../etc/passwd", "..", "x/y@z", "a@b/c"])
def test_an_address_leads_out_of_no_directory(address: str, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="cannot be part of a file name"):
        resolver(tmp_path).resolve("file:pw/{address}", Fields.of(address))


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "binary").chmod(stat.S_IRUSR)
    for name, words in [("nowhere", "No such file"), ("fifo", "regular"), (".", "Is a directory"), ("binary", "UTF-8")]:
        with pytest.raises(SecretUnreadable, match=words):
            resolver(tmp_path).resolve(f"file:{name}", ANN)


# --- commands ---------------------------------------------------------------------------------------------------

ECHO = "import sys; print(sys.argv[1:])"


def test_a_command_gives_its_first_line(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd()); print('second')"
    assert resolver(tmp_path).resolve(python(code), ANN) == str(tmp_path.resolve())


@pytest.mark.parametrize("address", ["a b@c", "$(id)@c", "'; id #@c", '"x"@c', "{domain}@c", "\\n@c"])
def test_an_address_stays_one_word_and_meets_no_shell(address: str, tmp_path: Path) -> None:
    found = resolver(tmp_path).resolve(python(ECHO, "--for={address}", "{local}"), Fields.of(address))
    assert found == repr([f"--for={address}", address.rpartition("@")[0]])


@given(address=st.text(min_size=1).filter(lambda text: "\0" not in text and not text.startswith("-")))
def test_words_are_split_before_they_are_filled(address: str) -> None:
    from xdmigrate_plans.resolver import _argument

    reference = parse("command:show 'a {address} b' {address}")
    words = [_argument(word, Fields.of(address)) for word in reference.arguments]
    assert words == ["show", f"a {address} b", address]


@pytest.mark.parametrize("address", ["-rf@x", "--help", "a\0b"])
def test_an_address_becomes_no_option(address: str, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="cannot be given to a command"):
        resolver(tmp_path).resolve(python(ECHO, "{address}"), Fields.of(address))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('hunter2'); sys.exit('hunter2')", "exit code 1"),
        ("print()", "is empty"),
        ("pass", "is empty"),
        ("import os; os.write(1, bytes([255, 254]))", "UTF-8"),
    ],
)
def test_a_command_that_fails_is_told_without_its_words(code: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match=words) as refusal:
        resolver(tmp_path).resolve(python(code), ANN)
    assert "hunter2" not in str(refusal.value)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="'nowhere-to-be-found' cannot be run: No such file"):
        resolver(tmp_path).resolve("command:nowhere-to-be-found hunter2", ANN)


def test_a_command_that_talks_without_end_is_stopped(tmp_path: Path) -> None:
    code = "import itertools; [print('x' * 9999) for _ in itertools.count()]"
    with pytest.raises(SecretUnreadable, match=r"no answer within 0\.5 s"):
        resolver(tmp_path, seconds=0.5).resolve(python(code), ANN)


def test_a_command_and_its_children_end_in_time(tmp_path: Path) -> None:
    code = f"import subprocess; subprocess.run(['{sys.executable}', '-c', 'import time; time.sleep(60)'])"
    began = time.monotonic()
    with pytest.raises(SecretUnreadable, match="no answer"):
        resolver(tmp_path, seconds=0.5).resolve(python(code), ANN)
    assert time.monotonic() - began < 30

"""The store of secrets: encrypted, private, whole after anything."""

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdmigrate.errors import SecretUnreadable, StateUnusable
from xdmigrate_plans import keys
from xdmigrate_plans.vault import Vault

KEY = base64.b64encode(bytes(range(32))).decode()
ENVIRON = {"XDMIGRATE_KEY": KEY}


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.text()), st.text(), st.text())
def test_what_is_kept_is_found_again(secrets: dict[str, str], name: str, secret: str) -> None:
    with TemporaryDirectory() as folder:
        Vault(Path(folder), "p", environ=ENVIRON).update(secrets)
        Vault(Path(folder), "p", environ=ENVIRON).set(name, secret)
        found = Vault(Path(folder), "p", environ=ENVIRON)
        expected = {**secrets, name: secret}
        assert found.names() == sorted(expected)
        assert {key: found.get(key) for key in expected} == expected


def test_the_file_is_private_and_tells_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path, "contoso", environ=ENVIRON)
    assert (vault.get("x"), vault.names(), vault.path.exists()) == (None, [], False)
    vault.set("source:ann@x", "hunter2")
    assert vault.path == tmp_path / "secrets" / "contoso.vault"
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.path.parent.stat().st_mode) == 0o700
    content = vault.path.read_bytes()
    assert b"hunter2" not in content
    assert b"ann" not in base64.urlsafe_b64decode(content)
    assert sorted(path.name for path in vault.path.parent.iterdir()) == ["contoso.lock", "contoso.vault"]


def test_another_process_is_noticed(tmp_path: Path) -> None:
    one, other = (Vault(tmp_path, "p", environ=ENVIRON) for _ in range(2))
    one.set("a", "1")
    assert other.get("a") == "1"
    one.set("a", "2")
    assert other.get("a") == "2"
    assert one.purge() == 1
    assert other.names() == []
    assert other.purge() == 0


def test_writers_take_turns(tmp_path: Path) -> None:
    """Threads and processes at once: no secret is lost."""
    code = (
        "import sys; from pathlib import Path; from xdmigrate_plans.vault import Vault\n"
        "vault = Vault(Path(sys.argv[1]), 'p')\n"
        "for n in range(10): vault.set(f'{sys.argv[2]}-{n}', 'x')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"process{n}"], env={**os.environ, **ENVIRON})
        for n in range(2)
    ]
    vault = Vault(tmp_path, "p", environ=ENVIRON)

    def fill(name: str) -> None:
        for n in range(10):
            vault.set(f"{name}-{n}", "x")

    threads = [threading.Thread(target=fill, args=(f"thread{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(vault.names()) == 50


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"\xff" * 99])
def test_a_damaged_store_is_told_and_can_be_purged(damage: bytes, tmp_path: Path) -> None:
    vault = Vault(tmp_path, "p", environ=ENVIRON)
    vault.set("a", "1")
    vault.path.write_bytes(damage)
    with pytest.raises(SecretUnreadable, match="does not open with the key from XDMIGRATE_KEY"):
        vault.get("a")
    with pytest.raises(SecretUnreadable):
        vault.set("b", "2")
    assert vault.path.read_bytes() == damage
    assert vault.purge() == 0
    assert not vault.path.exists()


def test_a_write_that_fails_leaves_the_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(tmp_path, "p", environ=ENVIRON)
    vault.set("a", "1")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateUnusable, match="No space left"):
        vault.set("a", "2")
    monkeypatch.undo()
    assert vault.get("a") == "1"
    assert sorted(path.name for path in vault.path.parent.iterdir()) == ["p.lock", "p.vault"]


# --- marks ------------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_marks_differ_when_secrets_do(one: str, other: str) -> None:
    with TemporaryDirectory() as folder:
        vault = Vault(Path(folder), "p", environ=ENVIRON)
        assert len(vault.mark(one)) == 16
        assert (vault.mark(one) == vault.mark(other)) is (one == other)


def test_marks_need_the_key(tmp_path: Path) -> None:
    other = base64.b64encode(bytes(32)).decode()
    marks = {Vault(tmp_path, "p", environ={"XDMIGRATE_KEY": key}).mark("hunter2") for key in (KEY, other)}
    assert len(marks) == 2
    assert Vault(tmp_path / "elsewhere", "q", environ=ENVIRON).mark("hunter2") in marks


# --- where the key comes from -----------------------------------------------------------------------------------


class Ring(keyring.backend.KeyringBackend):
    """A keyring that works."""

    priority = 5
    kept: ClassVar[dict[tuple[str, str], str]] = {}

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


class Broken(Ring):
    """A keyring whose service is not there."""

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError("no bus")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError("no bus")


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    monkeypatch.setattr(Ring, "kept", {})
    keyring.set_keyring(Ring())
    return Ring.kept


def test_the_environment_wins_and_leaves_nothing(tmp_path: Path, ring: dict[tuple[str, str], str]) -> None:
    Vault(tmp_path, "p", environ={**ENVIRON, "HOME": str(tmp_path)}).set("a", "1")
    assert ring == {}
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize("key", ["x", "A" * 43, "passphrase of many words", KEY[:-4], "ä" * 44])
def test_a_key_of_another_size_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="XDMIGRATE_KEY") as refusal:
        Vault(tmp_path, "p", environ={"XDMIGRATE_KEY": key}).set("a", "1")
    assert "head -c 32 /dev/urandom | base64" in refusal.value.remedy
    assert key not in refusal.value.message.replace("XDMIGRATE_KEY", "") or key == "x"


def test_both_alphabets_of_base64_are_one_key(tmp_path: Path) -> None:
    raw = bytes([251, 255, 190] * 10 + [0, 1])
    Vault(tmp_path, "p", environ={"XDMIGRATE_KEY": base64.b64encode(raw).decode() + "\n"}).set("a", "1")
    assert Vault(tmp_path, "p", environ={"XDMIGRATE_KEY": base64.urlsafe_b64encode(raw).decode()}).get("a") == "1"


def test_a_usable_keyring_keeps_the_key(tmp_path: Path, ring: dict[tuple[str, str], str]) -> None:
    environ = {"HOME": str(tmp_path)}
    Vault(tmp_path, "p", environ=environ).set("a", "1")
    assert list(ring) == [("xdmigrate", "store-key")]
    assert not keys.key_file(environ).exists()
    assert Vault(tmp_path, "p", environ=environ).get("a") == "1"
    assert Vault(tmp_path, "q", environ=environ).mark("x") == Vault(tmp_path, "p", environ=environ).mark("x")


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring, Broken])
def test_without_a_keyring_a_file_keeps_the_key(backend: type[keyring.backend.KeyringBackend], tmp_path: Path) -> None:
    keyring.set_keyring(backend())
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    Vault(tmp_path, "p", environ=environ).set("a", "1")
    path = tmp_path / "config" / "xdmigrate" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(path.read_text())) == 32
    assert Vault(tmp_path, "p", environ=environ).get("a") == "1"


def test_a_relative_config_home_is_ignored(tmp_path: Path) -> None:
    """The XDG base directory specification asks for it."""
    assert keys.key_file({"XDG_CONFIG_HOME": "x", "HOME": str(tmp_path)}) == tmp_path / ".config" / "xdmigrate" / "key"


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    Vault(tmp_path, "p", environ=environ).set("a", "1")
    keys.key_file(environ).chmod(0o640)
    with pytest.raises(SecretUnreadable, match="mode 0640") as refusal:
        Vault(tmp_path, "p", environ=environ).get("a")
    assert refusal.value.remedy.startswith("chmod 600")


def test_cron_without_keyring_makes_no_second_key(tmp_path: Path, ring: dict[tuple[str, str], str]) -> None:
    """The store was made at a desktop: a new key would not open it, and would only hide what is wrong."""
    environ = {"HOME": str(tmp_path)}
    Vault(tmp_path, "p", environ=environ).set("a", "1")
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    attempts: list[Callable[[Vault], object]] = [lambda v: v.get("a"), lambda v: v.update({}), lambda v: v.mark("x")]
    for attempt in attempts:
        with pytest.raises(SecretUnreadable, match="has no key on this machine"):
            attempt(Vault(tmp_path, "p", environ=environ))
    assert not keys.key_file(environ).exists()
    assert len(ring) == 1


def test_a_store_made_with_the_keyring_opens_beside_a_key_file(
    tmp_path: Path, ring: dict[tuple[str, str], str]
) -> None:
    environ = {"HOME": str(tmp_path)}
    Vault(tmp_path, "p", environ=environ).set("a", "1")
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    Vault(tmp_path, "q", environ=environ).set("b", "2")
    keyring.set_keyring(Ring())
    assert Vault(tmp_path, "p", environ=environ).get("a") == "1"
    assert Vault(tmp_path, "q", environ=environ).get("b") == "2"
    assert len(ring) == 1


def test_first_keys_are_not_made_twice(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    marks: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: marks.append(Vault(tmp_path, f"p{n}", environ=environ).mark("x")))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(marks) == 6
    assert len(set(marks)) == 1


def test_a_machine_where_no_key_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretUnreadable, match="cannot be written"):
        Vault(tmp_path, "p", environ={"XDG_CONFIG_HOME": str(tmp_path / "file")}).set("a", "1")


def test_the_store_is_plain_fernet(tmp_path: Path) -> None:
    """Anybody who has the key can get at the secrets without this program."""
    from cryptography.fernet import Fernet

    Vault(tmp_path, "p", environ=ENVIRON).set("a", "1")
    token = (tmp_path / "secrets" / "p.vault").read_bytes()
    key = base64.urlsafe_b64encode(base64.b64decode(KEY))
    assert json.loads(Fernet(key).decrypt(token)) == {"a": "1"}

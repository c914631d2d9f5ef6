"""A Dovecot of our own: any user name is an account, everything lies in one directory, nothing is shared.

Runs as root (mail belongs to "nobody") or as whoever runs the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.live import certificates
from tests.live.dovecot_conf import Place, Settings, oauth2_conf, render
from tests.live.process import Daemon, StartFailed, account, free_ports, persist, program

Found = TypeVar("Found")


def missing() -> str:
    """What has to be installed, or nothing."""
    return "" if program("dovecot") else "dovecot is not installed (apt package dovecot-imapd)"


class Dovecot:
    """One server. `start` or `with` runs it; `close` ends it and removes its mail."""

    host = "127.0.0.1"

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._owner = account("nobody")
        self._root = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self._daemon: Daemon | None = None
        self._place = self._settle(*free_ports(2))
        self._limits: dict[str, int] = {}
        self._prepare()

    # --- life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Run it and wait for its greeting. Raises StartFailed."""
        persist(self._launch)
        return self

    def stop(self) -> None:
        """Stop it; the mail stays and `start` brings it back, on the same ports unless they were taken."""
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def restart(self, **changes: object) -> Self:
        """Run it again with some settings changed."""
        self.stop()
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return self.start()

    def close(self) -> None:
        """End it at once and remove everything that it kept."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon = None
        shutil.rmtree(self._root, ignore_errors=True)

    # --- facts --------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Plain IMAP, with STARTTLS."""
        return self._place.port

    @property
    def tls_port(self) -> int:
        """IMAP over TLS."""
        return self._place.tls_port

    @property
    def ca(self) -> Path:
        """The certificate that signed the server's."""
        return self._root / "ca.pem"

    @property
    def password(self) -> str:
        """Of every account."""
        return self.settings.password

    def access(self, user: str) -> tuple[str, int, str, str]:
        """What `reader.dump` and `reader.load` take first: host, port, user, password."""
        return self.host, self.port, user, self.password

    def home(self, user: str) -> Path:
        """The directory of an account; its mail is in "mail" there."""
        return self._root / "mail" / user

    def log(self) -> str:
        """Everything that the server has logged."""
        return (self._root / "log").read_text(errors="replace")

    def logins(self, user: str) -> int:
        """How often this user has logged in."""
        return self._logged(rf"imap-login: Info: (?:Login|Logged in): user=<{re.escape(user)}>")

    def failed_logins(self, user: str) -> int:
        """How many login attempts of this user had a wrong password."""
        return self._logged(rf"\({re.escape(user)},.*Password mismatch")

    def commands(self, user: str) -> Counter[str]:
        """How many commands of each name this user's sessions have finished ("APPEND", "UID_FETCH", …)."""
        pattern = rf"^imap_{re.escape(user)}_(\S[^\t]*)\tduration\t(\d+)"
        rows = _settled(lambda: re.findall(pattern, self._stats(), re.MULTILINE))
        return Counter({name: int(count) for name, count in rows})

    def _logged(self, pattern: str) -> int:
        return len(_settled(lambda: re.findall(pattern, self.log())))

    def _stats(self) -> str:
        return self._doveadm("stats", "dump")

    def _doveadm(self, *words: str) -> str:
        command = [program("doveadm") or "doveadm", "-c", str(self._root / "dovecot.conf"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def renumber(self, user: str, name: str = "INBOX") -> None:
        """Give a mailbox another UIDVALIDITY, and with it other UIDs, as after a restore."""
        told = self._doveadm("mailbox", "status", "-u", user, "uidvalidity", name)
        validity = int(told.split("uidvalidity=")[1]) + 7
        self._doveadm("mailbox", "update", "-u", user, "--uid-validity", str(validity), name)

    # --- wishes -------------------------------------------------------------------------------------------------

    def set_quota(self, user: str, octets: int) -> None:
        """Limit a user's storage from the next login on; needs `Settings.quota`."""
        self._limits[user] = octets
        self._write_limits()
        time.sleep(1.01 - time.time() % 1)  # Dovecot looks at the file once in a second

    def record(self, user: str) -> None:
        """From the next login on, keep what this user's sessions send and get (Dovecot's rawlog)."""
        folder = self._root / "rawlog" / user
        folder.mkdir(exist_ok=True)
        self._give(folder)

    def recorded(self, user: str) -> bytes:
        """What the recorded sessions sent, each line with the second at which it came."""
        return b"".join(path.read_bytes() for path in sorted((self._root / "rawlog" / user).glob("*.in")))

    def answered(self, user: str) -> bytes:
        """What the recorded sessions got, each line with the second at which it went."""
        return b"".join(path.read_bytes() for path in sorted((self._root / "rawlog" / user).glob("*.out")))

    # --- doing --------------------------------------------------------------------------------------------------

    def _settle(self, port: int, tls_port: int) -> Place:
        return Place(self._root, port, tls_port, self._owner, as_root=os.geteuid() == 0)

    def _prepare(self) -> None:
        self._root.chmod(0o755)
        for name in ("run", "state", "mail", "rawlog"):
            (self._root / name).mkdir()
        self._give(self._root / "mail")
        certificates.issue(self._root, self.settings.certificate_names, self.settings.certificate_days)
        (self._root / "acl").write_text("* owner lr\n")
        self._write_limits()

    def _give(self, path: Path) -> None:
        os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _write_limits(self) -> None:
        rule = "userdb_quota_storage_size={}B" if version() >= (2, 4) else "userdb_quota_rule=*:bytes={}"
        lines = [f"{user}:::::::{rule.format(octets)}\n" for user, octets in self._limits.items()]
        (self._root / "limits").write_text("".join(lines))

    def _launch(self) -> None:
        master = f"{self.settings.master}:{{PLAIN}}{self.settings.master_password}\n"
        (self._root / "masters").write_text(master)
        (self._root / "oauth2.conf").write_text(oauth2_conf(self.settings))
        config = self._root / "dovecot.conf"
        config.write_text(render(self.settings, self._place, version()))
        self._daemon = Daemon([program("dovecot") or "dovecot", "-F", "-c", str(config)], self._root / "log")
        try:
            self._daemon.wait_until(self._answers)
        except StartFailed:
            self._place = self._settle(*free_ports(2))
            raise

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                return self._place.greeting.encode() in connection.recv(4096)
        except OSError:
            return False


def _settled(read: Callable[[], list[Found]]) -> list[Found]:
    """What is read when it has stopped changing: log and statistics reach their processes a moment later."""
    found, unchanged = read(), 0
    while unchanged < 3:
        time.sleep(0.02)
        before, found = found, read()
        unchanged = unchanged + 1 if found == before else 0
    return found


def without_tokens() -> str:
    """Why no server here can be told to take tokens, or nothing."""
    return missing() or ("" if version() < (2, 4) else "this Dovecot's OAuth settings are not known to the tests")


def version() -> tuple[int, int]:
    text = subprocess.run([program("dovecot") or "dovecot", "--version"], check=True, capture_output=True, text=True)
    major, minor = text.stdout.split(".")[:2]
    return int(major), int(minor)

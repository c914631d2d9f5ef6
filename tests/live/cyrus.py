"""A Cyrus IMAP server of our own: users are made as they are asked for, everything lies in one directory.

Runs as root (mail belongs to "cyrus") or as whoever runs the tests. Beside Dovecot only the package cyrus-imapd cannot
be installed; `.ci/servers` unpacks its one program into a cache directory.
"""

from __future__ import annotations

import imaplib
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.process import account, free_ports, program
from tests.live.server import Server

TOOLS = Path("/usr/lib/cyrus/bin")
"""Where Debian's cyrus-common keeps its programs, outside every PATH."""

UNPACKED = Path(__file__).parents[2] / ".cyrus_cache" / "usr/lib/cyrus/bin"
"""Where `.ci/servers` has unpacked cyrus-imapd."""

ADMIN = "admin"
"""Acts for anybody, as SASL authorisation identity (RFC 4616), and sees every mailbox."""


def missing() -> str:
    """What has to be installed, or nothing."""
    if _imapd() is None:
        return "Cyrus's imapd is not here (apt package cyrus-imapd, or .ci/servers beside Dovecot)"
    if not (TOOLS / "master").exists():
        return "Cyrus is not installed (apt package cyrus-common)"
    return "" if program("saslpasswd2") else "saslpasswd2 is not installed (apt package sasl2-bin)"


def _imapd() -> Path | None:
    return next((path / "imapd" for path in (TOOLS, UNPACKED) if (path / "imapd").exists()), None)


def _memory() -> str:
    """A place without a disk where there is one: Cyrus waits for the disk at every message."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen about a server; every user has the same password."""

    password: str = "secret"
    separator: str = "/"  # or "."
    below_inbox: bool = True  # mailboxes are called INBOX/name (Cyrus's altnamespace: no)
    keeps_eight_bits: bool = True  # of headers; else they become "X" (munge8bit), as in a fresh installation
    more: Mapping[str, str] = field(default_factory=dict)  # lines of imapd.conf


class Cyrus(Server):
    """One server; `with` runs it and removes its mail at the end."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__("cyrus", owner=account("cyrus"), within=_memory())
        self.settings = settings or Settings()
        self._users: set[str] = set()

    # --- facts --------------------------------------------------------------------------------------------------

    @property
    def password(self) -> str:
        """Of every account, the administrator's included."""
        return self.settings.password

    def access(self, user: str) -> tuple[str, int, str, str]:
        """What `reader.dump` and `reader.load` take first; a user "name@domain" who does not exist is made."""
        self.add(user)
        return self.host, self.port, user, self.password

    def native(self, name: str) -> str:
        """A user's mailbox as this server names it, from a native name with "/" between the levels."""
        if name == "INBOX":
            return name
        below = name if self.settings.below_inbox is False else f"INBOX/{name.removeprefix('INBOX/')}"
        return below.replace("/", self.settings.separator)

    # --- wishes -------------------------------------------------------------------------------------------------

    def add(self, user: str) -> None:
        """Give the user a password; the INBOX comes with the first login."""
        if user in self._users:
            return
        name, _, domain = user.partition("@")
        file = self._root / "conf" / "sasldb2"
        command = [
            program("saslpasswd2") or "saslpasswd2",
            "-p",
            "-c",
            "-u",
            domain or self._root.name,
            "-f",
            str(file),
        ]
        subprocess.run([*command, name], input=self.password.encode(), check=True, capture_output=True)
        self._give(file)
        self._users.add(user)

    def administrator(self) -> imaplib.IMAP4:
        """A session that may do everything to everybody's mailboxes."""
        client = imaplib.IMAP4(self.host, self.port, timeout=30)
        client.login(ADMIN, self.password)
        return client

    def record(self, user: str) -> None:
        """From the next login on, keep what this user's sessions send and get (telemetry)."""
        self._telemetry(user).mkdir(parents=True)
        self._give(self._root / "conf" / "log", self._telemetry(user))

    def recorded(self, user: str) -> bytes:
        """What the recorded sessions sent and got, each piece behind a line "<seconds<" or ">seconds>"."""
        return b"".join(self.sessions(user).values())

    def sessions(self, user: str) -> dict[str, bytes]:
        """The same by file; their names do not tell which came first."""
        return {path.name: path.read_bytes() for path in sorted(self._telemetry(user).iterdir())}

    def _telemetry(self, user: str) -> Path:
        return self._root / "conf" / "log" / user

    # --- doing --------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._root.chmod(0o755)
        for name in ("conf/proc", "conf/lock", "conf/socket", "conf/db", "spool", "run"):
            (self._root / name).mkdir(parents=True)
        shutil.copy(_imapd() or "", self._root / "imapd")  # the owner may not be allowed to look into our directory
        (self._root / "imapd.conf").write_text(self._configuration())
        self.add(ADMIN)
        self._give(self._root, *self._root.rglob("*"))

    def _configuration(self) -> str:
        root, chosen = self._root, self.settings
        values = {
            "configdirectory": f"{root}/conf",
            "defaultpartition": "default",
            "partition-default": f"{root}/spool",
            "cyrus_user": self._owner.pw_name,
            "servername": root.name,
            "defaultdomain": root.name,
            "virtdomains": "userid",
            "admins": ADMIN,
            "allowplaintext": "yes",
            "sasl_mech_list": "PLAIN",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sasldb",
            "sasl_sasldb_path": f"{root}/conf/sasldb2",
            "autocreate_quota": "0",
            "unixhierarchysep": "yes" if chosen.separator == "/" else "no",
            "altnamespace": "no" if chosen.below_inbox else "yes",
            "munge8bit": "no" if chosen.keeps_eight_bits else "yes",
            "reject8bit": "no",
            "failedloginpause": "0",
            "mboxname_lockpath": f"{root}/conf/lock",
            "proc_path": f"{root}/conf/proc",
            "idlesocket": f"{root}/run/idle",
            **chosen.more,
        }
        return "".join(f"{name}: {value}\n" for name, value in values.items())

    def _command(self) -> Sequence[str]:
        (self.port,) = free_ports(1)
        root, config = self._root, self._root / "imapd.conf"
        (root / "cyrus.conf").write_text(
            f'START {{\n  recover cmd="{TOOLS}/ctl_cyrusdb -C {config} -r"\n}}\n'
            f"SERVICES {{\n{self._services()}}}\nEVENTS {{\n}}\n"
        )
        return [str(TOOLS / "master"), "-C", str(config), "-M", f"{root}/cyrus.conf", "-p", f"{root}/run/pid"]

    def _services(self) -> str:
        """Lines of cyrus.conf."""
        return self._service("imap", f"{self._root}/imapd", self.port)

    def _service(self, name: str, program: str, port: int) -> str:
        command = f"{program} -C {self._root}/imapd.conf"
        return f'  {name} cmd="{command}" listen="{self.host}:{port}" proto="tcp4" prefork=1 maxchild=100\n'

    def _answers(self) -> bool:
        """Whether it is this server that answers: its greeting names it."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                return self._root.name.encode() in connection.recv(4096)
        except OSError:
            return False

"""A SOGo of our own over a database of ours, and a host that would get the mail which it sends."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from tests.live import postgres
from tests.live.dav.sink import Sink
from tests.live.postgres import Postgres
from tests.live.process import account, free_ports, program
from tests.live.server import Server, WebServer

ADMIN = "admin"
"""A user who may do everything in every account, once added."""

TABLES = {
    "SOGoProfileURL": "sogo_user_profile",
    "OCSFolderInfoURL": "sogo_folder_info",
    "OCSSessionsFolderURL": "sogo_sessions_folder",
    "OCSStoreURL": "sogo_store",
    "OCSAclURL": "sogo_acl",
    "OCSCacheFolderURL": "sogo_cache_folder",
}
"""A few for everybody, instead of some for each calendar."""

USERS = "sogo_users"


def missing() -> str:
    """What has to be installed, or nothing."""
    absent = [name for name in ("sogod", "memcached") if program(name) is None]
    if absent:
        return f"{absent[0]} is not installed (apt package sogo)"
    return postgres.missing() or ("" if find_spec("psycopg") else "psycopg is not installed (xdmigrate[postgresql])")


class Memcached(Server):
    """What the processes of one SOGo know in common."""

    def __init__(self) -> None:
        super().__init__("memcached", owner=account("sogo", "nobody"))

    @property
    def socket(self) -> Path:
        """Its address."""
        return self._root / "socket"

    def _prepare(self) -> None:
        self._give(self._root)

    def _command(self) -> Sequence[str]:
        return [program("memcached") or "memcached", "-s", str(self.socket), "-m", "16", "-t", "1"]

    def _answers(self) -> bool:
        return self.socket.is_socket()


class Sogo(WebServer):
    """One server; `with` runs it. `scheduling`: whether it sends invitations, to the sink."""

    password = "secret"
    ending = signal.SIGKILL
    """Its processes wait for one another when they are asked; the others end with the first."""

    def __init__(self, cluster: Postgres, *, scheduling: bool = True) -> None:
        super().__init__("sogo", owner=account("sogo", "nobody"))
        self.sink = Sink()
        self._cluster = cluster
        self._database = ""
        self._scheduling = scheduling
        self._cache = Memcached()
        self._beside = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._beside.close()

    @property
    def url(self) -> str:
        return f"{super().url}SOGo/dav/"

    def calendar(self, user: str) -> str:
        """The user's first calendar, from the URL on."""
        return f"{user}/Calendar/personal/"

    def welcome(self, user: str) -> None:
        """Give the user what there is to give: calendar and address book come with the first login."""
        self.add(user)

    def add(self, user: str, *more: str) -> None:
        """Let this user log in, with these further addresses."""
        import psycopg

        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(
                f"INSERT INTO {USERS} VALUES (%s, %s, %s, %s, %s, %s)",
                (user, user, self.password, user, user, " ".join(more) or None),
            )

    # --- doing --------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        import psycopg

        self._give(self._root)
        self._beside.enter_context(self.sink)
        self._beside.enter_context(self._cache)
        self._database = self._cluster.create_database()
        self._beside.callback(self._cluster.drop_database, self._database)
        columns = "c_uid text PRIMARY KEY, c_name text, c_password text, c_cn text, mail text, alias text"
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE {USERS} ({columns})")

    def _command(self) -> Sequence[str]:
        (self.port,) = free_ports(1)
        values: dict[str, object] = {
            "WOPort": f"{self.host}:{self.port}",
            "WOLogFile": "-",
            "WOPidFile": f"{self._root}/pid",
            "WONoDetach": "YES",
            "WOWorkersCount": "3",
            "SxVMemLimit": "0",
            **{name: f"{self._database}/{table}" for name, table in TABLES.items()},
            "SOGoMemcachedHost": str(self._cache.socket),
            "SOGoTimeZone": "UTC",
            "SOGoSuperUsernames": [ADMIN],
            "SOGoAppointmentSendEMailNotifications": "YES" if self._scheduling else "NO",
            "SOGoMailingMechanism": "smtp",
            "SOGoSMTPServer": f"smtp://{self.sink.host}:{self.sink.port}",
        }
        users = {
            "type": "sql",
            "id": "users",
            "viewURL": f"{self._database}/{USERS}",
            "MailFieldNames": ["mail", "alias"],
            "userPasswordAlgorithm": "plain",
            "canAuthenticate": "YES",
            "isAddressBook": "NO",
        }
        words = [
            word
            for name, value in {**values, "SOGoUserSources": [users]}.items()
            for word in (f"-{name}", _plist(value))
        ]
        return ["env", f"HOME={self._root}", program("sogod") or "sogod", *words]


def _plist(value: object) -> str:
    """A value as GNUstep reads it."""
    if isinstance(value, dict):
        return "{" + "".join(f"{name} = {_plist(each)};" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return f"({', '.join(map(_plist, value))})"
    return f'"{value}"'

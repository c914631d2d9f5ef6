"""Dovecot's configuration file for a test: the syntax of 2.3 (Debian 12, Ubuntu 24.04) and of 2.4 (Debian 13)."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CAPABILITIES = (
    *("IMAP4rev1", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "SORT", "MULTIAPPEND", "UNSELECT", "CHILDREN"),
    *("NAMESPACE", "UIDPLUS", "LIST-EXTENDED", "CONDSTORE", "QRESYNC", "ESEARCH", "LIST-STATUS", "BINARY", "MOVE"),
    *("STATUS=SIZE", "LITERAL+", "SPECIAL-USE"),
)
"""What both versions can do and migrations may use."""


def capabilities_without(*names: str) -> tuple[str, ...]:
    """A `Settings.capabilities` that does not announce these."""
    return tuple(name for name in CAPABILITIES if name not in names)


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen about a server; every user name is an account with the same password."""

    storage: Literal["maildir", "mdbox", "sdbox"] = "maildir"
    password: str = "secret"
    master: str = "master"  # logs in as anybody: "ann@example.test*master", or by SASL authorisation identity
    master_password: str = "master-secret"
    separator: str = "/"
    prefix: str = ""  # of the personal namespace, e.g. "INBOX."
    layout: str = "fs"  # of folders on the disk; "Maildir++" allows no "." in names
    special: Mapping[str, str] = field(
        default_factory=lambda: {"Drafts": "\\Drafts", "Junk": "\\Junk", "Sent": "\\Sent", "Trash": "\\Trash"}
    )
    capabilities: tuple[str, ...] = ()  # announced instead of the server's own
    fsync: Literal["optimized", "always", "never"] = "never"
    connections: int = 64  # of one user from one address
    quota: bool = False  # Dovecot.set_quota limits a user
    sharing: bool = False  # users may share folders (RFC 4314) and note things on them (RFC 5464); Dovecot 2.3
    read_only: bool = False  # nobody may write (an access control list)
    tokeninfo: str = ""  # URL that tells whose token it is, which is appended (version 2.3 only)
    certificate_names: tuple[str, ...] = ("localhost", "127.0.0.1")
    certificate_days: int = 30  # negative: it has expired


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server stands: its directory, its ports and the account that owns the mail."""

    root: Path
    port: int
    tls_port: int
    owner: pwd.struct_passwd
    as_root: bool

    @property
    def greeting(self) -> str:
        """Proves that it is this server that answers on the port."""
        return f"Dovecot {self.root.name}"


def render(settings: Settings, place: Place, version: tuple[int, int]) -> str:
    """The whole dovecot.conf."""
    dialect = _version_24 if version >= (2, 4) else _version_23
    blocks = [dialect(settings, place), _common(settings, place), _namespace(settings)]
    if not place.as_root:
        blocks.append(_unprivileged(place.owner))
    return "\n".join(blocks)


def _common(settings: Settings, place: Place) -> str:
    return f"""\
base_dir = {place.root}/run
state_dir = {place.root}/state
log_path = {place.root}/log
login_greeting = {place.greeting}
protocols = imap
listen = 127.0.0.1
ssl = yes
auth_verbose = yes
auth_mechanisms = plain login{" xoauth2 oauthbearer" if settings.tokeninfo else ""}
auth_failure_delay = 0
auth_master_user_separator = *
mail_fsync = {settings.fsync}
mail_max_userip_connections = {settings.connections}
first_valid_uid = 1
default_vsz_limit = 1G
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {place.port}
  }}
  inet_listener imaps {{
    port = {place.tls_port}
  }}
  process_min_avail = 1
}}
protocol imap {{
  rawlog_dir = {place.root}/rawlog/%{{user}}
}}
"""


def _namespace(settings: Settings) -> str:
    special = "".join(f'mailbox "{name}" {{\n  special_use = {use}\n}}\n' for name, use in settings.special.items())
    return f"""\
namespace inbox {{
  inbox = yes
  separator = {settings.separator}
  prefix = {settings.prefix}
{special}}}
"""


def _unprivileged(owner: pwd.struct_passwd) -> str:
    """Everything as ourselves, so without chroot."""
    services = "".join(f"service {name} {{\n  chroot =\n}}\n" for name in ("imap-login", "anvil", "stats"))
    return f"""\
default_internal_user = {owner.pw_name}
default_internal_group = {grp.getgrgid(owner.pw_gid).gr_name}
default_login_user = {owner.pw_name}
{services}"""


def _version_23(settings: Settings, place: Place) -> str:
    layout = f":LAYOUT={settings.layout}" if settings.storage == "maildir" else ""
    chosen = (("quota", settings.quota), ("acl", settings.read_only or settings.sharing))
    plugins = [name for name, wanted in chosen if wanted]
    notes = "mail_attribute_dict = file:%h/attributes\n" if settings.sharing else ""
    return f"""\
{notes}disable_plaintext_auth = no
ssl_cert = <{place.root}/server.pem
ssl_key = <{place.root}/server.key
mail_location = {settings.storage}:~/mail{layout}
imap_capability = {" ".join(settings.capabilities)}
mail_plugins = {" ".join(plugins)}
protocol imap {{
  mail_plugins = $mail_plugins {" ".join("imap_" + name for name in plugins)}
  imap_metadata = {"yes" if settings.sharing else "no"}
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  acl = vfile{"" if settings.sharing else f":{place.root}/acl"}
  acl_user = %u
}}
{_tokens_23(place) if settings.tokeninfo else ""}passdb {{
  driver = passwd-file
  args = {place.root}/masters
  master = yes
}}
passdb {{
  driver = static
  args = password={settings.password}
}}
userdb {{
  driver = passwd-file
  args = {place.root}/limits
  result_success = continue-ok
}}
userdb {{
  driver = static
  args = uid={place.owner.pw_uid} gid={place.owner.pw_gid} home={place.root}/mail/%u
}}
metric imap {{
  filter = event=imap_command_finished
  group_by = user cmd_name
}}
"""


def _tokens_23(place: Place) -> str:
    return f"""\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {place.root}/oauth2.conf
}}
"""


def oauth2_conf(settings: Settings) -> str:
    """The file that the oauth2 passdb of version 2.3 reads."""
    return f"tokeninfo_url = {settings.tokeninfo}\nusername_attribute = email\nuse_grant_password = no\n"


def _version_24(settings: Settings, place: Place) -> str:
    plugins = [name for name, wanted in (("quota", settings.quota), ("acl", settings.read_only)) if wanted]
    capability = f"imap_capability = {' '.join(settings.capabilities)}\n" if settings.capabilities else ""
    rights = "acl_driver = vfile\nacl_defaults_from_inbox = yes\nacl owner {\n  rights = lr\n}\n"
    return f"""\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
ssl_server_cert_file = {place.root}/server.pem
ssl_server_key_file = {place.root}/server.key
mail_driver = {settings.storage}
mail_path = ~/mail
mailbox_list_layout = {settings.layout}
{capability}{rights if settings.read_only else ""}mail_plugins = {" ".join(plugins)}
protocol imap {{
  mail_plugins = {" ".join(plugins + ["imap_" + name for name in plugins])}
}}
quota "User quota" {{
}}
passdb masters {{
  driver = passwd-file
  passwd_file_path = {place.root}/masters
  master = yes
}}
passdb users {{
  driver = static
  passdb_static_password = {settings.password}
}}
userdb limits {{
  driver = passwd-file
  passwd_file_path = {place.root}/limits
  result_success = continue-ok
}}
userdb users {{
  driver = static
  fields {{
    uid = {place.owner.pw_uid}
    gid = {place.owner.pw_gid}
    home = {place.root}/mail/%{{user}}
  }}
}}
metric imap {{
  filter = event=imap_command_finished
  group_by user {{
    method discrete {{
    }}
  }}
  group_by cmd_name {{
    method discrete {{
    }}
  }}
}}
"""

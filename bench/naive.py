"""The loop that everybody writes first. A program: host, port, user, password, CA file or "" of both sides."""

from __future__ import annotations

import ssl
import sys

from imapclient import IMAPClient


def connect(host: str, port: str, user: str, password: str, ca: str) -> IMAPClient:
    """A logged-in connection."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    client = IMAPClient(host, int(port), ssl=bool(ca), ssl_context=context)
    client.login(user, password)
    return client


def main() -> None:
    """Copy every folder, message by message."""
    old, new = connect(*sys.argv[1:6]), connect(*sys.argv[6:11])
    for _, _, name in old.list_folders():
        if not new.folder_exists(name):
            new.create_folder(name)
        old.select_folder(name, readonly=True)
        for uid in old.search():
            copy(old, new, name, uid)
    old.logout()
    new.logout()


def copy(old: IMAPClient, new: IMAPClient, name: str, uid: int) -> None:
    """One message with its flags and date."""
    found = old.fetch([uid], ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"])[uid]
    flags = [flag for flag in found[b"FLAGS"] if flag != b"\\Recent"]
    new.append(name, found[b"BODY[]"], flags, found[b"INTERNALDATE"])


if __name__ == "__main__":
    main()

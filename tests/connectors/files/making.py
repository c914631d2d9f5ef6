"""What the tests of the files connector lay out on the disk, with the standard library alone."""

from __future__ import annotations

from pathlib import Path

from xdmigrate.model import Endpoint, Login

ADDRESS = "ann@example.test"


def endpoint(path: Path, **settings: object) -> Endpoint:
    """A files endpoint, as a plan describes it."""
    return Endpoint("disk", "files", {"path": str(path), **settings})


def login() -> Login:
    """What a mailbox has on an endpoint without `auth`."""
    return Login(ADDRESS, ADDRESS)


def maildir(root: Path) -> Path:
    """An empty Maildir."""
    for name in ("cur", "new", "tmp"):
        (root / name).mkdir(parents=True)
    return root

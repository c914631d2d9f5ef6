"""The IMAP connector: any server that speaks IMAP4rev1 (RFC 3501), as source and as target."""

from xdmigrate_imap.plugin import connector

__all__ = ["connector"]

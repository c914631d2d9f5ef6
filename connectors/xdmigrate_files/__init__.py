"""The files connector: mail, calendars and contacts in local directories and files, as source and as target."""

from xdmigrate_files.plugin import connector

__all__ = ["connector"]

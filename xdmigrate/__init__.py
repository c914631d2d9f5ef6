"""xdmigrate moves an organisation's mailboxes from one system to another."""

__version__ = "0.1.0"

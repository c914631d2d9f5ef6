"""A small IMAP server for tests whose dialect is data: what real servers here cannot show."""

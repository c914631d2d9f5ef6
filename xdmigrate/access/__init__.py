"""Access tokens for endpoints that take no passwords: got, kept for as long as they hold, and got again."""

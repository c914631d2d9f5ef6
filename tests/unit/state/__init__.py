"""The state, on SQLite and on PostgreSQL."""

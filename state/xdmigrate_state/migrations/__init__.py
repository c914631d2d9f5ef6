"""Alembic's migrations of the state: `env` runs them over the caller's connection, `versions` holds them."""

"""Alembic's entry: migrate over the connection, and inside the transaction, that `schema.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from xdmigrate_state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()

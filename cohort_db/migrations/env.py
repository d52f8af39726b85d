"""Run by Alembic: the caller's connection in, its database brought to the asked version in the caller's transaction."""

from __future__ import annotations

from alembic import context

from cohort_db.schema import METADATA

# The caller's transaction is open, and Alembic joins it: a migration that fails leaves nothing, on SQLite too.
context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()

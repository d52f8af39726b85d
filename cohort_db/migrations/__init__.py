"""A database of any known schema version in, one of this program's version out.

There is no way back: a store is made again from its raw folders. Versions spell every column out, so that a later
change of `schema` cannot alter what an earlier version built; a test compares their sum with `METADATA`.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.schema import SetColumnComment

from cohort_db.schema import METADATA

# Spelled out, because asking Alembic costs every reader of a store 0.3 s of imports; a test compares.
SCHEMA_VERSIONS = ("0001", "0002", "0003", "0004", "0005")
SCHEMA_VERSION = SCHEMA_VERSIONS[-1]

# Any number would do: it names the lock under which one program at a time changes a PostgreSQL schema.
_SCHEMA_LOCK = 5_630_663


def bring_to_head(conn: Connection) -> None:
    """The database behind `conn` has this program's schema, once the caller's transaction is committed."""
    from alembic import command
    from alembic.config import Config

    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
    config = Config()
    config.set_main_option("script_location", "cohort_db:migrations")
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    _write_comments(conn)


def _write_comments(conn: Connection) -> None:
    """Each column's meaning stands in the database, where it has room for it (SQLite has none)."""
    # Words, not structure: written anew each time, so that a better wording needs no schema version.
    if conn.dialect.supports_comments:
        for table in METADATA.sorted_tables:
            for column in table.columns:
                conn.execute(SetColumnComment(column))

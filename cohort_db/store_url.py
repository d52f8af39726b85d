"""Where the store is: a database URL in, an engine and the folder of its arrays and runs out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from cohort_db.errors import InputMistake

BUSY_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 10
_EXAMPLES = "sqlite:///folder/cohort.db or postgresql://user@host/name"


def lemof_home() -> Path:
    """The folder named by LEMOF_HOME, else `.lemof` in the working folder; it need not exist."""
    return Path(os.environ.get("LEMOF_HOME") or ".lemof").expanduser()


def default_url() -> str:
    """The URL in LEMOF_DB_URL, else that of the SQLite file `cohort.db` in LEMOF_HOME."""
    given = os.environ.get("LEMOF_DB_URL")
    database = str(lemof_home() / "cohort.db")
    return given or URL.create("sqlite", database=database).render_as_string(hide_password=False)


def parsed_url(url: str) -> URL:
    """`url` with the driver this program uses and, for SQLite, an absolute path.

    Raises: InputMistake for text that is no URL, and for databases other than SQLite and PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password, and so may the error: neither is repeated.
        raise InputMistake(f"the database URL cannot be read; it must look like {_EXAMPLES}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _absolute(parsed)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise InputMistake(f"{parsed.drivername!r} is no database that can hold a store; give {_EXAMPLES}")


def is_memory(url: URL) -> bool:
    """True where the store lives in this process alone."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def folder_of(url: URL) -> Path:
    """The folder beside the store: the SQLite file's own, or LEMOF_HOME where there is no file."""
    if url.get_backend_name() == "sqlite" and not is_memory(url):
        return Path(str(url.database)).parent
    return lemof_home().absolute()


def engine_for(url: URL) -> Engine:
    """An engine that holds every connection to the store's rules; nothing is connected yet.

    Raises: InputMistake where the PostgreSQL driver is not installed.
    """
    if url.get_backend_name() == "postgresql":
        return _postgresql_engine(url)
    settings: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_S}}
    if is_memory(url):
        # Each connection would be a database of its own: there is one, and threads take turns.
        settings["connect_args"]["check_same_thread"] = False
        settings.update(poolclass=QueuePool, pool_size=1, max_overflow=0)
    engine = create_engine(url, **settings)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _absolute(url: URL) -> URL:
    """A SQLite URL that means the same file from any working folder."""
    if is_memory(url):
        return url
    database = str(url.database)
    if database.startswith("file:") or url.query:
        raise InputMistake("a SQLite URL must be a plain path, such as sqlite:///folder/cohort.db")
    return url.set(database=os.path.abspath(os.path.expanduser(database)))


def _postgresql_engine(url: URL) -> Engine:
    """A psycopg 3 engine that gives up on a silent server after some seconds."""
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_TIMEOUT_S}
    try:
        return create_engine(url, connect_args=waits, pool_pre_ping=True)
    except ImportError:
        raise InputMistake("PostgreSQL needs the driver psycopg: install the extra `postgres` of lemof") from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """A new SQLite connection holds foreign keys, waits for a busy writer, and begins only when told."""
    # The driver's own BEGIN comes late and is never IMMEDIATE, and it ends transactions at will.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("foreign_keys = ON", "synchronous = NORMAL", f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    """A transaction has begun, as a writer, a reader that cannot write, or (an engine used bare) either."""
    use = conn.get_execution_options().get("lemof_use")
    if use == "pragma":
        return  # the journal mode cannot change inside a transaction
    conn.exec_driver_sql(f"PRAGMA query_only = {'ON' if use == 'read' else 'OFF'}")
    conn.exec_driver_sql("BEGIN IMMEDIATE" if use == "write" else "BEGIN")

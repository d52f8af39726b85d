"""Opening the one store: a URL in, a `Store` out whose connections read a snapshot or write one transaction.

SQLite has one writer at a time: write in short batches, and never open `writing()` inside `writing()`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cohort_db.bulk_insert import insert_frame, insert_new, replace_rows
from cohort_db.errors import InputMistake, StoreVersionMismatch
from cohort_db.migrations import SCHEMA_VERSION, SCHEMA_VERSIONS, bring_to_head
from cohort_db.store_url import default_url, engine_for, folder_of, is_memory, parsed_url

__all__ = ["Store", "default_url", "insert_frame", "insert_new", "open_store", "replace_rows"]

# Pauses between attempts, each of which already waits for SQLite's own busy_timeout.
_BUSY_PAUSES_S = (0.1, 0.4)
_START = "run `lemof demo` or `lemof ingest` first"

T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class Store:
    """An open store. Threads may share it; a process makes its own by `open_store(store.url)`.

    Attributes:
        url: with its password, for reopening; `repr(store)` masks it.
        folder: where arrays and run folders lie beside the database.
    """

    url: str
    engine: Engine
    folder: Path

    @property
    def arrays_folder(self) -> Path:
        """Folder of the chunked arrays; it need not exist."""
        return self.folder / "arrays"

    @property
    def runs_folder(self) -> Path:
        """Folder of the checkpoints, one folder per run; it need not exist."""
        return self.folder / "runs"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment of the store and cannot change it."""
        options: dict[str, object] = {"lemof_use": "read"}
        if self.engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with closing(self.engine.connect().execution_options(**options)) as conn:
            yield conn

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in one transaction: committed at the end, undone if anything is raised inside.

        Raises: InputMistake when another writer holds the store for longer than the bounded waits.
        """
        with closing(_when_free(lambda: _connect_to_write(self.engine))) as conn:
            yield conn
            conn.commit()

    def close(self) -> None:
        """Every idle connection is closed; the store opens new ones if used again."""
        self.engine.dispose()

    def __repr__(self) -> str:
        return f"Store({_shown(make_url(self.url))})"


def open_store(url: str | None = None, *, create: bool = False) -> Store:
    """The store at `url` (default: `default_url()`), with this program's schema.

    Args:
        create: make the folder and the schema where they are absent, and bring an older schema up to date.
    Raises:
        InputMistake: the URL is wrong, the server cannot be reached, or there is no store there.
        StoreVersionMismatch: the store has another schema version.
    """
    parsed = parsed_url(url or default_url())
    _check_file(parsed, create)
    store = Store(parsed.render_as_string(hide_password=False), engine_for(parsed), folder_of(parsed))
    try:
        if create:
            _bring_up(store)
        else:
            _check_version(store, _version(store))
    except DBAPIError as error:
        store.close()
        raise InputMistake(_unusable(parsed, error)) from None
    except BaseException:
        store.close()
        raise
    return store


def _bring_up(store: Store) -> None:
    """The database has this program's schema."""
    version = _version(store)
    if version == SCHEMA_VERSION:
        return
    if version is not None and version not in SCHEMA_VERSIONS:
        _check_version(store, version)
    _when_free(lambda: _use_wal(store.engine))
    with store.writing() as conn:
        bring_to_head(conn)


def _version(store: Store) -> str | None:
    """The schema version written in the database; None for an empty one."""
    with store.reading() as conn:
        tables = inspect(conn).get_table_names()
        if "alembic_version" in tables:
            return str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if tables:
        raise InputMistake(f"the database {_shown(make_url(store.url))} belongs to another program: give an empty one")
    return None


def _check_version(store: Store, version: str | None) -> None:
    """The store has exactly the schema that this program reads."""
    shown = _shown(make_url(store.url))
    if version is None:
        raise InputMistake(f"there is no store at {shown}; {_START}")
    if version == SCHEMA_VERSION:
        return
    older = version in SCHEMA_VERSIONS
    remedy = "`lemof ingest` brings it up to date" if older else "update lemof, or make a new store at another URL"
    raise StoreVersionMismatch(
        f"the store at {shown} has schema version {version}, this program reads version {SCHEMA_VERSION}: {remedy}"
    )


def _check_file(url: URL, create: bool) -> None:
    """A SQLite path can be opened as asked; opening would otherwise make an empty file."""
    if url.get_backend_name() != "sqlite" or is_memory(url):
        return
    path = Path(str(url.database))
    if path.is_dir():
        raise InputMistake(f"{path} is a folder; give a file in it, such as sqlite:///{path / 'cohort.db'}")
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputMistake(f"the folder {path.parent} cannot be made: {error.strerror}") from None
    elif not path.exists():
        raise InputMistake(f"there is no store at {_shown(url)}; {_START}")


def _connect_to_write(engine: Engine) -> Connection:
    """A connection whose transaction may write."""
    conn = engine.connect().execution_options(lemof_use="write")
    try:
        conn.begin()
    except BaseException:
        conn.close()
        raise
    return conn


def _use_wal(engine: Engine) -> None:
    """The SQLite file lets readers read while one writer writes; the file itself remembers it."""
    if engine.dialect.name == "sqlite":
        with closing(engine.connect().execution_options(lemof_use="pragma")) as conn:
            conn.exec_driver_sql("PRAGMA journal_mode = WAL")


def _when_free(attempt: Callable[[], T]) -> T:
    """What `attempt` gives, tried again a bounded number of times while another connection has SQLite's lock."""
    for pause in (*_BUSY_PAUSES_S, None):
        try:
            return attempt()
        except OperationalError as error:
            if not _is_busy(error):
                raise
        if pause is not None:
            time.sleep(pause)
    raise InputMistake("another program keeps writing to the store: wait until it is done, then try again")


def _is_busy(error: DBAPIError) -> bool:
    """True where SQLite was refused by another connection's lock."""
    return getattr(error.orig, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _unusable(url: URL, error: DBAPIError) -> str:
    """Why the database cannot be used, in one line without the password."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    reason = lines[0].replace(url.password, "***") if url.password else lines[0]
    return f"the database {_shown(url)} cannot be used: {reason}"


def _shown(url: URL) -> str:
    """The URL as a person may see it: without its password, nor the settings that may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)

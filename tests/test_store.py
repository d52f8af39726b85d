"""The store: opened where there is one, refused in a sentence where not; a transaction is all or nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from store_support import (
    MakeStore,
    add_cohort,
    empty_postgresql,
    make_sqlite,
    make_store,
    n_rows,
    run_row,
    variable_row,
)

from cohort_db import store_url
from cohort_db.errors import InputMistake, StoreVersionMismatch
from cohort_db.migrations import SCHEMA_VERSION
from cohort_db.schema import facet_count, measurement, run, subject, variable
from cohort_db.store import Store, default_url, insert_new, open_store

__all__ = ["make_sqlite", "make_store"]

# Transactions


def test_what_fails_half_way_is_undone(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(RuntimeError, match="on purpose"), store.writing() as conn:
        insert_new(conn, variable, [variable_row()])
        raise RuntimeError("on purpose")
    assert n_rows(store, variable) == 0
    with store.writing() as conn:
        insert_new(conn, variable, [variable_row()])
    assert n_rows(store, variable) == 1


def test_a_reader_cannot_write(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(DBAPIError), store.reading() as conn:
        insert_new(conn, variable, [variable_row()])
    with store.writing() as conn:  # and the connection is a writer's again
        insert_new(conn, variable, [variable_row()])
    assert n_rows(store, variable) == 1


def test_a_reader_sees_one_moment(make_store: MakeStore) -> None:
    store = make_store()
    count = select(func.count()).select_from(variable)
    with store.reading() as conn:
        assert conn.execute(count).scalar_one() == 0
        with store.writing() as writer:
            insert_new(writer, variable, [variable_row()])
        assert conn.execute(count).scalar_one() == 0
    assert n_rows(store, variable) == 1


def test_two_writers_both_succeed(make_store: MakeStore) -> None:
    store = make_store()
    other = open_store(store.url)
    failures: list[BaseException] = []

    def write(own: Store, facet: str) -> None:
        try:
            for value in range(30):
                with own.writing() as conn:
                    held = conn.execute(select(func.count()).select_from(facet_count)).scalar_one()
                    insert_new(
                        conn,
                        facet_count,
                        [{"task": "los", "facet": facet, "value": str(value), "code": 0, "n": held, "n_out": 0}],
                    )
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=write, args=(own, facet)) for own, facet in ((store, "a"), (store, "b"), (other, "c"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failures == []
    assert n_rows(store, facet_count) == 90
    if store.engine.dialect.name == "sqlite":  # one writer at a time: each saw all that was written before it
        with store.reading() as conn:
            assert sorted(conn.execute(select(facet_count.c.n)).scalars()) == list(range(90))


def test_a_writer_that_waits_too_long_says_so(make_sqlite: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_url, "BUSY_TIMEOUT_S", 0.02)
    store = make_sqlite()
    with store.writing() as conn:
        with pytest.raises(InputMistake, match="another program keeps writing"), store.writing():
            pytest.fail("two writers at a time")
        insert_new(conn, variable, [variable_row()])
    with store.writing() as conn:
        insert_new(conn, variable, [variable_row(2)])
    assert n_rows(store, variable) == 2


def test_a_program_killed_while_writing_leaves_the_store_as_it_was(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 2)
    before = n_rows(store, measurement)
    script = (
        "import os, sys, polars as pl\n"
        "from cohort_db.schema import measurement\n"
        "from cohort_db.store import insert_frame, open_store\n"
        "with open_store(sys.argv[1]).writing() as conn:\n"
        "    rows = {'stay_id': 1, 'variable_id': 1, 'offset_s': range(60000), 'itemid': 9, 'value': 1.0}\n"
        "    assert insert_frame(conn, measurement, pl.DataFrame(rows)) == 60000\n"
        "    os._exit(9)\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", script, store.url], cwd=root, timeout=60, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert n_rows(store, measurement) == before
    with store.writing() as conn:
        conn.execute(text("DELETE FROM measurement"))
    assert n_rows(store, measurement) == 0


# Opening


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "sqlite:///.lemof/cohort.db"),
        ({"LEMOF_HOME": "/data/a b"}, "sqlite:////data/a b/cohort.db"),
        ({"LEMOF_HOME": "/data", "LEMOF_DB_URL": "postgresql://h/d"}, "postgresql://h/d"),
        ({"LEMOF_HOME": "", "LEMOF_DB_URL": ""}, "sqlite:///.lemof/cohort.db"),
    ],
)
def test_the_default_url_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str
) -> None:
    for name in ("LEMOF_HOME", "LEMOF_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_url() == url


def test_making_a_store_makes_its_folder_and_making_it_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new folder#1' / 'deep?er' / 'cohort.db'}".replace("?", "%3F").replace("#", "%23")
    store = open_store(url, create=True)
    assert store.folder == tmp_path / "new folder#1" / "deep?er"
    assert (store.folder / "cohort.db").is_file()
    assert (store.arrays_folder, store.runs_folder) == (store.folder / "arrays", store.folder / "runs")
    with store.writing() as conn:
        insert_new(conn, variable, [variable_row()])
    store.close()
    for again in (open_store(url, create=True), open_store(url)):
        assert n_rows(again, variable) == 1
        again.close()


def test_a_store_keeps_its_rules_on_every_connection(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    with store.writing() as one, store.reading() as two:
        for conn in (one, two):
            asked = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
            assert [conn.execute(text(f"PRAGMA {name}")).scalar() for name in asked] == ["wal", 1, 1, 30_000]


def test_a_relative_path_means_the_same_file_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///sub/cohort.db", create=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with store.writing() as conn:
        insert_new(conn, variable, [variable_row()])
    reopened = open_store(store.url)
    assert n_rows(reopened, variable) == 1
    assert store.folder == tmp_path / "sub"
    store.close()
    reopened.close()


def test_a_store_in_memory_is_shared_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path / "home"))
    store = open_store("sqlite://", create=True)
    thread = threading.Thread(target=add_cohort, args=(store, 3))
    thread.start()
    thread.join()
    assert n_rows(store, subject) == 3
    assert store.folder == tmp_path / "home"
    assert not store.folder.exists()
    store.close()


NO_STORES = [
    ("cohort.db", "must look like"),
    ("postgresql://ann:se:cret@host:port/db", "must look like"),
    ("oracle://ann:secret@host/db", "no database that can hold a store"),
    ("sqlite+aiosqlite:///x.db", "no database that can hold a store"),
    ("sqlite:///file:x.db?mode=ro&uri=true", "must be a plain path"),
    ("sqlite:///{tmp}", "is a folder"),
    ("sqlite:///{tmp}/text.db", "file is not a database"),
    ("sqlite:///{tmp}/other.db", "belongs to another program"),
    ("postgresql://ann:secret@127.0.0.1:9/db?connect_timeout=2", "cannot be used"),
    ("postgresql://ann@127.0.0.1:9/db?password=secret", "cannot be used"),
]


@pytest.mark.parametrize(("url", "told"), NO_STORES)
@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_store_is_refused_in_one_line_without_the_password(
    tmp_path: Path, url: str, told: str, create: bool
) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE subject (name TEXT)")
    other.close()
    with pytest.raises(InputMistake, match=told) as caught:
        open_store(url.format(tmp=tmp_path), create=create)
    shown = "".join(traceback.format_exception(caught.value))
    assert "secret" not in shown.replace(url, "")
    assert "se:cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_nothing_is_there_is_no_store_and_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for path in (tmp_path / "absent" / "cohort.db", tmp_path / "empty.db"):
        with pytest.raises(InputMistake, match=r"there is no store at .*; run `lemof demo` or `lemof ingest` first"):
            open_store(f"sqlite:///{path}")
    assert not (tmp_path / "absent").exists()
    open_store(f"sqlite:///{tmp_path / 'empty.db'}", create=True).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputMistake, match="cannot be made"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'sub' / 'cohort.db'}", create=True)


def test_an_empty_server_database_is_no_store_until_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path))
    url = empty_postgresql()
    with pytest.raises(InputMistake, match="there is no store at"):
        open_store(url)
    open_store(url, create=True).close()
    store = open_store(url.replace("postgresql://", "postgres://"))
    assert store.folder == tmp_path
    assert store.engine.dialect.driver == "psycopg"
    store.close()


def test_a_store_of_another_version_is_refused_with_both_versions(make_store: MakeStore) -> None:
    store = make_store()
    for version, remedy in (("9999", "update lemof"), ("0001", "`lemof ingest` brings it up to date")):
        with store.writing() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        told = rf"schema version {version}, .* version {SCHEMA_VERSION}: {remedy}"
        with pytest.raises(StoreVersionMismatch, match=told):
            open_store(store.url)
    with store.writing() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreVersionMismatch, match="update lemof"):
        open_store(store.url, create=True)


def test_without_its_driver_postgresql_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputMistake, match="extra `postgres`"):
        open_store("postgresql://ann@host/db")


def test_a_store_shows_itself_without_its_password(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cohort.db'}"
    store = open_store(url, create=True)
    assert repr(store) == f"Store({url})"
    hidden = Store("postgresql+psycopg://ann:secret@host/db?password=secret", store.engine, store.folder)
    assert repr(hidden) == "Store(postgresql+psycopg://ann:***@host/db)"
    store.close()


def test_the_run_table_keeps_its_documents_sorted(make_store: MakeStore) -> None:
    store = make_store()
    with store.writing() as conn:
        insert_new(conn, run, [run_row(config={"b": 1, "a": [1.5, None]})])
        assert conn.execute(text("SELECT config FROM run")).scalar_one() == '{"a": [1.5, null], "b": 1}'

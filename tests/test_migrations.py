"""Migrations: their sum is the schema, they are all or nothing, and an older store keeps its rows on the way up."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, select, text
from store_support import MakeStore, empty_postgresql, make_sqlite, make_store

from cohort_db import migrations
from cohort_db.errors import StoreVersionMismatch
from cohort_db.migrations import SCHEMA_VERSION, SCHEMA_VERSIONS
from cohort_db.schema import METADATA, facet_count, subject
from cohort_db.store import insert_new, open_store

__all__ = ["make_sqlite", "make_store"]

KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def _empty(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'cohort.db'}" if kind == "sqlite" else empty_postgresql()


def _config(conn: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "cohort_db:migrations")
    config.attributes["connection"] = conn
    return config


def test_the_migrated_store_is_the_schema(make_store: MakeStore) -> None:
    with make_store().reading() as conn:
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []


def test_the_comparison_would_notice_a_difference(make_store: MakeStore) -> None:
    store = make_store()
    with store.writing() as conn:
        conn.execute(text("ALTER TABLE subject ADD COLUMN colour TEXT"))
        conn.execute(text("DROP INDEX ix_subject_dataset_id"))
    with store.reading() as conn:
        found = {change[0] for change in compare_metadata(MigrationContext.configure(conn), METADATA)}
    assert found == {"remove_column", "add_index"}


def test_sqlite_gets_the_very_tables_of_the_schema(make_sqlite: MakeStore) -> None:
    # Alembic compares neither WITHOUT ROWID nor the names of constraints.
    def tables(conn: Connection) -> dict[str, Any]:
        found = {}
        for _, name, _, n_columns, without_rowid, strict in conn.execute(text("PRAGMA main.table_list")):
            if name.startswith("sqlite_") or name == "alembic_version":
                continue
            columns = [(c.name, c.type, c.notnull, c.pk) for c in conn.execute(text(f"PRAGMA table_info({name})"))]
            keys = sorted(tuple(key[2:]) for key in conn.execute(text(f"PRAGMA foreign_key_list({name})")))
            indices = sorted(tuple(index[1:]) for index in conn.execute(text(f"PRAGMA index_list({name})")))
            parts = [conn.execute(text(f"PRAGMA index_info({index[0]})")).all() for index in indices]
            made_by = conn.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}
            ).scalar_one()
            named = sorted(re.findall(r"CONSTRAINT (\w+) (.*?\))(?:,|\n| REFERENCES)", made_by))
            found[name] = (n_columns, without_rowid, strict, columns, keys, indices, parts, named)
        return found

    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with make_sqlite().reading() as migrated, engine.connect() as made:
        theirs, ours = tables(migrated), tables(made)
        assert set(theirs) == set(ours) == set(METADATA.tables)
        for name in ours:
            assert theirs[name] == ours[name], name
    engine.dispose()


def test_postgresql_gets_the_names_of_the_schema_and_the_meaning_of_every_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated = open_store(_empty("postgresql", tmp_path, monkeypatch), create=True)
    made = open_store(empty_postgresql(), create=True)
    with made.writing() as conn:
        METADATA.drop_all(conn)
        METADATA.create_all(conn)
    names = text("SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2")
    with migrated.reading() as one, made.reading() as two:
        assert one.execute(names).all() == two.execute(names).all()
        for table in METADATA.sorted_tables:
            stored = {column["name"]: column["comment"] for column in inspect(one).get_columns(table.name)}
            assert stored == {column.name: column.comment for column in table.columns}
    migrated.close()
    made.close()


def test_the_versions_named_are_those_there_are() -> None:
    scripts = ScriptDirectory.from_config(_config())
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == SCHEMA_VERSIONS
    assert scripts.get_current_head() == SCHEMA_VERSION


def test_a_store_is_written_under_its_version(make_store: MakeStore) -> None:
    with make_store().reading() as conn:
        assert conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == SCHEMA_VERSION


@KINDS
def test_a_migration_that_fails_leaves_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = _empty(kind, tmp_path, monkeypatch)

    def fail(conn: Any) -> None:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_write_comments", fail)
        with pytest.raises(RuntimeError, match="on purpose"):
            open_store(url, create=True)
    store = open_store(url, create=True)
    with store.writing() as conn:
        assert (
            insert_new(
                conn, facet_count, [{"task": "los", "facet": "sex", "value": "F", "code": 0, "n": 1, "n_out": 0}]
            )
            == 1
        )
    store.close()


@KINDS
def test_two_programs_may_make_the_store_at_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = _empty(kind, tmp_path, monkeypatch)
    script = "import sys; from cohort_db.store import open_store; open_store(sys.argv[1], create=True).close()"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, url], cwd=Path(__file__).resolve().parents[1], stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    told = [program.communicate(timeout=60)[1].decode() for program in started]
    assert [program.returncode for program in started] == [0, 0, 0], told
    open_store(url).close()


def test_threads_may_make_a_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cohort.db'}"
    failures: list[BaseException] = []

    def make() -> None:
        try:
            open_store(url, create=True).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@KINDS
def test_an_older_store_keeps_its_rows_on_the_way_up(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _empty(kind, tmp_path, monkeypatch)
    open_store(url, create=True).close()
    old = open_store(url)
    with old.writing() as conn:  # what version 0001 was: no results yet
        for table in reversed(METADATA.sorted_tables):
            conn.execute(text(f"DROP TABLE {table.name}"))
        conn.execute(text("DELETE FROM alembic_version"))
        command.upgrade(_config(conn), "0001")
        conn.execute(
            text("INSERT INTO dataset (name, synthetic, surrogate_ecg, ehr_folder) VALUES ('d', '1', '0', '')")
        )
        rows = [{"subject_id": 7, "dataset_id": 1, "sex": "F", "anchor_age": 50, "anchor_year": 2150}]
        insert_new(conn, subject, rows)
    old.close()
    with pytest.raises(StoreVersionMismatch, match="schema version 0001"):
        open_store(url)
    store = open_store(url, create=True)
    with store.reading() as conn:
        assert conn.execute(select(subject.c.subject_id)).scalars().all() == [7]
        assert compare_metadata(MigrationContext.configure(conn), METADATA) == []
    store.close()


def test_the_migrations_are_found_from_any_folder(tmp_path: Path) -> None:
    script = "import sys; from cohort_db.store import open_store; open_store('sqlite:///sub/c.db', create=True).close()"
    package = Path(migrations.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(package)!r}); {script}"], cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0
    assert (tmp_path / "sub" / "c.db").is_file()
    versions = Path(migrations.__file__).parent / "versions"
    assert (versions / "__init__.py").is_file()  # without it an installed package would lack the folder

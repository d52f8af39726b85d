"""The store: what goes in comes out, what cannot be stored is refused, and a transaction is all or nothing."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import threading
import traceback
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from store_support import INTIME, MakeStore, add_cohort, empty_postgresql, make_sqlite, make_store, run_row

from cohort_db import store_url
from cohort_db.errors import InputMistake, StoreVersionMismatch
from cohort_db.schema import audit_event, facet_count, measurement, run, subject, variable
from cohort_db.store import Store, default_url, insert_frame, insert_new, open_store, replace_rows

__all__ = ["make_sqlite", "make_store"]

WHOLE = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# PostgreSQL has no character 0; surrogates are no text.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1))
DOCUMENTS = st.recursive(st.none() | st.booleans() | WHOLE | FINITE | WORDS, lambda inner: st.lists(inner, max_size=3))


def _variable(variable_id: int = 1, **changed: Any) -> dict[str, Any]:
    row = {"variable_id": variable_id, "name": f"v{variable_id}", "label": "x", "unit": "u", "kind": "series"}
    return row | {"panel": "p", "decimals": 1} | changed


def _event(event_id: int = 1, **changed: Any) -> dict[str, Any]:
    row = {"event_id": event_id, "at": INTIME, "actor": "a", "action": "view", "object": "o", "detail": None}
    return row | {"previous_sha256": "", "sha256": ""} | changed


def _n(store: Store, table: Any) -> int:
    with store.reading() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


# What goes in comes out


def test_rows_come_back_as_they_went_in(make_store: MakeStore) -> None:
    store = make_store()

    @settings(max_examples=60, deadline=None)
    @given(number=WHOLE, low=st.none() | FINITE, words=WORDS, at=MOMENTS, document=DOCUMENTS)
    def holds(number: int, low: float | None, words: str, at: datetime, document: Any) -> None:
        numbers = _variable(number, name="v", label=words, low=low)
        event = _event(number, at=at, actor=words, detail=document)
        with store.writing() as conn:
            insert_new(conn, variable, [numbers])
            insert_new(conn, audit_event, [event])
            stored = conn.execute(select(variable)).mappings().one()
            assert {key: stored[key] for key in numbers} == numbers
            assert dict(conn.execute(select(audit_event)).mappings().one()) == event
            conn.rollback()

    holds()


def test_a_frame_stores_what_rows_store(make_store: MakeStore) -> None:
    store = make_store()
    row = st.tuples(WHOLE, st.none() | FINITE, MOMENTS, WORDS)

    def stored(table: Any, insert: Any, given_rows: Any) -> set[str]:
        with store.writing() as conn:
            assert insert(conn, table, given_rows) == len(given_rows)
            held = {str(found) for found in conn.execute(select(table))}
            conn.rollback()
        return held

    @settings(max_examples=40, deadline=None)
    @given(rows=st.lists(row, min_size=1, max_size=8, unique_by=lambda row: row[0]))
    def holds(rows: list[tuple[int, float | None, datetime, str]]) -> None:
        numbers = [_variable(n, name=f"v{n}", low=low) for n, low, _, _ in rows]
        frame = pl.DataFrame(numbers, schema_overrides={"low": pl.Float64})
        assert stored(variable, insert_frame, frame) == stored(variable, insert_new, numbers)
        events = [_event(n, at=at, actor=actor) for n, _, at, actor in rows]
        frame = pl.DataFrame(events).drop("detail")
        assert stored(audit_event, insert_frame, frame) == stored(audit_event, insert_new, events)

    holds()


def test_many_rows_go_in_whole_and_those_already_there_stay_as_they_were(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 2)
    n = 1200  # enough for the COPY of PostgreSQL
    frame = pl.DataFrame({"stay_id": 1, "variable_id": 1, "offset_s": range(10, 10 + n), "itemid": 3, "value": 0.5})
    shuffled = frame.sample(fraction=1, shuffle=True, seed=0).with_columns(stored_offset_s=pl.lit(None))
    with store.writing() as conn:
        before = conn.execute(select(func.count()).select_from(measurement)).scalar_one()
        assert insert_frame(conn, measurement, shuffled) == n
    doubled = pl.concat([frame, frame.with_columns(offset_s=pl.col("offset_s") + n)]).with_columns(value=2.5)
    with store.writing() as conn:
        assert insert_frame(conn, measurement, doubled) == n
        assert insert_new(conn, measurement, doubled.to_dicts()) == 0
    with store.reading() as conn:
        values = dict(
            conn.execute(select(measurement.c.offset_s, measurement.c.value).where(measurement.c.itemid == 3)).all()
        )
        assert conn.execute(select(func.count()).select_from(measurement)).scalar_one() == before + 2 * n
    assert values == {offset: 0.5 if offset < 10 + n else 2.5 for offset in range(10, 10 + 2 * n)}


def test_values_of_numpy_and_pandas_become_plain_ones(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 1)
    given_row = {
        "subject_id": np.int64(9),
        "dataset_id": np.uint8(1),
        "sex": np.str_("F"),
        "anchor_age": np.int16(50),
        "anchor_year": 2150,
        "dod": date(2151, 2, 3),
    }
    event = _event(np.int32(5), at=pd.Timestamp("2150-01-02 03:04:05.678901"), detail={"p": 0.25})
    with store.writing() as conn:
        insert_new(conn, subject, [given_row])
        insert_new(conn, variable, [_variable(np.int64(3), low=np.float32(0.5), high=np.int64(7))])
        insert_new(conn, audit_event, [event])
    with store.reading() as conn:
        assert conn.execute(select(subject).where(subject.c.subject_id == 9)).one() == (
            9,
            1,
            "F",
            50,
            2150,
            date(2151, 2, 3),
        )
        assert conn.execute(select(variable.c.low, variable.c.high).where(variable.c.variable_id == 3)).one() == (
            0.5,
            7.0,
        )
        assert conn.execute(select(audit_event.c.at)).scalar_one() == datetime(2150, 1, 2, 3, 4, 5, 678901)
        if conn.dialect.name == "sqlite":
            kinds = "SELECT typeof(variable_id), typeof(low), typeof(high) FROM variable WHERE variable_id = 3"
            assert conn.execute(text(kinds)).one() == ("integer", "real", "real")


def test_utc_is_stored_without_its_zone(make_store: MakeStore) -> None:
    store = make_store()
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    frame = pl.DataFrame([_event(2, at=at)]).drop("detail")
    with store.writing() as conn:
        insert_new(conn, audit_event, [_event(1, at=at)])
        insert_frame(conn, audit_event, frame)
        assert set(conn.execute(select(audit_event.c.at)).scalars()) == {datetime(2026, 1, 2, 3, 4)}


def test_a_dataset_is_given_its_number(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 1)
    with store.writing() as conn:
        dataset = subject.metadata.tables["dataset"]
        row = {"synthetic": False, "surrogate_ecg": False, "ehr_folder": "/x"}
        if conn.dialect.name == "postgresql":  # add_cohort chose number 1 itself
            conn.execute(text("SELECT setval('dataset_dataset_id_seq', 1)"))
        assert insert_new(conn, dataset, [row | {"name": "a"}, row | {"name": "b"}]) == 2
        assert insert_new(conn, dataset, [row | {"name": "a"}]) == 0
        numbers = dict(conn.execute(select(dataset.c.name, dataset.c.dataset_id)).all())
    assert sorted(numbers) == ["a", "b", "made up"]
    assert len(set(numbers.values())) == 3


# What cannot be stored is refused, by name


BAD_ROWS = [
    (variable, _variable(low=math.nan), "variable.low"),
    (variable, _variable(low=-math.inf), "variable.low"),
    (variable, _variable(low=np.float32("nan")), "variable.low"),
    (variable, _variable(decimals=1.5), "variable.decimals"),
    (variable, _variable(decimals="1"), "variable.decimals"),
    (variable, _variable(decimals=None), "variable.decimals"),
    (variable, _variable(ref_source=math.nan), "variable.ref_source"),
    (variable, _variable(unit="u" * 21), "variable.unit"),
    (variable, {"variable_id": 1, "name": "v"}, "lack 'label'"),
    (variable, _variable(colour="red"), "no column 'colour'"),
    (audit_event, _event(at=datetime(2150, 1, 1, tzinfo=timezone(timedelta(hours=2)))), "audit_event.at"),
    (audit_event, _event(at=pd.NaT), "audit_event.at"),
    (audit_event, _event(at="2150-01-01"), "audit_event.at"),
    (audit_event, _event(detail={"p": math.nan}), "audit_event.detail"),
]


@pytest.mark.parametrize(("table", "row", "named"), BAD_ROWS)
def test_a_row_that_cannot_be_stored_is_refused_and_named(
    make_store: MakeStore, table: Any, row: dict[str, Any], named: str
) -> None:
    store = make_store()
    with pytest.raises(InputMistake, match=named), store.writing() as conn:
        insert_new(conn, table, [row])
    assert _n(store, table) == 0


BAD_FRAMES = [
    ("low", [1.0, math.nan], "variable.low must be finite"),
    ("low", [1.0, math.inf], "variable.low must be finite"),
    ("low", ["1", "2"], "variable.low needs number"),
    ("decimals", [1.0, 2.0], "variable.decimals needs whole-number"),
    ("decimals", [1, None], "variable.decimals must not be absent, however: 1 of 2"),
    ("decimals", pl.Series([1, 2**63], dtype=pl.UInt64), "variable.decimals cannot hold"),
    ("unit", ["u", "u" * 21], "variable.unit holds at most 20 characters"),
    ("unit", [1, 2], "variable.unit needs text"),
    ("colour", ["red", "blue"], "no column 'colour'"),
]


@pytest.mark.parametrize(("column", "values", "named"), BAD_FRAMES)
def test_a_frame_that_cannot_be_stored_is_refused_and_named(
    make_store: MakeStore, column: str, values: Any, named: str
) -> None:
    store = make_store()
    frame = pl.DataFrame([_variable(1), _variable(2)]).with_columns(pl.Series(column, values))
    with pytest.raises(InputMistake, match=named), store.writing() as conn:
        insert_frame(conn, variable, frame)
    assert _n(store, variable) == 0


def test_a_frame_with_documents_is_sent_to_the_other_function(make_store: MakeStore) -> None:
    refused = pytest.raises(InputMistake, match=r"audit_event\.detail needs rows given to insert_new")
    with refused, make_store().writing() as conn:
        insert_frame(conn, audit_event, pl.DataFrame([_event(detail="text")]))


def test_no_rows_are_no_rows(make_store: MakeStore) -> None:
    store = make_store()
    with store.writing() as conn:
        assert insert_new(conn, variable, []) == 0
        assert insert_frame(conn, variable, pl.DataFrame([_variable()]).clear()) == 0


@pytest.mark.parametrize("n", [1, 600])
def test_a_row_of_an_unknown_patient_is_refused(make_store: MakeStore, n: int) -> None:
    store = make_store()
    add_cohort(store, 2)
    before = _n(store, measurement)
    strange = pl.DataFrame({"stay_id": 77, "variable_id": 1, "offset_s": range(n), "itemid": 3, "value": 0.5})
    with pytest.raises(IntegrityError), store.writing() as conn:
        insert_frame(conn, measurement, strange)
    with pytest.raises(IntegrityError), store.writing() as conn:
        insert_new(conn, measurement, strange.to_dicts())
    assert _n(store, measurement) == before


# Replacing


def test_replacing_leaves_other_rows_alone(make_store: MakeStore) -> None:
    store = make_store()
    counted = [{"task": "los", "facet": facet, "value": value, "n": 1} for facet in ("sex", "unit") for value in "ab"]
    new = [{"task": "los", "facet": "sex", "value": "c", "n": np.int64(5)}]
    with store.writing() as conn:
        insert_new(conn, facet_count, counted)
        assert replace_rows(conn, facet_count, {"task": "los", "facet": "sex"}, new) == 1
        assert sorted(conn.execute(select(facet_count.c.facet, facet_count.c.value, facet_count.c.n)).all()) == [
            ("sex", "c", 5),
            ("unit", "a", 1),
            ("unit", "b", 1),
        ]
        assert replace_rows(conn, facet_count, {"task": "los", "facet": "sex"}, []) == 0
    assert _n(store, facet_count) == 2


def test_replacing_must_say_what_and_must_not_hit_other_rows(make_store: MakeStore) -> None:
    store = make_store()
    counted = [{"task": "los", "facet": facet, "value": "a", "n": 1} for facet in ("sex", "unit")]
    with store.writing() as conn:
        insert_new(conn, facet_count, counted)
    for where, rows, told in (
        ({}, [], "columns to choose them by"),
        ({"colour": 1}, [], "no column"),
        ({"facet": "sex"}, [counted[1]], "a row outside"),
        ({"facet": "sex"}, [counted[0], counted[0]], "given twice"),
    ):
        with pytest.raises(InputMistake, match=told), store.writing() as conn:
            replace_rows(conn, facet_count, where, rows)
    assert _n(store, facet_count) == 2


# Transactions


def test_what_fails_half_way_is_undone(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(RuntimeError, match="on purpose"), store.writing() as conn:
        insert_new(conn, variable, [_variable()])
        raise RuntimeError("on purpose")
    assert _n(store, variable) == 0
    with store.writing() as conn:
        insert_new(conn, variable, [_variable()])
    assert _n(store, variable) == 1


def test_a_reader_cannot_write(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(DBAPIError), store.reading() as conn:
        insert_new(conn, variable, [_variable()])
    with store.writing() as conn:  # and the connection is a writer's again
        insert_new(conn, variable, [_variable()])
    assert _n(store, variable) == 1


def test_a_reader_sees_one_moment(make_store: MakeStore) -> None:
    store = make_store()
    count = select(func.count()).select_from(variable)
    with store.reading() as conn:
        assert conn.execute(count).scalar_one() == 0
        with store.writing() as writer:
            insert_new(writer, variable, [_variable()])
        assert conn.execute(count).scalar_one() == 0
    assert _n(store, variable) == 1


def test_two_writers_both_succeed(make_store: MakeStore) -> None:
    store = make_store()
    other = open_store(store.url)
    failures: list[BaseException] = []

    def write(own: Store, facet: str) -> None:
        try:
            for value in range(30):
                with own.writing() as conn:
                    held = conn.execute(select(func.count()).select_from(facet_count)).scalar_one()
                    insert_new(conn, facet_count, [{"task": "los", "facet": facet, "value": str(value), "n": held}])
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
    assert _n(store, facet_count) == 90
    if store.engine.dialect.name == "sqlite":  # one writer at a time: each saw all that was written before it
        with store.reading() as conn:
            assert sorted(conn.execute(select(facet_count.c.n)).scalars()) == list(range(90))


def test_a_writer_that_waits_too_long_says_so(make_sqlite: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_url, "BUSY_TIMEOUT_S", 0.02)
    store = make_sqlite()
    with store.writing() as conn:
        with pytest.raises(InputMistake, match="another program keeps writing"), store.writing():
            pytest.fail("two writers at a time")
        insert_new(conn, variable, [_variable()])
    with store.writing() as conn:
        insert_new(conn, variable, [_variable(2)])
    assert _n(store, variable) == 2


def test_a_program_killed_while_writing_leaves_the_store_as_it_was(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 2)
    before = _n(store, measurement)
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
    assert _n(store, measurement) == before
    with store.writing() as conn:
        conn.execute(text("DELETE FROM measurement"))
    assert _n(store, measurement) == 0


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
        insert_new(conn, variable, [_variable()])
    store.close()
    for again in (open_store(url, create=True), open_store(url)):
        assert _n(again, variable) == 1
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
        insert_new(conn, variable, [_variable()])
    reopened = open_store(store.url)
    assert _n(reopened, variable) == 1
    assert store.folder == tmp_path / "sub"
    store.close()
    reopened.close()


def test_a_store_in_memory_is_shared_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path / "home"))
    store = open_store("sqlite://", create=True)
    thread = threading.Thread(target=add_cohort, args=(store, 3))
    thread.start()
    thread.join()
    assert _n(store, subject) == 3
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
        with pytest.raises(StoreVersionMismatch, match=rf"schema version {version}, .* version 0002: {remedy}"):
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

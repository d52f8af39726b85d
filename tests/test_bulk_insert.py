"""Rows and frames into tables: what goes in comes out, and what cannot be stored is refused by name."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from store_support import MakeStore, add_cohort, event_row, make_sqlite, make_store, n_rows, variable_row

from cohort_db.errors import InputMistake
from cohort_db.schema import audit_event, facet_count, measurement, subject, variable
from cohort_db.store import insert_frame, insert_new, replace_rows

__all__ = ["make_sqlite", "make_store"]

WHOLE = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# PostgreSQL has no character 0; surrogates are no text.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1))
DOCUMENTS = st.recursive(st.none() | st.booleans() | WHOLE | FINITE | WORDS, lambda inner: st.lists(inner, max_size=3))


# What goes in comes out


def test_rows_come_back_as_they_went_in(make_store: MakeStore) -> None:
    store = make_store()

    @settings(max_examples=60, deadline=None)
    @given(number=WHOLE, low=st.none() | FINITE, words=WORDS, at=MOMENTS, document=DOCUMENTS)
    def holds(number: int, low: float | None, words: str, at: datetime, document: Any) -> None:
        numbers = variable_row(number, name="v", label=words, low=low)
        event = event_row(number, at=at, actor=words, detail=document)
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
        numbers = [variable_row(n, name=f"v{n}", low=low) for n, low, _, _ in rows]
        frame = pl.DataFrame(numbers, schema_overrides={"low": pl.Float64})
        assert stored(variable, insert_frame, frame) == stored(variable, insert_new, numbers)
        events = [event_row(n, at=at, actor=actor) for n, _, at, actor in rows]
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
    event = event_row(np.int32(5), at=pd.Timestamp("2150-01-02 03:04:05.678901"), detail={"p": 0.25})
    with store.writing() as conn:
        insert_new(conn, subject, [given_row])
        insert_new(conn, variable, [variable_row(np.int64(3), low=np.float32(0.5), high=np.int64(7))])
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
    frame = pl.DataFrame([event_row(2, at=at)]).drop("detail")
    with store.writing() as conn:
        insert_new(conn, audit_event, [event_row(1, at=at)])
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
    (variable, variable_row(low=math.nan), "variable.low"),
    (variable, variable_row(low=-math.inf), "variable.low"),
    (variable, variable_row(low=np.float32("nan")), "variable.low"),
    (variable, variable_row(decimals=1.5), "variable.decimals"),
    (variable, variable_row(decimals="1"), "variable.decimals"),
    (variable, variable_row(decimals=None), "variable.decimals"),
    (variable, variable_row(ref_source=math.nan), "variable.ref_source"),
    (variable, variable_row(unit="u" * 21), "variable.unit"),
    (variable, {"variable_id": 1, "name": "v"}, "lack 'label'"),
    (variable, variable_row(colour="red"), "no column 'colour'"),
    (audit_event, event_row(at=datetime(2150, 1, 1, tzinfo=timezone(timedelta(hours=2)))), "audit_event.at"),
    (audit_event, event_row(at=pd.NaT), "audit_event.at"),
    (audit_event, event_row(at="2150-01-01"), "audit_event.at"),
    (audit_event, event_row(detail={"p": math.nan}), "audit_event.detail"),
]


@pytest.mark.parametrize(("table", "row", "named"), BAD_ROWS)
def test_a_row_that_cannot_be_stored_is_refused_and_named(
    make_sqlite: MakeStore, table: Any, row: dict[str, Any], named: str
) -> None:
    store = make_sqlite()
    with pytest.raises(InputMistake, match=named), store.writing() as conn:
        insert_new(conn, table, [row])
    assert n_rows(store, table) == 0


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
    make_sqlite: MakeStore, column: str, values: Any, named: str
) -> None:
    store = make_sqlite()
    frame = pl.DataFrame([variable_row(1), variable_row(2)]).with_columns(pl.Series(column, values))
    with pytest.raises(InputMistake, match=named), store.writing() as conn:
        insert_frame(conn, variable, frame)
    assert n_rows(store, variable) == 0


def test_a_frame_with_documents_is_sent_to_the_other_function(make_store: MakeStore) -> None:
    refused = pytest.raises(InputMistake, match=r"audit_event\.detail needs rows given to insert_new")
    with refused, make_store().writing() as conn:
        insert_frame(conn, audit_event, pl.DataFrame([event_row(detail="text")]))


def test_no_rows_are_no_rows(make_store: MakeStore) -> None:
    store = make_store()
    with store.writing() as conn:
        assert insert_new(conn, variable, []) == 0
        assert insert_frame(conn, variable, pl.DataFrame([variable_row()]).clear()) == 0


@pytest.mark.parametrize("n", [1, 600])
def test_a_row_of_an_unknown_patient_is_refused(make_store: MakeStore, n: int) -> None:
    store = make_store()
    add_cohort(store, 2)
    before = n_rows(store, measurement)
    strange = pl.DataFrame({"stay_id": 77, "variable_id": 1, "offset_s": range(n), "itemid": 3, "value": 0.5})
    with pytest.raises(IntegrityError), store.writing() as conn:
        insert_frame(conn, measurement, strange)
    with pytest.raises(IntegrityError), store.writing() as conn:
        insert_new(conn, measurement, strange.to_dicts())
    assert n_rows(store, measurement) == before


# Replacing


def counted_row(facet: str, value: str) -> dict[str, Any]:
    return {"task": "los", "facet": facet, "value": value, "code": 0, "n": 1, "n_out": 0}


def test_replacing_leaves_other_rows_alone(make_store: MakeStore) -> None:
    store = make_store()
    counted = [
        {"task": "los", "facet": facet, "value": value, "code": 0, "n": 1, "n_out": 0}
        for facet in ("sex", "unit")
        for value in "ab"
    ]
    new = [{"task": "los", "facet": "sex", "value": "c", "code": 0, "n": np.int64(5), "n_out": 0}]
    with store.writing() as conn:
        insert_new(conn, facet_count, counted)
        assert replace_rows(conn, facet_count, {"task": "los", "facet": "sex"}, new) == 1
        assert sorted(conn.execute(select(facet_count.c.facet, facet_count.c.value, facet_count.c.n)).all()) == [
            ("sex", "c", 5),
            ("unit", "a", 1),
            ("unit", "b", 1),
        ]
        assert replace_rows(conn, facet_count, {"task": "los", "facet": "sex"}, []) == 0
    assert n_rows(store, facet_count) == 2


def test_replacing_must_say_what_and_must_not_hit_other_rows(make_store: MakeStore) -> None:
    store = make_store()
    counted = [
        {"task": "los", "facet": facet, "value": "a", "code": 0, "n": 1, "n_out": 0} for facet in ("sex", "unit")
    ]
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
    assert n_rows(store, facet_count) == 2

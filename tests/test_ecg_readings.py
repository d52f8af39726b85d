"""Readings of ECG intervals by hand in; what is kept, what counts, what is refused, on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select
from store_support import MakeStore, make_sqlite, make_store

from cohort_db.ecg_readings import (
    READABLE,
    add_reading,
    reading_history,
    standing_readings,
    withdraw_reading,
)
from cohort_db.errors import InputMistake
from cohort_db.schema import dataset, ecg_reading, ecg_record, subject
from cohort_db.store import Store

__all__ = ["make_sqlite", "make_store"]
STUDIES = (41, 42)


def with_ecgs(store: Store) -> Store:
    """The store holds two ECGs of one patient."""
    known = {"dataset_id": 1, "name": "d", "synthetic": True, "surrogate_ecg": False, "ehr_folder": "e"}
    with store.writing() as conn:
        conn.execute(insert(dataset), [known])
        person = {"subject_id": 7, "dataset_id": 1, "sex": "F", "anchor_age": 60, "anchor_year": 2150}
        conn.execute(insert(subject), [person])
        for study_id in STUDIES:
            row = {"study_id": study_id, "subject_id": 7, "dataset_id": 1, "ecg_time": datetime(2150, 1, 1),
                   "path": "p", "surrogate": False, "readable": True}  # fmt: skip
            conn.execute(insert(ecg_record), [row])
    return store


def values(store: Store, study_id: int = 41) -> dict[str, float | None]:
    return {name: row.value for name, row in standing_readings(store, study_id).items()}


def test_the_newest_reading_counts_and_all_of_them_are_kept(make_store: MakeStore) -> None:
    store = with_ecgs(make_store())
    for value in (98.0, 120.0, None):
        add_reading(store, 41, "qrs_ms", value, "  A.   Reader ")
    add_reading(store, 41, "pr_ms", 160.0, "B")
    assert values(store) == {"qrs_ms": None, "pr_ms": 160.0}
    history = reading_history(store, 41)
    assert [(row.name, row.value, row.reader) for row in history] == [
        ("qrs_ms", 98.0, "A. Reader"), ("qrs_ms", 120.0, "A. Reader"), ("qrs_ms", None, "A. Reader"),
        ("pr_ms", 160.0, "B"),
    ]  # fmt: skip
    assert all(earlier.created_at < later.created_at for earlier, later in itertools.pairwise(history))
    assert values(store, 42) == {} and reading_history(store, 42) == []


def test_a_withdrawn_reading_counts_no_more_and_stays_in_the_history(make_store: MakeStore) -> None:
    store = with_ecgs(make_store())
    add_reading(store, 41, "qrs_ms", 120.0, "A")
    withdraw_reading(store, 41, "qrs_ms", "B")
    assert values(store) == {}
    assert [(row.value, row.withdrawn, row.reader) for row in reading_history(store, 41)] == [
        (120.0, False, "A"),
        (None, True, "B"),
    ]
    with pytest.raises(InputMistake, match="no reading of QRS stands"):
        withdraw_reading(store, 41, "qrs_ms", "B")
    add_reading(store, 41, "qrs_ms", 124.0, "A")
    assert values(store) == {"qrs_ms": 124.0}


@pytest.mark.parametrize("name", list(READABLE))
def test_a_value_outside_its_limits_is_refused_with_the_limits(make_sqlite: MakeStore, name: str) -> None:
    store, known = with_ecgs(make_sqlite()), READABLE[name]
    for value in (known.low - 1, known.high + 1, float("nan"), float("inf")):
        with pytest.raises(InputMistake, match=f"{known.label} must lie within {known.low:g} to {known.high:g}"):
            add_reading(store, 41, name, value, "A")
    for value in (known.low, known.high):
        add_reading(store, 41, name, value, "A")
    assert len(reading_history(store, 41)) == 2


def test_what_is_no_reading_is_refused_and_leaves_nothing(make_sqlite: MakeStore) -> None:
    store = with_ecgs(make_sqlite())
    for arguments, told in (
        ((41, "qtcf_ms", 400.0, "A"), "must be one of heart_rate_bpm, pr_ms"),
        ((41, "qrs_ms", 120.0, "  "), "its reader's name"),
        ((41, "qrs_ms", 120.0, "x" * 121), "its reader's name"),
        ((99, "qrs_ms", 120.0, "A"), "no ECG 99"),
    ):
        with pytest.raises(InputMistake, match=told):
            add_reading(store, *arguments)
    assert reading_history(store, 41) == []


def test_a_qrs_as_long_as_the_qt_read_beside_it_is_refused(make_sqlite: MakeStore) -> None:
    store = with_ecgs(make_sqlite())
    add_reading(store, 41, "qt_ms", 200.0, "A")
    with pytest.raises(InputMistake, match=r"QRS \(200 ms\) is a part of QT \(200 ms\)"):
        add_reading(store, 41, "qrs_ms", 200.0, "A")
    add_reading(store, 42, "qrs_ms", 200.0, "A")  # another ECG
    add_reading(store, 41, "qt_ms", None, "A")
    add_reading(store, 41, "qrs_ms", 200.0, "A")
    with pytest.raises(InputMistake, match="part of QT"):
        add_reading(store, 41, "qt_ms", 180.0, "A")


def test_a_clock_set_back_does_not_make_an_old_reading_count(make_sqlite: MakeStore) -> None:
    store = with_ecgs(make_sqlite())
    add_reading(store, 41, "qrs_ms", 98.0, "A")
    ahead = datetime.now().replace(microsecond=0) + timedelta(days=400)
    row = {"reading_id": "f", "study_id": 41, "name": "qrs_ms", "value": 110.0, "withdrawn": False, "reader": "A"}
    with store.writing() as conn:
        conn.execute(insert(ecg_reading), [row | {"created_at": ahead}])
    add_reading(store, 41, "qrs_ms", 120.0, "A")
    assert values(store) == {"qrs_ms": 120.0}


def test_a_reading_waits_for_another_writer(make_sqlite: MakeStore) -> None:
    store = with_ecgs(make_sqlite())
    other = sqlite3.connect(store.engine.url.database or "", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    release.start()
    add_reading(store, 41, "qrs_ms", 120.0, "A")
    release.join()
    other.close()
    assert values(store) == {"qrs_ms": 120.0}
    with store.reading() as conn:
        assert conn.execute(select(func.count()).select_from(ecg_reading)).scalar() == 1

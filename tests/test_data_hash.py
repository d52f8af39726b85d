"""What identifies data is the same on both databases: the hash, who is in the cohort, and an export of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from store_support import MakeStore, add_cohort, add_scored_run, make_store

from cohort_db import read, schema
from cohort_db.data_hash import data_hash, hash_of_run
from cohort_db.errors import InputMistake
from cohort_db.export import export_tables
from cohort_db.read_people import people
from cohort_db.store import Store, insert_new

__all__ = ["make_store"]


@pytest.fixture
def scored(make_store: MakeStore) -> Store:
    """Samples los-1..3, of them 1 and 3 with label 0 and 1; all have p = 0.5."""
    store = make_store()
    add_cohort(store)
    with store.writing() as conn:
        task = {"task": "los", "t0_hours": 24.0, "cut_hours": 72.0, "rules": {"min_age": 18}}
        insert_new(conn, schema.task, [task])
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    return store


def test_the_hash_is_that_of_the_rows_whatever_the_database(scored: Store) -> None:
    definition = read.task_definition(scored)
    rows = [("los-1", 0, 0.5), ("los-2", 1, 0.5), ("los-3", 1, 0.5)]
    assert hash_of_run(scored, "run-a") == data_hash(definition, rows)
    assert hash_of_run(scored, "run-a", "test") == data_hash(definition, rows[1:2])
    with scored.reading() as conn:
        assert hash_of_run(scored, "run-a", conn=conn) == data_hash(definition, rows)
    with scored.writing() as conn:
        conn.execute(schema.sample.update().where(schema.sample.c.sample_id == "los-1").values(label=None))
    assert hash_of_run(scored, "run-a") == data_hash(definition, [("los-1", None, 0.5), *rows[1:]])
    with pytest.raises(InputMistake, match="holds no run nobody"):
        hash_of_run(scored, "nobody")


def test_people_are_counted_by_age_and_sex(scored: Store) -> None:
    found = people(scored)
    # Ages 51 to 53, odd ones men with an ECG, of which the one of stay 3 is not usable.
    assert found.to_numpy().tolist() == [[51, "M", 1, 1], [52, "F", 1, 0], [53, "M", 1, 0]]


def test_an_export_holds_the_same_rows(scored: Store, tmp_path: Path) -> None:
    manifest = export_tables(scored, "run-a", tmp_path / "out", audit=True)
    rows = {one["table"]: one["rows"] for one in manifest["files"]}
    assert (rows["prediction"], rows["level_score"], rows["branch_value"], rows["input_effect"]) == (3, 6, 12, 3)
    assert (rows["sample"], rows["disease_group"], rows["sample_audit"]) == (3, 3, 3)
    samples = pq.read_table(tmp_path / "out" / "sample.parquet").to_pylist()
    assert {row["sample_id"]: (row["label"], row["sex"], row["study_id"]) for row in samples} == {
        "los-1": (0, "M", 1001),
        "los-2": (1, "F", None),
        "los-3": (1, "M", 1003),
    }
    audited = pq.read_table(tmp_path / "out" / "sample_audit.parquet").to_pylist()
    assert {row["race_group"] for row in audited} == {"unknown"}

"""In: a built cohort. Out: the tables sample, attrition, exclusion and split hold it.

Samples under stored predictions or reviews never change: a number that names a run must keep its meaning.
"""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection, delete, select

from cohort_db.cohort import Cohort
from cohort_db.errors import InputMistake
from cohort_db.polars_query import polars_of
from cohort_db.schema import METADATA, attrition, exclusion, sample, split
from cohort_db.splits import assign_parts
from cohort_db.store import insert_frame, replace_rows

_IDS_PER_STATEMENT = 500


def store_cohort(conn: Connection, cohort: Cohort, *, task: str, seed: int, test_patients: set[int] | None) -> None:
    """The task's samples and counts are those of `cohort`; patients without a part have one, the others keep theirs.

    Raises: InputMistake where a sample would change or go that predictions or reviews refer to.
    """
    stored = polars_of(conn, select(sample).where(sample.c.task == task)).select(cohort.samples.columns)
    outdated = _rows_only_in(stored, cohort.samples)["sample_id"].to_list()
    _refuse_referenced(conn, outdated, task)
    for ids in _portions(outdated):
        conn.execute(delete(sample).where(sample.c.sample_id.in_(ids)))
    insert_frame(conn, sample, _rows_only_in(cohort.samples, stored))
    replace_rows(conn, attrition, {"task": task}, cohort.attrition.to_dicts())
    replace_rows(conn, exclusion, {"task": task}, cohort.exclusions.to_dicts())
    parts = polars_of(conn, select(split.c.subject_id, split.c.split).where(split.c.task == task))
    labels = cohort.samples.select("subject_id", "label")
    new = assign_parts(labels, seed=seed, known=parts, test_patients=test_patients)
    insert_frame(conn, split, new.select(pl.lit(task).alias("task"), "subject_id", "split"))


def _refuse_referenced(conn: Connection, sample_ids: list[str], task: str) -> None:
    """Raise InputMistake where any table refers to one of the samples."""
    referring = [
        key.parent for table in METADATA.sorted_tables for key in table.foreign_keys if key.column.table is sample
    ]
    for ids in _portions(sample_ids):
        for column in referring:
            found = conn.execute(select(column).where(column.in_(ids)).limit(1)).scalar()
            if found is not None:
                raise InputMistake(
                    f"{len(sample_ids)} samples of task {task} would change, but stored predictions or reviews refer "
                    f"to them ({found}): ingest with the rules and folders used before, or into a new store (--db)"
                )


def _rows_only_in(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return frame.join(other, on=frame.columns, how="anti", nulls_equal=True)


def _portions(ids: list[str]) -> list[list[str]]:
    """The ids, as many at a time as fit into one statement."""
    return [ids[start : start + _IDS_PER_STATEMENT] for start in range(0, len(ids), _IDS_PER_STATEMENT)]

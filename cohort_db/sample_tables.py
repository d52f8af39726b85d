"""In: a built cohort. Out: the tables task, sample, attrition, exclusion and split hold it.

Samples under stored predictions or reviews never change: a number that names a run must keep its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, delete, or_, select

from cohort_db.cohort import Cohort, CohortRules
from cohort_db.errors import InputMistake
from cohort_db.ingest_rows import delete_of, portions
from cohort_db.polars_query import polars_of
from cohort_db.schema import METADATA, attrition, exclusion, run, sample, split
from cohort_db.schema import task as task_table
from cohort_db.splits import assign_parts, misplaced
from cohort_db.store import insert_frame, replace_rows

# Predictions with all that explains them, and reviews: every table that has a sample in its rows.
_REFERRING = [
    key.parent for table in METADATA.sorted_tables for key in table.foreign_keys if key.column.table is sample
]


def is_referred_to() -> ColumnElement[bool]:
    """The condition that stored predictions or reviews refer to a row of `sample`."""
    return or_(*(sample.c.sample_id.in_(select(column)) for column in _REFERRING))


def refuse_cohort(conn: Connection, cohort: Cohort, *, task: str, given: Mapping[int, str] | None) -> None:
    """Raise InputMistake where storing the cohort would change what results refer to.

    That is a sample that would change or go while predictions or reviews refer to it, and a patient whom splits.csv
    moves into or out of test after a run was fitted.
    """
    _refuse_referenced(conn, _outdated(_stored_samples(conn, cohort, task), cohort), task)
    moved = misplaced(_stored_parts(conn, task), given)
    runs = conn.execute(select(run.c.run_id).where(run.c.task == task).limit(1)).scalar()
    if moved and runs is not None:
        raise InputMistake(
            f"splits.csv moves {len(moved)} patients into or out of test (e.g. subject {moved[0]}), but runs were "
            f"fitted with the parts before ({runs}): ingest into a new store (--db)"
        )


def store_cohort(
    conn: Connection, cohort: Cohort, *, rules: CohortRules, seed: int, given: Mapping[int, str] | None
) -> None:
    """The task's samples and counts are those of `cohort`; patients without a part have one.

    The others keep theirs, but those whom splits.csv puts elsewhere.

    Args:
        given: as `splits.read_given_parts` returns it.
    Raises: InputMistake as `refuse_cohort` does.
    """
    task = rules.task
    refuse_cohort(conn, cohort, task=task, given=given)
    stored = _stored_samples(conn, cohort, task)
    delete_of(conn, sample, "sample_id", _outdated(stored, cohort))
    insert_frame(conn, sample, _rows_only_in(cohort.samples, stored))
    known = {"task": task, "t0_hours": rules.t0_hours, "cut_hours": rules.cut_days * 24, "rules": asdict(rules)}
    replace_rows(conn, task_table, {"task": task}, [known])
    replace_rows(conn, attrition, {"task": task}, cohort.attrition.to_dicts())
    replace_rows(conn, exclusion, {"task": task}, cohort.exclusions.to_dicts())
    for ids in portions(misplaced(_stored_parts(conn, task), given)):
        conn.execute(delete(split).where(split.c.task == task, split.c.subject_id.in_(ids)))
    labels = cohort.samples.select("subject_id", "label")
    new = assign_parts(labels, seed=seed, known=_stored_parts(conn, task), given=given)
    insert_frame(conn, split, new.select(pl.lit(task).alias("task"), "subject_id", "split"))


def _stored_samples(conn: Connection, cohort: Cohort, task: str) -> pl.DataFrame:
    return polars_of(conn, select(sample).where(sample.c.task == task)).select(cohort.samples.columns)


def _stored_parts(conn: Connection, task: str) -> pl.DataFrame:
    return polars_of(conn, select(split.c.subject_id, split.c.split).where(split.c.task == task))


def _outdated(stored: pl.DataFrame, cohort: Cohort) -> list[Any]:
    """The stored samples that are not, or not so, in the cohort."""
    return _rows_only_in(stored, cohort.samples)["sample_id"].to_list()


def _refuse_referenced(conn: Connection, sample_ids: list[str], task: str) -> None:
    """Raise InputMistake where any table refers to one of the samples."""
    for ids in portions(sample_ids):
        query = select(sample.c.sample_id).where(sample.c.sample_id.in_(ids), is_referred_to()).limit(1)
        found = conn.execute(query).scalar()
        if found is not None:
            raise InputMistake(
                f"{len(sample_ids)} samples of task {task} would change, but stored predictions or reviews refer "
                f"to them ({found}): ingest with the rules and folders used before, or into a new store (--db)"
            )


def _rows_only_in(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return frame.join(other, on=frame.columns, how="anti", nulls_equal=True)

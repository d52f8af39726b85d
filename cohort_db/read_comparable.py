"""A store in, what one patient is held against out: how stays of a unit and age ended, levels of the same disease, what
inputs do to everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sqlalchemy import Integer, cast, func, select

from cohort_db.arrays import ArrayStore
from cohort_db.frames import frame_of
from cohort_db.schema import branch_value, diagnosis, prediction, sample
from cohort_db.schema import stay as stay_table
from cohort_db.store import Store


def outcome_counts(store: Store, task: str = "los") -> pd.DataFrame:
    """How the task's samples with a known outcome ended: first_careunit, decade (60 for 60 to 69), n, events (label 1),
    deaths (in the ICU before the cut).

    One query over the whole cohort, so that a page asks it once a revision and not once a patient.
    """
    decade = cast(stay_table.c.age_years - stay_table.c.age_years % 10, Integer).label("decade")
    dead = func.sum(cast(sample.c.died_before_cut, Integer))
    query = (
        select(
            stay_table.c.first_careunit,
            decade,
            func.count().label("n"),
            func.sum(sample.c.label).label("events"),
            dead.label("deaths"),
        )
        .join(stay_table, stay_table.c.stay_id == sample.c.stay_id)
        .where(sample.c.task == task, sample.c.label.is_not(None))
        .group_by(stay_table.c.first_careunit, decade)
        .order_by(stay_table.c.first_careunit, decade)
    )
    with store.reading() as conn:
        return frame_of(conn, query).astype({"decade": int, "n": int, "events": int, "deaths": int})


def ports_of_disease(
    store: Store, run_id: str, group: str, *, path: str, exclude_subject: int, most: int = 256
) -> pd.DataFrame:
    """The inner predictions (log-odds) of stays coded with a disease group that no network of the run learnt on.

    Indexed by sample_id, one column a port; of at most `most` stays, the first by sample_id. Diagnoses are coded at
    discharge: a comparison made today, unknown at t0. Without the patient's own stays.
    """
    chosen = (
        select(prediction.c.sample_id)
        .join(sample, sample.c.sample_id == prediction.c.sample_id)
        .join(stay_table, stay_table.c.stay_id == sample.c.stay_id)
        .join(diagnosis, diagnosis.c.hadm_id == stay_table.c.hadm_id)
        .where(
            prediction.c.run_id == run_id,
            prediction.c.path == path,
            prediction.c.split.in_(("cal", "test")),
            diagnosis.c.disease_group == group,
            sample.c.subject_id != exclude_subject,
        )
        .distinct()
        .order_by(prediction.c.sample_id)
        .limit(most)
        .subquery()
    )
    query = (
        select(branch_value.c.sample_id, branch_value.c.port, branch_value.c.logit)
        .join(chosen, chosen.c.sample_id == branch_value.c.sample_id)
        .where(branch_value.c.run_id == run_id)
    )
    with store.reading() as conn:
        found = frame_of(conn, query)
    return found.pivot(index="sample_id", columns="port", values="logit")


def usual_attribution(store: Store, run_id: str, path: str, *, most: int = 2000) -> tuple[np.ndarray, int]:
    """Return the mean `feature_attribution` (V + S,), log-odds, of the run's predictions on a path, and their number.

    Of more than `most`, as many spread evenly over the array. Raises: InputMistake where the run has no attributions.
    """
    query = (
        select(prediction.c.array_row)
        .where(prediction.c.run_id == run_id, prediction.c.path == path, prediction.c.array_row.is_not(None))
        .order_by(prediction.c.array_row)
    )
    with store.reading() as conn:
        rows = np.array(conn.execute(query).scalars().all(), dtype=np.int64)
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]
    found = ArrayStore(store, run_id).read("feature_attribution", rows)
    return (found.astype(np.float64).mean(0) if len(rows) else np.zeros(found.shape[1:])), len(rows)

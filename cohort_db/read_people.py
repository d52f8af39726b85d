"""A store and a task in; how many people of which age and sex are in the cohort out, counted in the database."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import case, func, select

from cohort_db.frames import frame_of
from cohort_db.schema import ecg_record, sample, stay, subject
from cohort_db.schema.column_types import Whole
from cohort_db.store import Store


def people(store: Store, task: str = "los") -> pd.DataFrame:
    """One row per age and sex: age_years, sex, n (samples), with_ecg (those whose linked ECG is usable)."""
    joined = (
        sample.join(stay, stay.c.stay_id == sample.c.stay_id)
        .join(subject, subject.c.subject_id == sample.c.subject_id)
        .outerjoin(ecg_record, ecg_record.c.study_id == sample.c.study_id)
    )
    usable = func.sum(case((ecg_record.c.usable.is_(True), 1), else_=0), type_=Whole())
    counted = func.count(sample.c.sample_id, type_=Whole())
    query = (
        select(stay.c.age_years, subject.c.sex, counted.label("n"), usable.label("with_ecg"))
        .select_from(joined)
        .where(sample.c.task == task)
        .group_by(stay.c.age_years, subject.c.sex)
        .order_by(stay.c.age_years, subject.c.sex)
    )
    with store.reading() as conn:
        return frame_of(conn, query)

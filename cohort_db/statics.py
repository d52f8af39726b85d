"""A store in, what is known of each patient at ICU admission out: the static variables of variables.csv.

Barred fields (race, language, insurance, marital status, discharge, diagnoses) are not even selected here.
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import select

from cohort_db.frames import frame_of
from cohort_db.schema import admission, measurement, sample, stay, subject, variable
from cohort_db.store import Store


def statics(store: Store, task: str = "los", *, stay_id: int | None = None) -> pd.DataFrame:
    """One row per sample, indexed by sample_id in its order, one column per static variable in catalogue order; NaN
    where unknown.

    sex is 1 for women; emergency is 1 for emergency and urgent admissions; hours_to_icu runs from hospital admission
    to ICU admission; unit_* describe the first care unit; charted statics (height) are the first value known at t0.
    `stay_id` asks for the samples of one stay alone.
    """
    people, charted, names = _read(store, task, stay_id)
    unit = people["first_careunit"].str.lower()
    found = pd.DataFrame(
        {
            "age": people["age_years"].astype("float64"),
            "sex": (people["sex"] == "F").astype("float64"),
            "emergency": people["admission_type"].str.upper().str.contains("EMER|URGENT").astype("float64"),
            "hours_to_icu": (people["intime"] - people["admittime"]).dt.total_seconds() / 3600,
            "unit_cardiac": unit.str.contains("coronary|cardiac").astype("float64"),
            # "Neuro Surgical" is neuro, "Medical/Surgical" is mixed: neither is a surgical unit here.
            "unit_surgical": (unit.str.contains("surgical|trauma") & ~unit.str.contains("neuro|medical/")).astype(
                "float64"
            ),
            "unit_neuro": unit.str.contains("neuro").astype("float64"),
        }
    )
    first = charted.drop_duplicates(["stay_id", "name"]).pivot(index="stay_id", columns="name", values="value")
    for name in names:
        if name not in found:
            known = first[name] if name in first else pd.Series(dtype="float64")
            found[name] = people["stay_id"].map(known).astype("float64")
    return found[names].set_axis(people["sample_id"], axis=0)


def _read(store: Store, task: str, stay_id: int | None) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Admission facts per sample, charted statics known at t0 by time, and the names of all statics."""
    query = (
        select(
            sample.c.sample_id,
            sample.c.stay_id,
            sample.c.t0_offset_s,
            stay.c.age_years,
            subject.c.sex,
            admission.c.admission_type,
            admission.c.admittime,
            stay.c.intime,
            stay.c.first_careunit,
        )
        .select_from(sample)
        .join(stay, stay.c.stay_id == sample.c.stay_id)
        .join(subject, subject.c.subject_id == sample.c.subject_id)
        .join(admission, admission.c.hadm_id == stay.c.hadm_id)
        .where(sample.c.task == task)
        .order_by(sample.c.sample_id)
    )
    charted_query = (
        select(measurement.c.stay_id, variable.c.name, measurement.c.offset_s, measurement.c.value)
        .join(variable, variable.c.variable_id == measurement.c.variable_id)
        .join(sample, sample.c.stay_id == measurement.c.stay_id)
        .where(
            variable.c.kind == "static",
            sample.c.task == task,
            measurement.c.offset_s <= sample.c.t0_offset_s,
            (measurement.c.stored_offset_s.is_(None)) | (measurement.c.stored_offset_s <= sample.c.t0_offset_s),
        )
        .order_by(measurement.c.stay_id, measurement.c.offset_s, measurement.c.itemid)
    )
    if stay_id is not None:
        query = query.where(sample.c.stay_id == stay_id)
        charted_query = charted_query.where(sample.c.stay_id == stay_id)
    with store.reading() as conn:
        people = frame_of(conn, query)
        charted = frame_of(conn, charted_query)
        names = list(
            conn.execute(
                select(variable.c.name).where(variable.c.kind == "static").order_by(variable.c.variable_id)
            ).scalars()
        )
    return people, charted, names

"""What may be asked of the cohort: a store and a task in, DataFrames and dicts out (dtypes: see `frames`).

Nothing here returns connections or rows of SQLAlchemy. An unknown id of one thing raises; a list of nothing is empty.
What one patient's course holds is asked of `read_course`, whose functions are given here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Select, and_, false, func, select

from cohort_db.errors import InputMistake
from cohort_db.frames import frame_of
from cohort_db.read_course import (
    UnknownEcg,
    UnknownId,
    diagnoses,
    ecg_measurements,
    ecg_record,
    ecgs,
    intervals,
    measurements,
)
from cohort_db.schema import (
    admission,
    dataset,
    diagnosis,
    exclusion,
    sample,
    split,
    subject,
    variable,
)
from cohort_db.schema import (
    attrition as attrition_table,
)
from cohort_db.schema import (
    ecg_record as ecg_table,
)
from cohort_db.schema import (
    stay as stay_table,
)
from cohort_db.schema import task as task_table
from cohort_db.store import Store
from cohort_db.variables import CRITICAL, catalogue

__all__ = [
    "UnknownEcg",
    "UnknownId",
    "UnknownStay",
    "attrition",
    "datasets",
    "diagnoses",
    "disease_groups",
    "ecg_measurements",
    "ecg_record",
    "ecgs",
    "exclusions",
    "intervals",
    "measurements",
    "samples",
    "stay",
    "stay_in_task",
    "stays",
    "task_definition",
    "variables",
]


class UnknownStay(UnknownId):
    """The store holds no ICU stay of that number."""


def datasets(store: Store) -> pd.DataFrame:
    """One row per ingested dataset: dataset_id, name, synthetic, surrogate_ecg, ehr_folder, ecg_folder, description."""
    with store.reading() as conn:
        return frame_of(conn, select(dataset).order_by(dataset.c.dataset_id))


def variables(store: Store) -> pd.DataFrame:
    """One row per variable in the order of variables.csv: variable_id, name, label, unit, kind, panel, low, high,
    ref_low, ref_high, ref_low_f, ref_high_f, ref_source, decimals, crit_low, crit_high, crit_source.

    A store that was ingested before there were critical limits gets this program's: they judge, they change no row.
    """
    with store.reading() as conn:
        found = frame_of(conn, select(variable).order_by(variable.c.variable_id))
    if found["crit_source"].isna().all():
        known = {(one.name, one.unit): one for one in catalogue()}
        own = [known.get(key) for key in zip(found["name"], found["unit"], strict=True)]
        for column in CRITICAL:
            limits = [getattr(one, column, None) for one in own]
            found[column] = pd.Series(limits, found.index, dtype=found[column].dtype)
    return found


def task_definition(store: Store, task: str = "los") -> dict[str, Any]:
    """What the task's samples predict: task, t0_hours, cut_hours, rules. Raises: InputMistake for an unknown task."""
    with store.reading() as conn:
        row = conn.execute(select(task_table).where(task_table.c.task == task)).mappings().first()
        known = conn.execute(select(task_table.c.task).order_by(task_table.c.task)).scalars().all()
    if row is None:
        what = f"known: {', '.join(known)}" if known else "run `lemof ingest` first"
        raise InputMistake(f"the store holds no cohort of task {task!r}: {what}")
    return dict(row)


def samples(store: Store, task: str = "los") -> pd.DataFrame:
    """One row per sample of the task, by sample_id.

    Columns: sample_id, subject_id, hadm_id, stay_id, t0, t0_offset_s, label (Int64), outcome_hours, died_before_cut,
    split (None before the split is made), study_id (Int64), ecg_offset_s (Int64), ecg_usable (boolean; NA without
    ECG or before it is prepared), ecg_array_row (Int64), age_years, sex, first_careunit, admission_type,
    admission_location, intime, los_hours, surrogate (the linked ECG is another person's; False without ECG), synthetic,
    dataset_id (whose arrays hold the 100 Hz copy; the patient's where there is no ECG).
    """
    query = _people(task, outer=False).where(sample.c.task == task).order_by(sample.c.sample_id)
    with store.reading() as conn:
        return frame_of(conn, query, optional=_OF_SPLIT_OR_ECG)


def stays(store: Store, task: str = "los", *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Every ICU stay, by stay_id, also those outside the cohort; a stay with several samples has a row for each.

    Columns: those of `samples` (from sample_id to ecg_array_row absent where the stay has no sample; split is the
    patient's), then rule (the attrition rule that left the stay out, else None) and in_cohort (bool).

    Args:
        columns: these alone, which at 100,000 stays saves most of the time.
    """
    query = _stays(task).order_by(stay_table.c.stay_id, sample.c.sample_id)
    if columns is not None:
        query = query.with_only_columns(*(query.selected_columns[name] for name in columns))
    with store.reading() as conn:
        return frame_of(conn, query, optional=_OF_SPLIT_OR_ECG | _OF_SAMPLE | {"rule"})


def stay_in_task(store: Store, stay_id: int, task: str = "los") -> dict[str, Any]:
    """One row of `stays` as a dict, read by index; of a stay with several samples, the first. Raises: UnknownStay."""
    query = _stays(task).where(stay_table.c.stay_id == stay_id).order_by(sample.c.sample_id).limit(1)
    with store.reading() as conn:
        row = conn.execute(query).mappings().first()
    if row is None:
        raise UnknownStay(f"the store holds no ICU stay {stay_id}")
    return dict(row)


def stay(store: Store, stay_id: int) -> dict[str, Any]:
    """All facts of one stay: the columns of stay, subject, admission and dataset, with dataset.name as dataset.

    Race, insurance, language, marital status, discharge and death are among them: for audits, never for a model.
    Raises: UnknownStay.
    """
    query = (
        select(
            stay_table,
            *(column for column in subject.c if column.name != "subject_id"),
            *(column for column in admission.c if column.name not in ("hadm_id", "subject_id")),
            dataset.c.name.label("dataset"),
            dataset.c.synthetic,
            dataset.c.surrogate_ecg,
        )
        .select_from(_stay_with_facts())
        .where(stay_table.c.stay_id == stay_id)
    )
    with store.reading() as conn:
        row = conn.execute(query).mappings().first()
    if row is None:
        raise UnknownStay(f"the store holds no ICU stay {stay_id}")
    return dict(row)


def disease_groups(store: Store, task: str = "los") -> pd.DataFrame:
    """The disease groups of each sample's admission: sample_id, disease_group; no row for a sample without one.

    Coded at discharge, so unknown at t0: they stratify reports and never enter a model.
    """
    query = (
        select(sample.c.sample_id, diagnosis.c.disease_group)
        .select_from(sample)
        .join(stay_table, stay_table.c.stay_id == sample.c.stay_id)
        .join(diagnosis, diagnosis.c.hadm_id == stay_table.c.hadm_id)
        .where(sample.c.task == task, diagnosis.c.disease_group.is_not(None))
        .distinct()
        .order_by(sample.c.sample_id, diagnosis.c.disease_group)
    )
    with store.reading() as conn:
        return frame_of(conn, query)


def attrition(store: Store, task: str = "los") -> pd.DataFrame:
    """How many stays each rule left out, in order: step, rule, label, n_before, n_left_out, n_after."""
    return _of_task(store, attrition_table, task, "step")


def exclusions(store: Store, task: str = "los") -> pd.DataFrame:
    """The stays left out and the first rule that did it, by stay: stay_id, rule."""
    return _of_task(store, exclusion, task, "stay_id")


_OF_SPLIT_OR_ECG = frozenset({"split", "ecg_usable", "ecg_array_row"})
_OF_SAMPLE = frozenset({"sample_id", "t0", "t0_offset_s", "label", "outcome_hours", "died_before_cut"})


def _of_task(store: Store, table: Any, task: str, order: str) -> pd.DataFrame:
    """The task's rows of a table, without the task."""
    kept = [column for column in table.c if column.name != "task"]
    with store.reading() as conn:
        return frame_of(conn, select(*kept).where(table.c.task == task).order_by(table.c[order]))


def _stay_with_facts() -> Any:
    """Stays joined with what each of them has: subject, dataset, admission."""
    return (
        stay_table.join(subject, subject.c.subject_id == stay_table.c.subject_id)
        .join(dataset, dataset.c.dataset_id == subject.c.dataset_id)
        .join(admission, admission.c.hadm_id == stay_table.c.hadm_id)
    )


def _stays(task: str) -> Select[Any]:
    """The columns of `stays`, in no order."""
    left_out = and_(exclusion.c.task == task, exclusion.c.stay_id == stay_table.c.stay_id)
    found = _people(task, outer=True).outerjoin(exclusion, left_out)
    return found.add_columns(exclusion.c.rule, sample.c.sample_id.is_not(None).label("in_cohort"))


def _people(task: str, *, outer: bool) -> Select[Any]:
    """The columns of `samples`, over samples or (outer) over all stays."""
    sampled = and_(sample.c.stay_id == stay_table.c.stay_id, sample.c.task == task)
    parted = and_(split.c.task == task, split.c.subject_id == stay_table.c.subject_id)
    return (
        select(
            sample.c.sample_id,
            stay_table.c.subject_id,
            stay_table.c.hadm_id,
            stay_table.c.stay_id,
            sample.c.t0,
            sample.c.t0_offset_s,
            sample.c.label,
            sample.c.outcome_hours,
            sample.c.died_before_cut,
            split.c.split,
            sample.c.study_id,
            sample.c.ecg_offset_s,
            ecg_table.c.usable.label("ecg_usable"),
            ecg_table.c.array_row.label("ecg_array_row"),
            stay_table.c.age_years,
            subject.c.sex,
            stay_table.c.first_careunit,
            admission.c.admission_type,
            admission.c.admission_location,
            stay_table.c.intime,
            stay_table.c.los_hours,
            func.coalesce(ecg_table.c.surrogate, false()).label("surrogate"),
            dataset.c.synthetic,
            # An ECG may have come with another dataset than its patient.
            func.coalesce(ecg_table.c.dataset_id, subject.c.dataset_id).label("dataset_id"),
        )
        .select_from(_stay_with_facts())
        .join(sample, sampled, isouter=outer)
        .outerjoin(split, parted)
        .outerjoin(ecg_table, ecg_table.c.study_id == sample.c.study_id)
    )

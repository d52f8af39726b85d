"""In: what an ingest would write. Out: nothing, or one sentence why it may not.

Predictions and reviews keep what they were made of: a patient with a scored or reviewed sample stays as he is, row by
row, and so does the ECG that such a sample is linked to. Equal rows are no change, whatever became of the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, Select, select

from cohort_db.cohort import Cohort, CohortRules, apply_rules, link_ecgs
from cohort_db.ecg_records import EcgChanges, Row
from cohort_db.errors import InputMistake
from cohort_db.ingest_patients import Patients
from cohort_db.ingest_rows import Difference, SourceRows
from cohort_db.polars_query import polars_of
from cohort_db.sample_tables import is_referred_to
from cohort_db.schema import admission, diagnosis, ecg_record, sample, stay, subject

_REMEDY = "give the files that were ingested before, or ingest into a new store (--db)"


@dataclass(frozen=True)
class Scored:
    """Ids of a dataset that results rest on: subjects with all their admissions and stays, and linked ECGs."""

    subjects: set[int]
    admissions: set[int]
    stays: set[int]
    studies: set[int]


def scored_in(conn: Connection, dataset_id: int | None) -> Scored:
    """Return what results rest on; all empty where the store does not know the dataset."""
    ours = select(subject.c.subject_id).where(subject.c.dataset_id == dataset_id)
    referred = (sample.c.subject_id.in_(ours), is_referred_to())
    subjects = select(sample.c.subject_id).where(*referred)

    def ids(query: Select[Any]) -> set[int]:
        return set(conn.execute(query).scalars())

    return Scored(
        subjects=ids(subjects),
        admissions=ids(select(admission.c.hadm_id).where(admission.c.subject_id.in_(subjects))),
        stays=ids(select(stay.c.stay_id).where(stay.c.subject_id.in_(subjects))),
        studies=ids(select(sample.c.study_id).where(*referred, sample.c.study_id.is_not(None))),
    )


def refuse_patients(scored: Scored, differences: list[Difference]) -> None:
    """Raise InputMistake where rows of a scored patient would be added, changed or removed.

    Args:
        differences: as `ingest_patients.patient_differences` returns them.
    """
    for one in differences:
        ids = scored.admissions if one.table is diagnosis else scored.subjects
        name = "hadm_id" if one.table is diagnosis else "subject_id"
        found = one.first_of(name, ids)
        if found is not None:
            raise InputMistake(
                f"the folder has another {one.table.name} row of {name} {found} now, but stored predictions or "
                f"reviews refer to that patient: {_REMEDY}"
            )


def refuse_source(conn: Connection, scored: Scored, source: str, rows: SourceRows) -> None:
    """Raise InputMistake where rows of a scored patient's stays would be added, changed or removed."""
    for number in rows.slices if scored.stays else []:
        found = rows.difference_in(conn, number, scored.stays).first_of("stay_id", scored.stays)
        if found is not None:
            raise InputMistake(
                f"{source} has other rows of stay {found} now, but stored predictions or reviews refer to that "
                f"patient: {_REMEDY}"
            )


def refuse_ecgs(scored: Scored, changes: EcgChanges) -> None:
    """Raise InputMistake where an ECG that a scored sample is linked to would be another one, or go."""
    found = changes.concerns(scored.studies)
    if found is not None:
        raise InputMistake(
            f"ECG {found} has another content or time in this folder, but stored predictions or reviews refer to a "
            f"sample with that ECG: {_REMEDY}"
        )


def planned_cohort(
    conn: Connection, dataset_id: int | None, patients: Patients, ecgs: list[Row] | None, rules: CohortRules
) -> Cohort:
    """Return the cohort as `cohort.build` will give it once the folder is stored.

    Args:
        ecgs: as `ecg_records.describe_records` returns them; None where those in the store stay.
    """
    ours = select(subject.c.subject_id).where(subject.c.dataset_id == dataset_id)
    others = {
        table: polars_of(conn, select(table).where(table.c.subject_id.not_in(ours))) for table in (admission, stay)
    }
    kept = select(ecg_record.c.study_id, ecg_record.c.subject_id, ecg_record.c.ecg_time).where(ecg_record.c.readable)
    records = polars_of(conn, kept if ecgs is None else kept.where(ecg_record.c.dataset_id != (dataset_id or 0)))
    if ecgs is None:
        here = pl.concat([others[stay].select("subject_id"), patients.stay.select("subject_id")])
        records = records.join(here, on="subject_id", how="semi")
    else:
        readable = [tuple(row[name] for name in records.columns) for row in ecgs if row["readable"]]
        records = pl.concat([records, pl.DataFrame(readable, schema=records.schema, orient="row")])
    of_admission = ("hadm_id", "subject_id", "admittime", "dischtime")
    admissions = [frame.select(of_admission) for frame in (others[admission], patients.admission)]
    stays = pl.concat([others[stay], patients.stay.select(others[stay].columns)])
    return apply_rules(link_ecgs(stays, pl.concat(admissions), records, rules), rules)

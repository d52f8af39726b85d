"""In: a folder's checked patients, admissions, stays and diagnoses. Out: their tables hold them, and nobody else.

What is no longer in the folder leaves the store with all that belongs to it, except where predictions or reviews refer
to it: those are refused before this module is asked to write.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from sqlalchemy import Connection, select

from cohort_db import mimic_iv
from cohort_db.ecg_records import remove_records
from cohort_db.ingest_rows import Difference, delete_of, difference, portions
from cohort_db.mimic_staging import SourceCount
from cohort_db.polars_query import polars_of
from cohort_db.schema import (
    admission,
    diagnosis,
    ecg_record,
    event_interval,
    exclusion,
    measurement,
    sample,
    split,
    stay,
    subject,
)


@dataclass(frozen=True)
class Patients:
    """Patients with at least one ICU stay, as rows of their tables; `subject` without dataset_id."""

    subject: pl.DataFrame
    admission: pl.DataFrame
    stay: pl.DataFrame
    diagnosis: pl.DataFrame

    def __len__(self) -> int:
        """Number of rows of all four."""
        return sum(len(frame) for frame in (self.subject, self.admission, self.stay, self.diagnosis))


def read_patients(mimic: mimic_iv.MimicFolder) -> tuple[Patients, list[SourceCount]]:
    """Return the small tables, checked, without patients who were never in an ICU, and what became of their rows."""
    subjects = mimic_iv.subjects(mimic)
    admissions = mimic_iv.admissions(mimic)
    stays = mimic_iv.stays(mimic, subjects, admissions)
    kept = [frame.join(stays, on="subject_id", how="semi") for frame in (subjects, admissions)]
    counts = []
    for name, frame, of_icu in zip(("patients", "admissions"), (subjects, admissions), kept, strict=True):
        counts.append(SourceCount(name, read=len(frame), kept=len(of_icu)))
        counts[-1].drop("patient without an ICU stay", len(frame) - len(of_icu))
    counts.append(SourceCount("icustays", read=len(stays), kept=len(stays)))
    return Patients(kept[0], kept[1], stays, mimic_iv.diagnoses(mimic, kept[1])), counts


def patient_differences(conn: Connection, patients: Patients, dataset_id: int | None) -> list[Difference]:
    """Return what the folder changes of subjects, admissions, stays and diagnoses, in this order.

    Args:
        dataset_id: None where the store does not know the dataset yet.
    """
    ours = select(subject.c.subject_id).where(subject.c.dataset_id == dataset_id)
    our_admissions = select(admission.c.hadm_id).where(admission.c.subject_id.in_(ours))
    stored = {
        subject: select(subject).where(subject.c.subject_id.in_(ours)),
        admission: select(admission).where(admission.c.subject_id.in_(ours)),
        stay: select(stay).where(stay.c.subject_id.in_(ours)),
        diagnosis: select(diagnosis).where(diagnosis.c.hadm_id.in_(our_admissions)),
    }
    wanted = {
        subject: patients.subject.with_columns(pl.lit(dataset_id, dtype=pl.Int64).alias("dataset_id")),
        admission: patients.admission,
        stay: patients.stay,
        diagnosis: patients.diagnosis,
    }
    return [difference(table, polars_of(conn, query), wanted[table]) for table, query in stored.items()]


def store_patients(conn: Connection, differences: list[Difference]) -> dict[str, int]:
    """The four tables are as the folder has them; returns how many rows are new, by table."""
    added = {one.table.name: one.write(conn) for one in differences}
    subjects, admissions, stays, diagnoses = differences
    stay_ids, subject_ids = stays.gone["stay_id"].to_list(), subjects.gone["subject_id"].to_list()
    for table in (sample, exclusion, measurement, event_interval):
        delete_of(conn, table, "stay_id", stay_ids)
    for one in (diagnoses, stays, admissions):
        one.remove(conn)
    remove_records(conn, _ecgs_of(conn, subject_ids))
    delete_of(conn, split, "subject_id", subject_ids)
    subjects.remove(conn)
    return added


def _ecgs_of(conn: Connection, subject_ids: list[int]) -> list[int]:
    found: list[int] = []
    for ids in portions(subject_ids):
        found += conn.execute(select(ecg_record.c.study_id).where(ecg_record.c.subject_id.in_(ids))).scalars()
    return found

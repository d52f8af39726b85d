"""What must hold before an ingest writes: the folder describes itself, and the store does not hold somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from cohort_db.errors import InputMistake
from cohort_db.ingest_patients import Patients
from cohort_db.polars_query import polars_of
from cohort_db.schema import admission, dataset, ecg_record, stay, subject, variable
from cohort_db.variables import variable_rows

DESCRIPTION_FILE = "dataset.json"
_REMEDY = "ingest this folder into a new store (--db)"


def read_description(folder: Path) -> dict[str, Any]:
    """Return dataset.json, or nothing where the folder has none."""
    file = folder / DESCRIPTION_FILE
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputMistake(f"{DESCRIPTION_FILE} cannot be read: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("synthetic", False), bool):
        raise InputMistake(f"{DESCRIPTION_FILE} must be a JSON object whose `synthetic` is true or false")
    if found.get("complete", True) is not True:
        raise InputMistake(f"{DESCRIPTION_FILE} says that {folder} is not complete: finish writing it first")
    return found


def refuse_other_dataset(conn: Connection, name: str, description: dict[str, Any], subjects: pl.DataFrame) -> None:
    """Raise InputMistake where the store has another dataset of that name; the same one may lie anywhere."""
    found = conn.execute(select(dataset).where(dataset.c.name == name)).mappings().first()
    if found is None:
        return
    remedy = f"name one of them otherwise in {DESCRIPTION_FILE}, or ingest this folder into a new store (--db)"
    there = found["description"] or {}
    for key in sorted(there.keys() | description.keys()):
        if there.get(key) != description.get(key):
            raise InputMistake(
                f"the store has another dataset named {name!r} ({key}: {there.get(key)} there, "
                f"{description.get(key)} here): {remedy}"
            )
    query = select(subject.c.subject_id).where(subject.c.dataset_id == found["dataset_id"])
    stored = set(conn.execute(query).scalars())
    if stored and stored.isdisjoint(subjects["subject_id"].to_list()):
        raise InputMistake(f"the store has another dataset named {name!r}, without one patient in common: {remedy}")


def refuse_other_patients(conn: Connection, patients: Patients, records: pl.DataFrame | None, name: str) -> None:
    """Raise InputMistake where the store holds the folder's ids for others, or from a dataset not named so.

    An id is a subject's, an admission's, a stay's or an ECG study's; an id that means another one would otherwise be
    taken for a row that is there already.

    Args:
        records: subject_id, study_id of the listed ECGs; None without an ECG folder.
        name: of the dataset.
    """
    people = select(subject, dataset.c.name.label("stored_in"))
    people = people.join_from(subject, dataset, dataset.c.dataset_id == subject.c.dataset_id)
    ours = patients.subject.with_columns(pl.lit(name).alias("stored_in"))
    both = ours.join(polars_of(conn, people), on="subject_id", suffix="_stored")
    for row in both.filter(pl.col("stored_in_stored") != name).head(1).to_dicts():
        raise InputMistake(
            f"subject {row['subject_id']} is in the store already, from {row['stored_in_stored']}: {_REMEDY}"
        )
    _refuse_others(both, "subject_id", ["sex", "anchor_age", "anchor_year"], "subject {} is somebody else")
    admissions = select(admission.c.hadm_id, admission.c.subject_id, admission.c.admittime)
    both = patients.admission.join(polars_of(conn, admissions), on="hadm_id", suffix="_stored")
    _refuse_others(both, "hadm_id", ["subject_id", "admittime"], "admission {} is another admission")
    stays = select(stay.c.stay_id, stay.c.subject_id, stay.c.intime)
    both = patients.stay.join(polars_of(conn, stays), on="stay_id", suffix="_stored")
    _refuse_others(both, "stay_id", ["subject_id", "intime"], "stay {} is another stay")
    if records is not None:
        ecgs = select(ecg_record.c.study_id, ecg_record.c.subject_id, dataset.c.name.label("stored_in"))
        ecgs = ecgs.join_from(ecg_record, dataset, dataset.c.dataset_id == ecg_record.c.dataset_id)
        ours = records.with_columns(pl.lit(name).alias("stored_in"))
        both = ours.join(polars_of(conn, ecgs), on="study_id", suffix="_stored")
        _refuse_others(both, "study_id", ["subject_id", "stored_in"], "ECG study {} is another one")


def _refuse_others(both: pl.DataFrame, key: str, facts: list[str], sentence: str) -> None:
    """Raise InputMistake where the facts of one id, here and in the store (`_stored`), differ."""
    same = pl.all_horizontal(pl.col(fact) == pl.col(f"{fact}_stored") for fact in facts)
    for row in both.filter(~same).head(1).to_dicts():
        raise InputMistake(f"{sentence.format(row[key])} in the store: {_REMEDY}")


def refuse_other_variables(conn: Connection) -> None:
    """Raise InputMistake where stored values belong to another list of variables."""
    stored = {row.variable_id: (row.name, row.unit) for row in conn.execute(select(variable))}
    for known in variable_rows():
        found = stored.pop(known["variable_id"], (known["name"], known["unit"]))
        if found != (known["name"], known["unit"]):
            raise InputMistake(
                f"variable {known['variable_id']} is {found[0]} ({found[1]}) in the store and {known['name']} "
                f"({known['unit']}) in this program: ingest into a new store (--db)"
            )
    if stored:
        raise InputMistake(f"the store has variables unknown to this program ({stored}): update lemof")

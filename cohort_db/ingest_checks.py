"""What must hold before an ingest writes: the folder describes itself, and the store does not hold somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from cohort_db.errors import InputMistake
from cohort_db.polars_query import polars_of
from cohort_db.schema import dataset, stay, subject, variable
from cohort_db.variables import variable_rows

DESCRIPTION_FILE = "dataset.json"


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


def refuse_other_patients(conn: Connection, subjects: pl.DataFrame, stays: pl.DataFrame, name: str) -> None:
    """Raise InputMistake where the store holds the folder's ids for other patients, or from a dataset not named so."""
    remedy = "ingest this folder into a new store (--db)"
    stored_in = dataset.c.name.label("stored_in")
    query = select(subject, stored_in).join_from(subject, dataset, dataset.c.dataset_id == subject.c.dataset_id)
    stored = polars_of(conn, query)
    both = subjects.join(stored, on="subject_id", suffix="_stored")
    for row in both.filter(pl.col("stored_in") != name).head(1).to_dicts():
        raise InputMistake(f"subject {row['subject_id']} is in the store already, from {row['stored_in']}: {remedy}")
    facts = ("sex", "anchor_age", "anchor_year")
    same = pl.all_horizontal(pl.col(fact) == pl.col(f"{fact}_stored") for fact in facts)
    for row in both.filter(~same).head(1).to_dicts():
        raise InputMistake(f"subject {row['subject_id']} is somebody else in the store: {remedy}")
    stored_stays = polars_of(conn, select(stay.c.stay_id, stay.c.subject_id, stay.c.intime))
    moved = stays.join(stored_stays, on="stay_id", suffix="_stored").filter(
        (pl.col("intime") != pl.col("intime_stored")) | (pl.col("subject_id") != pl.col("subject_id_stored"))
    )
    for row in moved.head(1).to_dicts():
        raise InputMistake(f"stay {row['stay_id']} is another stay in the store: {remedy}")


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

"""A run in; its tables out one by one, as a query with the words of every column: what an export is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlalchemy import Boolean, Column, Date, Select, String, Table, select
from sqlalchemy.types import TypeEngine

from cohort_db.race_groups import race_group_sql
from cohort_db.schema import (
    admission,
    branch_value,
    calibration,
    conformal,
    diagnosis,
    input_effect,
    level_choice,
    level_score,
    metric,
    prediction,
    sample,
    stage_weight,
    stay,
    subject,
    trust,
)
from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Whole

OF_RUN = (
    prediction,
    level_score,
    branch_value,
    input_effect,
    trust,
    metric,
    calibration,
    conformal,
    level_choice,
    stage_weight,
)
_ARROW: list[tuple[type[TypeEngine[Any]], pa.DataType]] = [
    (Whole, pa.int64()),
    (FiniteFloat, pa.float64()),
    (Moment, pa.timestamp("us")),
    (Boolean, pa.bool_()),
    (Date, pa.date32()),
]
_RACE = "one of six groups of the many wordings of hosp/admissions.race; audit stratum, barred from models"


@dataclass(frozen=True)
class TableQuery:
    """A table as it is exported.

    schema: the Arrow schema, each field with its `description`; json: names of columns that hold documents.
    """

    name: str
    query: Select[Any]
    schema: pa.Schema
    json: frozenset[str] = field(default_factory=frozenset)


def tables_of(run_id: str, *, audit: bool = False) -> list[TableQuery]:
    """The tables of a run, less run_id, then facts of the samples it has scored: sample, disease_group.

    Args:
        audit: a table sample_audit too: race group, insurance, language. They never entered a model.
    """
    found = [_of_run(table, run_id) for table in OF_RUN]
    found += [_samples(run_id), _diseases(run_id)]
    return [*found, _audited(run_id)] if audit else found


def described(name: str, kind: pa.DataType, description: str, *, nullable: bool) -> pa.Field:
    """An Arrow field that carries its words."""
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _of_run(table: Table, run_id: str) -> TableQuery:
    columns = [column for column in table.c if column.name != "run_id"]
    query = select(*columns).where(table.c.run_id == run_id).order_by(*table.primary_key.columns)
    return _with_schema(table.name, query, columns)


def _samples(run_id: str) -> TableQuery:
    """Who was predicted for, by what is known at t0, and what came of it."""
    columns = [
        *sample.c,
        stay.c.age_years,
        subject.c.sex,
        stay.c.first_careunit,
        admission.c.admission_type,
        stay.c.los_hours,
    ]
    return _with_schema("sample", _of_scored(run_id, *columns).order_by(sample.c.sample_id), columns)


def _diseases(run_id: str) -> TableQuery:
    columns = [sample.c.sample_id, diagnosis.c.disease_group]
    query = _of_scored(run_id, *columns).where(diagnosis.c.disease_group.is_not(None)).distinct().order_by(*columns)
    words = "one of the ten groups; coded at discharge, unknown at t0, barred from models"
    return _with_schema("disease_group", query, columns, {"disease_group": words})


def _audited(run_id: str) -> TableQuery:
    race = Column("race_group", String(10), comment=_RACE)
    columns = [sample.c.sample_id, race, admission.c.insurance, admission.c.language]
    shown = (race_group_sql(admission.c.race).label("race_group") if column is race else column for column in columns)
    return _with_schema("sample_audit", _of_scored(run_id, *shown).order_by(sample.c.sample_id), columns)


def _of_scored(run_id: str, *columns: Any) -> Select[Any]:
    """The columns of the samples that the run has scored."""
    joined = (
        sample.join(prediction, prediction.c.sample_id == sample.c.sample_id)
        .join(stay, stay.c.stay_id == sample.c.stay_id)
        .join(subject, subject.c.subject_id == stay.c.subject_id)
        .join(admission, admission.c.hadm_id == stay.c.hadm_id)
    )
    if any(getattr(column, "table", None) is diagnosis for column in columns):
        joined = joined.join(diagnosis, diagnosis.c.hadm_id == stay.c.hadm_id)
    return select(*columns).select_from(joined).where(prediction.c.run_id == run_id)


def _with_schema(
    name: str, query: Select[Any], columns: list[Column[Any]], words: dict[str, str] | None = None
) -> TableQuery:
    fields = [
        described(
            column.name,
            next((arrow for kind, arrow in _ARROW if isinstance(column.type, kind)), pa.string()),
            (words or {}).get(column.name, str(column.comment)) + (" (JSON)" if isinstance(column.type, Json) else ""),
            nullable=bool(column.nullable),
        )
        for column in columns
    ]
    json = frozenset(column.name for column in columns if isinstance(column.type, Json))
    return TableQuery(name, query, pa.schema(fields), json)

"""The tables of stays, diagnoses and ECGs in; one narrow row of codes per stay and the counts of every value out.

A cohort of a million stays is browsed by reading these rows alone, which is 40 MB in place of gigabytes, and before a
filter is set by reading the counts alone. They are made in the database by one statement each, whenever
`read_results.cohort_revision` says that something changed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    type_coerce,
)

from cohort_db.bulk_insert import insert_new
from cohort_db.disease_groups import disease_groups
from cohort_db.race_groups import race_group_sql
from cohort_db.read_results import cohort_revision
from cohort_db.schema import (
    admission,
    diagnosis,
    ecg_record,
    exclusion,
    facet_count,
    facet_state,
    sample,
    split,
    stay,
    stay_facet,
    subject,
)
from cohort_db.stay_filters import FIXED
from cohort_db.store import Store

_TRUE = 1


def revision(store: Store, task: str) -> str | None:
    """The `read_results.cohort_revision` that the codes and counts are of; None before there are any."""
    with store.reading() as conn:
        return conn.execute(select(facet_state.c.revision).where(facet_state.c.task == task)).scalar()


def are_current(store: Store, task: str) -> bool:
    """Whether the codes and counts are those of the store's stays as they are now."""
    return revision(store, task) == cohort_revision(store)


def make_current(store: Store, task: str = "los") -> bool:
    """The codes and counts are those of the store's stays; returns whether they had to be made anew."""
    if are_current(store, task):
        return False
    now = cohort_revision(store)
    with store.writing() as conn:
        for table in (stay_facet, facet_count, facet_state):
            conn.execute(delete(table).where(table.c.task == task))
        codes = _all_codes(conn, task)
        columns = [column.name for column in stay_facet.c]
        conn.execute(insert(stay_facet).from_select(columns, _coded(task, codes)))
        insert_new(conn, facet_count, _counts(conn, task, codes))
        inside = _inside()
        n, n_out = conn.execute(
            select(func.coalesce(func.sum(inside), 0), func.coalesce(func.sum(1 - inside), 0)).where(
                stay_facet.c.task == task
            )
        ).one()
        insert_new(conn, facet_state, [{"task": task, "revision": now, "n": int(n), "n_out": int(n_out)}])
    return True


def codes(conn: Connection, task: str) -> dict[str, dict[str, int]]:
    """Facet -> value -> code, of every facet but age."""
    rows = conn.execute(
        select(facet_count.c.facet, facet_count.c.value, facet_count.c.code).where(
            facet_count.c.task == task, facet_count.c.facet != "age"
        )
    )
    out: dict[str, dict[str, int]] = {}
    for facet, value, code in rows:
        out.setdefault(facet, {})[value] = code
    return out


def _all_codes(conn: Connection, task: str) -> dict[str, dict[str, int]]:
    """The codes to be written: fixed where the values are, else by their order."""
    units = select(stay.c.first_careunit).distinct().order_by(stay.c.first_careunit)
    rules = select(exclusion.c.rule).where(exclusion.c.task == task).distinct().order_by(exclusion.c.rule)
    found = {name: list(conn.execute(query).scalars()) for name, query in (("unit", units), ("rule", rules))}
    found |= {name: list(values) for name, values in FIXED.items()} | {"disease": list(disease_groups())}
    return {facet: {value: code for code, value in enumerate(values)} for facet, values in found.items()}


def _code(column: ColumnElement[Any], of: dict[str, int]) -> ColumnElement[Any]:
    return case(*((column == value, code) for value, code in of.items())) if of else null()


def _coded(task: str, codes: dict[str, dict[str, int]]) -> Select[Any]:
    """The rows of stay_facet, in its columns' order; of a stay with several samples, the first."""
    first = (
        select(sample.c.stay_id, func.min(sample.c.sample_id).label("sample_id"))
        .where(sample.c.task == task)
        .group_by(sample.c.stay_id)
        .subquery()
    )
    bits = _diseases(codes["disease"])
    inside = sample.c.sample_id.is_not(None)
    joined = (
        stay.join(subject, subject.c.subject_id == stay.c.subject_id)
        .join(admission, admission.c.hadm_id == stay.c.hadm_id)
        .outerjoin(first, first.c.stay_id == stay.c.stay_id)
        .outerjoin(sample, sample.c.sample_id == first.c.sample_id)
        .outerjoin(split, and_(split.c.task == task, split.c.subject_id == stay.c.subject_id))
        .outerjoin(ecg_record, ecg_record.c.study_id == sample.c.study_id)
        .outerjoin(exclusion, and_(exclusion.c.task == task, exclusion.c.stay_id == stay.c.stay_id))
        .outerjoin(bits, bits.c.hadm_id == stay.c.hadm_id)
    )
    return select(
        literal(task),
        stay.c.stay_id,
        stay.c.subject_id,
        sample.c.sample_id,
        stay.c.age_years,
        _code(subject.c.sex, codes["sex"]),
        _code(race_group_sql(admission.c.race), codes["race"]),
        _code(stay.c.first_careunit, codes["unit"]),
        case((inside, _quality(codes["quality"]))),
        _outcome(codes["outcome"]),
        _code(split.c.split, codes["split"]),
        _code(exclusion.c.rule, codes["rule"]),
        sample.c.label,
        func.coalesce(bits.c.bits, 0),
    ).select_from(joined)


def _diseases(of: dict[str, int]) -> Any:
    """hadm_id, bits: the sum of 2^code over the groups of an admission."""
    coded = select(diagnosis.c.hadm_id, diagnosis.c.disease_group).where(diagnosis.c.disease_group.is_not(None))
    groups = coded.distinct().subquery()
    bit = case(*((groups.c.disease_group == name, 1 << code) for name, code in of.items()), else_=0)
    return select(groups.c.hadm_id, func.sum(bit).label("bits")).group_by(groups.c.hadm_id).subquery()


def _quality(of: dict[str, int]) -> ColumnElement[Any]:
    """What the linked ECG is worth; a lead's flags stand in the document as a list that is not empty."""
    flagged = cast(type_coerce(ecg_record.c.quality, Text), Text).like('%["%')
    return case(
        (ecg_record.c.study_id.is_(None), of["none"]),
        (func.coalesce(cast(ecg_record.c.usable, Text), "0").not_in(("1", "true")), of["unusable"]),
        (flagged, of["flagged"]),
        else_=of["clean"],
    )


def _outcome(of: dict[str, int]) -> ColumnElement[Any]:
    return case(
        (sample.c.died_before_cut, of["died"]),
        (sample.c.label == 1, of["long"]),
        (sample.c.label == 0, of["left"]),
    )


def _inside() -> ColumnElement[Any]:
    return case((stay_facet.c.sample_id.is_not(None), _TRUE), else_=0)


def _counts(conn: Connection, task: str, codes: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """The rows of facet_count: every value that somebody has."""
    inside, rows = _inside(), []
    counted = (func.sum(inside).label("n"), func.sum(1 - inside).label("n_out"))

    def add(facet: str, value: str, code: int, n: Any, n_out: Any) -> None:
        if n or n_out:
            one = {"task": task, "facet": facet, "value": value, "code": code, "n": int(n), "n_out": int(n_out)}
            rows.append(one)

    for facet in ("sex", "race", "unit", "quality", "outcome", "split", "rule"):
        value_of = {code: value for value, code in codes[facet].items()}
        column = stay_facet.c[facet]
        query = select(column, *counted).where(stay_facet.c.task == task, column.is_not(None)).group_by(column)
        for code, n, n_out in conn.execute(query).all():
            add(facet, value_of[code], code, n, n_out)
    ages = select(stay_facet.c.age_years, *counted).where(stay_facet.c.task == task).group_by(stay_facet.c.age_years)
    for age, n, n_out in conn.execute(ages).all():
        add("age", str(age), age, n, n_out)
    for value, code in codes["disease"].items():
        has = stay_facet.c.diseases.bitwise_and(literal(1 << code)) != 0
        n, n_out = conn.execute(select(*counted).where(stay_facet.c.task == task, has)).one()
        add("disease", value, code, n or 0, n_out or 0)
    return rows

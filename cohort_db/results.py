"""What a run says, written once: mappings, DataFrames and arrays in, rows and array rows out.

Each function is one transaction: all of it is stored, or nothing. DataFrames have the schema's columns less run_id.
An absent number is None or pandas.NA; NaN is refused, because a failed explanation would look like an absent one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from cohort_db.arrays import ArrayStore
from cohort_db.bulk_insert import insert_new, replace_rows
from cohort_db.errors import InputMistake
from cohort_db.schema import (
    branch_value,
    calibration,
    conformal,
    input_effect,
    level_choice,
    level_score,
    metric,
    prediction,
    sample,
    stage_weight,
)
from cohort_db.schema import run as run_table
from cohort_db.schema import trust as trust_table
from cohort_db.store import Store

# The same run fitted again has other clock times, and these alone may differ.
_OF_THE_CLOCK = ("created_at", "fit_report")
_IDS_AT_ONCE = 10_000
# Elsewhere than where it was stored, a prediction may differ by rounding.
_SAME_LOGIT = 1e-5


def add_run(
    store: Store,
    run: Mapping[str, Any],
    *,
    calibrations: Sequence[Mapping[str, Any]],
    level_choices: Sequence[Mapping[str, Any]],
    stage_weights: Sequence[Mapping[str, Any]],
    conformals: Sequence[Mapping[str, Any]] = (),
) -> None:
    """The run and what it was fitted to are stored; nothing changed where the same run was stored before.

    The same: equal in every column but created_at and fit_report. The first one's are kept.
    Args:
        run: the columns of table run; the others those of their tables, less run_id.
    Raises: InputMistake where another run has that run_id.
    """
    parts = [(run_table, [run]), (calibration, calibrations), (level_choice, level_choices)]
    parts += [(stage_weight, stage_weights), (conformal, conformals)]
    run_id = str(run.get("run_id", ""))
    with store.writing() as conn:
        given = [(table, [{**row, "run_id": run_id} for row in rows]) for table, rows in parts]
        if conn.execute(select(run_table.c.run_id).where(run_table.c.run_id == run_id)).first() is None:
            for table, rows in given:
                _insert_all(conn, table, rows)
            return
        for table, rows in given:
            stored = [dict(row) for row in conn.execute(select(table).where(table.c.run_id == run_id)).mappings()]
            if _content(conn, table, rows) != _content(conn, table, stored):
                raise InputMistake(f"run {run_id} is stored with another {table.name}: runs are never changed")


def add_scored(
    store: Store,
    run_id: str,
    *,
    predictions: pd.DataFrame,
    level_scores: pd.DataFrame,
    branch_values: pd.DataFrame,
    input_effects: pd.DataFrame,
    arrays: Mapping[str, NDArray[Any]],
    trust: pd.DataFrame | None = None,
) -> None:
    """The predictions of a batch of samples, their explanations and their array rows are stored, all or nothing.

    Args:
        predictions: one row per sample, without array_row: it is set here.
        arrays: name -> (n, ...) with row i of predictions.iloc[i]; each made before by `ArrayStore.create`.
            Empty: array_row is NULL.
    Raises: InputMistake for an unknown run or sample, a sample scored before, an explanation of a sample that is not
        in `predictions`, or arrays that do not go with each other.
    """
    sample_ids = [str(sample_id) for sample_id in predictions["sample_id"]]
    explained = [(level_score, level_scores), (branch_value, branch_values), (input_effect, input_effects)]
    explained += [] if trust is None else [(trust_table, trust)]
    _check_samples(sample_ids, [(table.name, frame) for table, frame in explained])
    with store.writing() as conn:
        stay_of = _check_new(conn, run_id, sample_ids)
        array_rows = _append_arrays(conn, ArrayStore(store, run_id), len(sample_ids), arrays)
        added = [{"array_row": at, "stay_id": stay_of[key]} for at, key in zip(array_rows, sample_ids, strict=True)]
        rows = zip(_rows(predictions, run_id=run_id), added, strict=True)
        _insert_all(conn, prediction, [row | more for row, more in rows])
        for table, frame in explained:
            _insert_all(conn, table, _rows(frame, run_id=run_id))


def add_explained(
    store: Store,
    run_id: str,
    *,
    predictions: pd.DataFrame,
    input_effects: pd.DataFrame,
    arrays: Mapping[str, NDArray[Any]],
    trust: pd.DataFrame | None = None,
) -> None:
    """Predictions that were stored without explanations have them, all or nothing; their numbers stay.

    Args:
        predictions: sample_id and logit of the computation that the explanations are of.
        arrays: as for `add_scored`; not empty.
    Raises: InputMistake for a sample that is not stored, is explained already, or whose stored logit is another one.
    """
    sample_ids = [str(sample_id) for sample_id in predictions["sample_id"]]
    explained = [(input_effect, input_effects)] + ([] if trust is None else [(trust_table, trust)])
    _check_samples(sample_ids, [(table.name, frame) for table, frame in explained])
    own = prediction.c.run_id == run_id
    with store.writing() as conn:
        query = select(prediction.c.sample_id, prediction.c.logit, prediction.c.array_row)
        stored = {row.sample_id: row for row in conn.execute(query.where(own, prediction.c.sample_id.in_(sample_ids)))}
        for sample_id, logit in zip(sample_ids, predictions["logit"], strict=True):
            if sample_id not in stored or stored[sample_id].array_row is not None:
                raise InputMistake(f"run {run_id} has no unexplained prediction of {sample_id}")
            if abs(stored[sample_id].logit - logit) > _SAME_LOGIT:
                raise InputMistake(
                    f"the inputs of {sample_id} have changed since run {run_id} scored it: use a new store (--db)"
                )
        array_rows = _append_arrays(conn, ArrayStore(store, run_id), len(sample_ids), arrays)
        change = update(prediction).where(own, prediction.c.sample_id == bindparam("key"))
        rows = [{"key": key, "at": at} for key, at in zip(sample_ids, array_rows, strict=True)]
        conn.execute(change.values(array_row=bindparam("at")), rows)
        for table, frame in explained:
            _insert_all(conn, table, _rows(frame, run_id=run_id))


def unexplained_sample_ids(store: Store, run_id: str) -> set[str]:
    """The samples whose predictions were stored without explanations."""
    query = select(prediction.c.sample_id).where(prediction.c.run_id == run_id, prediction.c.array_row.is_(None))
    with store.reading() as conn:
        return set(conn.execute(query).scalars())


def scored_sample_ids(store: Store, run_id: str) -> set[str]:
    """The samples that the run has predictions of; empty for an unknown run."""
    with store.reading() as conn:
        return set(conn.execute(select(prediction.c.sample_id).where(prediction.c.run_id == run_id)).scalars())


def replace_metrics(store: Store, run_id: str, split: str, rows: pd.DataFrame) -> None:
    """The run's metrics on `split` are `rows` and no others.

    Args:
        rows: the columns of metric, less run_id and split. In `value`, `lo` and `hi`, where pandas turns None into
            NaN, NaN is absence: of a value only with a note that says why, of lo and hi only together.
    Raises: InputMistake for an unknown run, or a value absent without a note.
    """
    records = [_metric_row(record) for record in _rows(rows, run_id=run_id, split=split)]
    with store.writing() as conn:
        _check_run(conn, run_id)
        replace_rows(conn, metric, {"run_id": run_id, "split": split}, records)


def _rows(frame: pd.DataFrame, **fixed: str) -> list[dict[str, Any]]:
    """The frame's rows as mappings of Python values, pandas.NA as None, with the fixed columns beside them."""
    repeated = sorted(name for name in fixed if name in frame.columns and set(frame[name]) - {fixed[name]})
    if repeated:
        raise InputMistake(f"the rows are of another {' and '.join(repeated)} than {fixed}")
    records: list[dict[Any, Any]] = frame.to_dict("records")
    return [{key: None if value is pd.NA else value for key, value in row.items()} | fixed for row in records]


def _insert_all(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Every row is in the table, and none was there before."""
    try:
        n_added = insert_new(conn, table, rows)
    except IntegrityError as error:
        raise InputMistake(f"the rows for {table.name} name a run or sample the store does not hold") from error
    if n_added != len(rows):
        raise InputMistake(f"{len(rows) - n_added} of {len(rows)} rows for {table.name} are given twice")


def _content(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What the rows say, comparable between those given and those read back."""
    columns = [column for column in table.c if column.name not in _OF_THE_CLOCK]
    binds = [column.type.dialect_impl(conn.dialect).bind_processor(conn.dialect) for column in columns]
    told = [
        tuple(
            bind(row.get(column.name)) if bind else row.get(column.name)
            for column, bind in zip(columns, binds, strict=True)
        )
        for row in rows
    ]
    return sorted(told, key=repr)


def _check_samples(sample_ids: list[str], explained: list[tuple[str, pd.DataFrame]]) -> None:
    """Each sample is given once, and only given samples are explained."""
    known = set(sample_ids)
    if len(known) != len(sample_ids):
        raise InputMistake("a sample is given twice in predictions")
    for name, frame in explained:
        strange = set(frame["sample_id"]) - known if len(frame) else set()
        if strange:
            raise InputMistake(f"{name} has samples that predictions lacks, such as {min(strange)}")


def _check_run(conn: Connection, run_id: str) -> None:
    """The run is stored."""
    if conn.execute(select(run_table.c.run_id).where(run_table.c.run_id == run_id)).first() is None:
        raise InputMistake(f"the store holds no run {run_id}")


def _check_new(conn: Connection, run_id: str, sample_ids: list[str]) -> dict[str, int]:
    """The run is stored, the samples are known, and the run has not scored them; returns the stay of each."""
    _check_run(conn, run_id)
    stay_of: dict[str, int] = {}
    for start in range(0, len(sample_ids), _IDS_AT_ONCE):
        ids = sample_ids[start : start + _IDS_AT_ONCE]
        query = select(prediction.c.sample_id).where(prediction.c.run_id == run_id, prediction.c.sample_id.in_(ids))
        scored = list(conn.execute(query).scalars())
        if scored:
            raise InputMistake(f"run {run_id} has scored {len(scored)} of these samples before, such as {min(scored)}")
        known = conn.execute(select(sample.c.sample_id, sample.c.stay_id).where(sample.c.sample_id.in_(ids)))
        stay_of |= {str(row.sample_id): int(row.stay_id) for row in known}
        strange = set(ids) - set(stay_of)
        if strange:
            raise InputMistake(f"the store holds no sample {min(strange)}")
    return stay_of


def _append_arrays(
    conn: Connection, arrays_of_run: ArrayStore, n: int, arrays: Mapping[str, NDArray[Any]]
) -> list[int | None]:
    """The arrays are appended; returns the row that each of the n predictions has in all of them."""
    wrong = sorted(name for name, rows in arrays.items() if len(rows) != n)
    if wrong:
        raise InputMistake(f"array {wrong[0]!r} has {len(arrays[wrong[0]])} rows for {n} predictions")
    firsts = {name: arrays_of_run.append(conn, name, np.asarray(rows)) for name, rows in arrays.items()}
    if len(set(firsts.values())) > 1:
        raise InputMistake(f"the arrays of run {arrays_of_run.owner} hold different numbers of rows: {firsts}")
    if not firsts:
        return [None] * n
    first = next(iter(firsts.values()))
    return list(range(first, first + n))


def _metric_row(row: dict[str, Any]) -> dict[str, Any]:
    """The metric with None for what is absent, once it is sure that absence is meant."""
    ready = {
        key: None if key in ("value", "lo", "hi", "note") and _is_nan(value) else value for key, value in row.items()
    }
    which = f"{row.get('source')} {row.get('name')} of {row.get('stratum')}"
    if ready.get("value") is None and not ready.get("note"):
        raise InputMistake(f"the metric {which} has no value and no note that says why")
    if (ready.get("lo") is None) != (ready.get("hi") is None):
        raise InputMistake(f"the metric {which} has one end of an interval without the other")
    return ready


def _is_nan(value: Any) -> bool:
    """True for a float that is NaN."""
    return isinstance(value, float) and value != value

"""A run's stored attributions in, batches of Arrow rows out: what each variable, or each stretch of ECG, did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, select

from cohort_db import read
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from cohort_db.export_tables import described
from cohort_db.schema import prediction
from cohort_db.store import Store

ATTRIBUTION, SALIENCY = "feature_attribution", "saliency"
_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class ArrayTable:
    """A stored array as a table: a row per explained sample, in the order of the array."""

    name: str
    schema: pa.Schema
    store: Store
    run_id: str

    def batches(self, conn: Connection) -> Iterator[pa.RecordBatch]:
        """The rows, some thousands at a time; sample_id first."""
        query = select(prediction.c.sample_id, prediction.c.array_row)
        query = query.where(prediction.c.run_id == self.run_id, prediction.c.array_row.is_not(None))
        found = conn.execute(query.order_by(prediction.c.array_row)).all()
        arrays = ArrayStore(self.store, self.run_id)
        for start in range(0, len(found), _ROWS_AT_ONCE):
            part = found[start : start + _ROWS_AT_ONCE]
            rows = arrays.read(self.name, [int(row.array_row) for row in part]).astype(np.float32)
            columns = [pa.array([row.sample_id for row in part]), *(_column(rows[:, k]) for k in range(rows.shape[1]))]
            yield pa.record_batch(columns, schema=self.schema)


def array_tables(store: Store, run_id: str, *, saliency: bool = False) -> list[ArrayTable]:
    """feature_attribution: a column per EHR variable; with `saliency`, a list of bins per ECG lead too.

    Empty where the run explained nothing. Raises: InputMistake where saliency is asked for and there is none.
    """
    found = []
    units = {row["name"]: f"{row['label']} ({row['unit']})" for row in _records(store)}
    for name in (ATTRIBUTION, *([SALIENCY] if saliency else [])):
        try:
            meta = ArrayStore(store, run_id).meta(name)
        except InputMistake:
            if name == SALIENCY:
                raise InputMistake(f"run {run_id} stored no saliency: run `lemof score` with --explain") from None
            continue
        axis = meta["axes"].get("feature") or meta["axes"].get("lead")
        columns = [str(one) for one in axis] if axis else [f"value_{k}" for k in range(meta["shape"][0])]
        kind = pa.float32() if len(meta["shape"]) == 1 else pa.list_(pa.float32(), meta["shape"][1])
        bins = meta["axes"].get("seconds_per_bin")
        per_bin = f"; a number per {bins:g} s" if bins else ""
        fields = [described("sample_id", pa.string(), "sample", nullable=False)]
        fields += [
            described(one, kind, f"{units.get(one, one)}: {meta['note']}{per_bin}", nullable=False) for one in columns
        ]
        found.append(ArrayTable(name, pa.schema(fields), store, run_id))
    return found


def _records(store: Store) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in read.variables(store).to_dict("records")]


def _column(values: np.ndarray) -> pa.Array:
    """One column of the batch: numbers (N,), or lists of fixed length (N, bins)."""
    if values.ndim == 1:
        return pa.array(np.ascontiguousarray(values))
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])

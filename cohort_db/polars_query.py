"""A query in, a polars frame out whose dtypes follow from the schema, also where it has no row or only NULL."""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import Boolean, Connection, Date, Select
from sqlalchemy.types import TypeEngine

from cohort_db.schema.column_types import FiniteFloat, Moment, Whole

_DTYPES: list[tuple[type[TypeEngine[Any]], pl.DataType]] = [
    (Whole, pl.Int64()),
    (FiniteFloat, pl.Float64()),
    (Moment, pl.Datetime("us")),
    (Boolean, pl.Boolean()),
    (Date, pl.Date()),
]


def polars_of(conn: Connection, query: Select[Any]) -> pl.DataFrame:
    """The rows of `query`, one column per selected column; JSON columns are not for this."""
    schema = {
        column.name: next((dtype for kind, dtype in _DTYPES if isinstance(column.type, kind)), pl.String())
        for column in query.selected_columns
    }
    return pl.DataFrame([tuple(row) for row in conn.execute(query)], schema=schema, orient="row")

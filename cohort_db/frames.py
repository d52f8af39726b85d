"""A query in, a pandas DataFrame out whose dtypes follow from the schema, also where it has no row.

Whole numbers are int64, or Int64 where they may be absent; booleans bool or boolean; numbers float64 with NaN for
absent; times datetime64[us] with NaT; text, and JSON documents as Python objects, object with None.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Boolean, Connection, Date, Select
from sqlalchemy.types import TypeEngine

from cohort_db.schema.column_types import FiniteFloat, Moment, Whole


def frame_of(conn: Connection, query: Select[Any], *, optional: frozenset[str] = frozenset()) -> pd.DataFrame:
    """The rows of `query`, one column per selected column.

    Args:
        optional: columns that an outer join leaves empty in some rows, though the table does not.
    """
    rows = conn.execute(query).all()
    columns = list(query.selected_columns)
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pd.DataFrame(
        {
            column.name: pd.Series(values, dtype=_dtype(column.type, _may_be_absent(column) or column.name in optional))
            for column, values in zip(columns, by_column, strict=True)
        }
    )


def _may_be_absent(column: Any) -> bool:
    """True where the schema lets the selected column be NULL, also under another name."""
    return bool(getattr(getattr(column, "element", column), "nullable", False))


def _dtype(kind: TypeEngine[Any], may_be_absent: bool) -> str:
    """The pandas dtype for a column type."""
    if isinstance(kind, Whole):
        return "Int64" if may_be_absent else "int64"
    if isinstance(kind, Boolean):
        return "boolean" if may_be_absent else "bool"
    if isinstance(kind, FiniteFloat):
        return "float64"
    if isinstance(kind, Moment | Date):
        return "datetime64[us]"
    return "object"

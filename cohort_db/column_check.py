"""A polars frame in, the same values ready for the driver out, or one sentence on the column that cannot be stored."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars.exceptions import PolarsError
from sqlalchemy import Boolean, Column, Date, String, Table

from cohort_db.errors import InputMistake
from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Whole

# How SQLAlchemy writes times into SQLite, which has no type for them.
_MOMENT_TEXT = "%Y-%m-%d %H:%M:%S%.6f"
_DATE_TEXT = "%Y-%m-%d"


def checked_frame(frame: pl.DataFrame, table: Table, *, as_text: bool) -> pl.DataFrame:
    """Every column of `frame` has the dtype its namesake in `table` stores; times become text where `as_text`.

    Raises: InputMistake for absent values in a column that needs them, NaN, infinities, or a wrong dtype.
    """
    return frame.select(_checked(frame[name], table.c[name], as_text=as_text) for name in frame.columns)


def refusal(column: Column[Any], problem: str) -> InputMistake:
    """The mistake, named by table and column."""
    return InputMistake(f"{column.table.name}.{column.name} {problem}")


def _checked(values: pl.Series, column: Column[Any], *, as_text: bool) -> pl.Series:
    """One column, ready for the driver."""
    if values.null_count() and not column.nullable:
        raise refusal(column, f"must not be absent, however: {values.null_count()} of {values.len()} rows lack it")
    if values.dtype == pl.Null:
        return values
    try:
        return _converted(values, column, as_text=as_text)
    except PolarsError as error:
        raise refusal(column, f"cannot hold that: {str(error).splitlines()[0]}") from None


def _converted(values: pl.Series, column: Column[Any], *, as_text: bool) -> pl.Series:
    """The values in the column's own dtype."""
    kind, dtype = column.type, values.dtype
    if isinstance(kind, Whole) and dtype.is_integer():
        return values.cast(pl.Int64)
    if isinstance(kind, FiniteFloat) and dtype.is_numeric():
        numbers = values.cast(pl.Float64)
        n_bad = int((~numbers.is_finite()).sum())
        if n_bad:
            raise refusal(column, f"must be finite or absent, however: {n_bad} of {values.len()} rows are not")
        return numbers
    if isinstance(kind, Boolean) and dtype == pl.Boolean:
        return values
    if isinstance(kind, Moment) and isinstance(dtype, pl.Datetime) and dtype.time_zone in (None, "UTC"):
        moments = values.dt.replace_time_zone(None).cast(pl.Datetime("us"))
        return moments.dt.strftime(_MOMENT_TEXT) if as_text else moments
    if isinstance(kind, Date) and dtype == pl.Date:
        return values.dt.strftime(_DATE_TEXT) if as_text else values
    if isinstance(kind, String) and dtype in (pl.String, pl.Categorical, pl.Enum):
        return _within_length(values.cast(pl.String), column, kind.length)
    wanted = "rows given to insert_new" if isinstance(kind, Json) else f"{_wording(column)} values"
    raise refusal(column, f"needs {wanted}, however: the frame has {dtype}")


def _within_length(words: pl.Series, column: Column[Any], limit: int | None) -> pl.Series:
    """Text that fits; PostgreSQL would refuse the longer, SQLite would not notice."""
    longest = words.str.len_chars().max()
    if limit is not None and isinstance(longest, int) and longest > limit:
        raise refusal(column, f"holds at most {limit} characters, however: the longest text has {longest}")
    return words


def _wording(column: Column[Any]) -> str:
    """The column's type as a person says it."""
    names = {Whole: "whole-number", FiniteFloat: "number", Moment: "datetime (no zone, or UTC)", Boolean: "boolean"}
    return next((name for family, name in names.items() if isinstance(column.type, family)), "text or date")

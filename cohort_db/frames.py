"""A query in, a pandas DataFrame out whose dtypes follow from the schema, also where it has no row.

Whole numbers are int64, or Int64 where they may be absent; booleans bool or boolean; numbers float64 with NaN for
absent; times datetime64[us] with NaT; text, and JSON documents as Python objects, object with None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Boolean, Connection, Date, Select
from sqlalchemy.types import TypeEngine

from cohort_db.schema.column_types import FiniteFloat, Moment, Whole

_AT_ONCE = 5000  # rows that are Python objects at the same time: they weigh many times what they do in a frame


def frame_of(
    conn: Connection,
    query: Select[Any],
    *,
    optional: frozenset[str] = frozenset(),
    words: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """The rows of `query`, one column per selected column.

    Args:
        optional: columns that an outer join leaves empty in some rows, though the table does not.
        words: columns of few different texts, which become categories in the order of the alphabet.
    """
    columns = list(query.selected_columns)
    gathered: list[_Values | _Words] = [
        _Words()
        if column.name in words
        else _Values(_dtype(column.type, _may_be_absent(column) or column.name in optional))
        for column in columns
    ]
    for rows in conn.execute(query).partitions(_AT_ONCE):
        for column_so_far, values in zip(gathered, zip(*rows, strict=True), strict=True):
            column_so_far.add(values)
    return pd.DataFrame({column.name: of.series() for column, of in zip(columns, gathered, strict=True)})


class _Values:
    """A column that is gathered part by part."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.parts: list[pd.Series[Any]] = []

    def add(self, values: Sequence[Any]) -> None:
        self.parts.append(pd.Series(values, dtype=self.dtype))

    def series(self) -> pd.Series[Any]:
        return pd.concat(self.parts, ignore_index=True) if self.parts else pd.Series((), dtype=self.dtype)


class _Words:
    """A column of few different texts, each kept once and numbered as it comes."""

    def __init__(self) -> None:
        self.numbers: defaultdict[str | None, int] = defaultdict(count().__next__)
        self.parts: list[np.ndarray] = []

    def add(self, values: Sequence[str | None]) -> None:
        self.parts.append(np.fromiter(map(self.numbers.__getitem__, values), dtype=np.int32, count=len(values)))

    def series(self) -> pd.Series[Any]:
        words = sorted(word for word in self.numbers if word is not None)
        code = {word: place for place, word in enumerate(words)} | {None: -1}  # as pandas writes an absent one
        codes = np.array([code[word] for word in self.numbers], dtype=np.int32)
        each = codes[np.concatenate(self.parts)] if self.parts else codes
        return pd.Series(pd.Categorical.from_codes(each, pd.Index(words, dtype=object)))


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

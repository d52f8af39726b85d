"""Frames of queries: their dtypes follow from the schema, however many rows are Python objects at the same time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Boolean, Select, Text, bindparam, create_engine, literal, select, union_all

from cohort_db import frames
from cohort_db.schema.column_types import FiniteFloat, Moment, Whole

KINDS: dict[str, Any] = {"n": Whole, "x": FiniteFloat, "yes": Boolean, "at": Moment, "text": Text, "word": Text}
ROWS: list[tuple[Any, ...]] = [
    (3, 0.1, True, pd.Timestamp("2150-01-02 03:04:05.000006"), "b", "walnut"),
    (1, None, None, None, None, None),
    (2, 2.5, False, None, "b", "almond"),
    (2, -0.0, None, pd.Timestamp("2150-01-01"), "", "walnut"),
    (2, 1e300, True, None, "a", ""),
]


def query_of(rows: list[tuple[Any, ...]]) -> Select[Any]:
    """A query of just these rows, its columns typed as in the schema."""
    typed = [[literal(value, kind()) for value, kind in zip(row, KINDS.values(), strict=True)] for row in rows or ROWS]
    named = [select(*(one.label(name) for one, name in zip(row, KINDS, strict=True))) for row in typed]
    found = union_all(*named).subquery()
    return select(found) if rows else select(found).where(bindparam("never", False))


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    with create_engine("sqlite://").connect() as conn:
        optional = frozenset({"n", "yes"})
        return frames.frame_of(conn, query_of(rows), optional=optional, words=frozenset({"word"}))


@pytest.mark.parametrize("at_once", [1, 2, 5, 5000])
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_a_frame_is_what_pandas_makes_of_the_rows(monkeypatch: pytest.MonkeyPatch, n: int, at_once: int) -> None:
    monkeypatch.setattr(frames, "_AT_ONCE", at_once)
    columns = zip(*ROWS[:n], strict=True) if n else [()] * len(KINDS)
    dtypes = ("Int64", "float64", "boolean", "datetime64[us]", "object", "object")
    wanted = pd.DataFrame(
        {name: pd.Series(values, dtype=kind) for name, values, kind in zip(KINDS, columns, dtypes, strict=True)}
    )
    wanted["word"] = wanted["word"].astype("category")
    pd.testing.assert_frame_equal(frame(ROWS[:n]), wanted, check_exact=True)


def test_words_are_kept_once_in_the_order_of_the_alphabet() -> None:
    found = frame(ROWS)["word"]
    assert list(found.cat.categories) == ["", "almond", "walnut"]
    assert found.cat.codes.tolist() == [2, -1, 1, 2, 0]

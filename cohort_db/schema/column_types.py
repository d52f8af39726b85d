"""Column types that refuse at the door what SQL would silently bend: NaN, numpy integers, aware times."""

from __future__ import annotations

import json
import math
import operator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Float, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class FiniteFloat(TypeDecorator[float]):
    """A float that is finite, or NULL. SQLite would store NaN as NULL without a word."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """Return a Python float; raise ValueError for NaN and infinities."""
        if value is None:
            return None
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"a stored number must be finite or absent, however: {value=}")
        return number


class Whole(TypeDecorator[int]):
    """An integer of Python. SQLite would store numpy.int64 as an 8-byte BLOB that equals nothing."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Return a Python int; raise TypeError for anything that is not a whole number."""
        return None if value is None else operator.index(value)


class Serial(Whole):
    """A whole number that the store gives itself when none is given.

    SQLite counts up INTEGER keys alone: a BIGINT key without a value is refused there.
    """

    impl = Integer  # type: ignore[assignment]
    cache_ok = True


class Moment(TypeDecorator[datetime]):
    """A date and time without a zone: MIMIC's shifted clock, or UTC where the column says so."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return a naive datetime; UTC loses its zone, any other zone and NaT raise ValueError."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise TypeError(f"a stored time must be a datetime, however: {value=}")
        if value != value:
            raise ValueError("a stored time must be a time or absent, however: NaT")
        if value.tzinfo is not None and value.utcoffset() != UTC.utcoffset(None):
            raise ValueError(f"a stored time must have no zone, or be UTC, however: {value=}")
        # Rebuilt, because a pandas Timestamp is a datetime that drivers do not know.
        return datetime(value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)


class Json(TypeDecorator[Any]):
    """A JSON document as text, keys sorted, NaN refused: the same on every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the document's text; raise ValueError where it holds NaN."""
        return None if value is None else json.dumps(value, sort_keys=True, allow_nan=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the document."""
        return None if value is None else json.loads(value)

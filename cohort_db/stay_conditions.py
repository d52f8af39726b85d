"""A reader's filters and orders in, conditions and columns of `stay_columns.browsed` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, literal, or_, select

from cohort_db.stay_columns import PATHS, browsed, member
from cohort_db.stay_filters import ECG, SPLITS, Filters

_LONGEST_ID = 18  # digits that fit a stored whole number


def conditions(filters: Filters, codes: Mapping[str, Mapping[str, int]]) -> dict[str, ColumnElement[bool]]:
    """One condition per active filter, by its name.

    Args:
        codes: facet -> value -> code (see `facets.codes`); a value that the store does not know matches nobody.
    """
    out: dict[str, ColumnElement[bool]] = {}
    for name in filters.active():
        value = getattr(filters, name)
        if name in _RANGES:
            out[name] = _RANGES[name].between(*value)
        elif name in _OTHERS:
            out[name] = _OTHERS[name](filters, codes)
        else:
            out[name] = browsed.c[name].in_(_known(codes, name, value))
    return out


def error() -> ColumnElement[Any]:
    """|p - label|; NULL without either."""
    return func.abs(browsed.c.p - browsed.c.label)


def order_by(order: str) -> list[ColumnElement[Any]]:
    """The columns to sort by, the stay's number last; what lacks the quantity comes after what has it."""
    columns: dict[str, ColumnElement[Any]] = {
        "p_high": browsed.c.p.desc().nulls_last(),
        "p_low": browsed.c.p.asc().nulls_last(),
        "error": error().desc().nulls_last(),
        "old": browsed.c.age_years.desc(),
        "young": browsed.c.age_years.asc(),
    }
    return ([columns[order]] if order in columns else []) + [browsed.c.stay_id]


def _known(codes: Mapping[str, Mapping[str, int]], facet: str, values: Sequence[str]) -> list[int]:
    return [codes[facet][value] for value in values if value in codes.get(facet, {})]


def _starts_with(filters: Filters, codes: Any) -> ColumnElement[bool]:
    """Ids that begin with the digits, as ranges of numbers."""
    text = filters.q.strip()
    if not (text.isascii() and text.isdigit()) or text.startswith("0") or len(text) > _LONGEST_ID:
        return false()
    first, ranges = int(text), []
    for column in (browsed.c.stay_id, browsed.c.subject_id):
        for more in range(_LONGEST_ID - len(text) + 1):
            ranges.append(column.between(first * 10**more, (first + 1) * 10**more - 1))
    return or_(*ranges)


def _split(filters: Filters, codes: Any) -> ColumnElement[bool]:
    return browsed.c.split.in_([SPLITS.index(name) for name in filters.split if name in SPLITS])


def _where(filters: Filters, codes: Any) -> ColumnElement[bool]:
    return browsed.c.inside.in_([{"in": 1, "out": 0}[name] for name in filters.where])


def _disease(filters: Filters, codes: Mapping[str, Mapping[str, int]]) -> ColumnElement[bool]:
    bits = sum(1 << code for code in _known(codes, "disease", filters.disease))
    return browsed.c.diseases.bitwise_and(literal(bits)) != 0


def _ecg(filters: Filters, codes: Mapping[str, Mapping[str, int]]) -> ColumnElement[bool]:
    worth = [quality for name in filters.ecg for quality in ECG.get(name, ())]
    return browsed.c.quality.in_(_known(codes, "quality", worth))


def _verdict(filters: Filters, codes: Any) -> ColumnElement[bool]:
    threshold = case((browsed.c.path == PATHS.index("both"), filters.thr), else_=filters.thr_ehr)
    alarm, long = browsed.c.p >= threshold, browsed.c.label == 1
    found = {
        "hit": and_(alarm, long),
        "false": and_(alarm, browsed.c.label == 0),
        "miss": and_(browsed.c.p < threshold, long),
        "calm": and_(browsed.c.p < threshold, browsed.c.label == 0),
    }
    return or_(*(found[name] for name in filters.verdict))


def _cohort(filters: Filters, codes: Any) -> ColumnElement[bool]:
    members = select(member.c.stay_id).where(member.c.cohort_id == filters.cohort)
    return browsed.c.stay_id.in_(members)


_RANGES: dict[str, ColumnElement[Any]] = {"age": browsed.c.age_years, "p": browsed.c.p, "error": error()}
_OTHERS: dict[str, Any] = {
    "q": _starts_with,
    "where": _where,
    "split": _split,
    "disease": _disease,
    "ecg": _ecg,
    "verdict": _verdict,
    "cohort": _cohort,
}

"""What a cohort of stays is defined by: a reader's filters in, conditions on `stay_facet` and `prediction` out.

Filters are combined with "and"; the values inside one filter with "or". A stay without a prediction satisfies no filter
about it, and a stay without a known outcome none about that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, literal, or_, select

from cohort_db.race_groups import RACE_GROUPS
from cohort_db.schema import prediction, saved_cohort_member, stay_facet

WHERE = ("in", "out")
SEXES = ("F", "M")
QUALITIES = ("clean", "flagged", "unusable", "none")
ECG = {"yes": ("clean", "flagged"), "no": ("unusable", "none")}
OUTCOMES = ("long", "left", "died")
SPLITS = ("test", "cal", "meta", "val", "train")
VERDICTS = ("hit", "false", "miss", "calm")
# Facet -> its values, where they are always the same; each value's code is its place.
FIXED: dict[str, tuple[str, ...]] = {
    "sex": SEXES, "race": RACE_GROUPS, "quality": QUALITIES, "outcome": OUTCOMES, "split": SPLITS,
}  # fmt: skip
OF_RUN = frozenset({"split", "p", "error", "verdict"})
ORDERS_OF_RUN = frozenset({"p_high", "p_low", "error"})
_LONGEST_ID = 18  # digits that fit a stored whole number


@dataclass(frozen=True)
class Filters:
    """What the reader asked for; an empty field asks for nothing. The names are those of the URL's parameters."""

    q: str = ""  # start of a stay or subject id
    where: tuple[str, ...] = ()  # of WHERE
    rule: tuple[str, ...] = ()  # attrition rules
    split: tuple[str, ...] = ()  # of SPLITS; the run's own, else the store's
    sex: tuple[str, ...] = ()
    age: tuple[int, int] | None = None  # years, both ends included
    race: tuple[str, ...] = ()  # of RACE_GROUPS
    unit: tuple[str, ...] = ()  # first_careunit, in full
    disease: tuple[str, ...] = ()  # any of them
    ecg: tuple[str, ...] = ()  # keys of ECG
    quality: tuple[str, ...] = ()  # of QUALITIES
    outcome: tuple[str, ...] = ()  # of OUTCOMES
    p: tuple[float, float] | None = None  # both ends included
    error: tuple[float, float] | None = None  # |p - label|, both ends included
    verdict: tuple[str, ...] = ()  # of VERDICTS, at the threshold of the stay's path
    thr: float = 0.5  # with ECG
    thr_ehr: float = 0.5  # without
    cohort: str = ""  # a saved cohort: its members at saving

    @property
    def thresholds(self) -> dict[str, float]:
        """Path -> its threshold."""
        return {"both": self.thr, "ehr": self.thr_ehr}

    @property
    def reads_run(self) -> bool:
        """Whether another run would give other stays."""
        return not OF_RUN.isdisjoint(self.active())

    def without(self, *names: str) -> Filters:
        """The same filters, these ones asking for nothing."""
        asks_nothing: dict[str, Any] = {one.name: one.default for one in fields(self) if one.name in names}
        return replace(self, **asks_nothing)

    def active(self) -> list[str]:
        """The names of the filters that leave somebody out, or could."""
        return [one.name for one in fields(self) if one.name not in ("thr", "thr_ehr") and getattr(self, one.name)]


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
        elif name == "split":
            out[name] = split_code().in_(_known(codes, "split", value))
        else:
            out[name] = stay_facet.c[name].in_(_known(codes, name, value))
    return out


def error() -> ColumnElement[Any]:
    """|p - label|; NULL without either."""
    return func.abs(prediction.c.p - stay_facet.c.label)


def split_code() -> ColumnElement[Any]:
    """The code of the part that the stay was for the run, else in the store."""
    of_run = case(*((prediction.c.split == name, code) for code, name in enumerate(SPLITS)))
    return func.coalesce(of_run, stay_facet.c.split)


def order_by(order: str) -> list[ColumnElement[Any]]:
    """The columns to sort by, the stay's number last; what lacks the quantity comes after what has it."""
    columns: dict[str, ColumnElement[Any]] = {
        "p_high": prediction.c.p.desc().nulls_last(),
        "p_low": prediction.c.p.asc().nulls_last(),
        "error": error().desc().nulls_last(),
        "old": stay_facet.c.age_years.desc(),
        "young": stay_facet.c.age_years.asc(),
    }
    return ([columns[order]] if order in columns else []) + [stay_facet.c.stay_id]


def _known(codes: Mapping[str, Mapping[str, int]], facet: str, values: Sequence[str]) -> list[int]:
    return [codes[facet][value] for value in values if value in codes.get(facet, {})]


def _starts_with(filters: Filters, codes: Any) -> ColumnElement[bool]:
    """Ids that begin with the digits, as ranges of numbers, so that an index finds them."""
    text = filters.q.strip()
    if not (text.isascii() and text.isdigit()) or text.startswith("0") or len(text) > _LONGEST_ID:
        return false()
    first, ranges = int(text), []
    for column in (stay_facet.c.stay_id, stay_facet.c.subject_id):
        for more in range(_LONGEST_ID - len(text) + 1):
            ranges.append(column.between(first * 10**more, (first + 1) * 10**more - 1))
    return or_(*ranges)


def _where(filters: Filters, codes: Any) -> ColumnElement[bool]:
    inside = stay_facet.c.sample_id.is_not(None)
    return or_(*({"in": inside, "out": ~inside}[name] for name in filters.where))


def _disease(filters: Filters, codes: Mapping[str, Mapping[str, int]]) -> ColumnElement[bool]:
    bits = sum(1 << code for code in _known(codes, "disease", filters.disease))
    return stay_facet.c.diseases.bitwise_and(literal(bits)) != 0


def _ecg(filters: Filters, codes: Mapping[str, Mapping[str, int]]) -> ColumnElement[bool]:
    worth = [quality for name in filters.ecg for quality in ECG.get(name, ())]
    return stay_facet.c.quality.in_(_known(codes, "quality", worth))


def _verdict(filters: Filters, codes: Any) -> ColumnElement[bool]:
    threshold = case((prediction.c.path == "both", filters.thr), else_=filters.thr_ehr)
    alarm, long = prediction.c.p >= threshold, stay_facet.c.label == 1
    found = {
        "hit": and_(alarm, long),
        "false": and_(alarm, stay_facet.c.label == 0),
        "miss": and_(prediction.c.p < threshold, long),
        "calm": and_(prediction.c.p < threshold, stay_facet.c.label == 0),
    }
    return or_(*(found[name] for name in filters.verdict))


def _cohort(filters: Filters, codes: Any) -> ColumnElement[bool]:
    members = select(saved_cohort_member.c.stay_id).where(saved_cohort_member.c.cohort_id == filters.cohort)
    return stay_facet.c.stay_id.in_(members)


_RANGES: dict[str, ColumnElement[Any]] = {"age": stay_facet.c.age_years, "p": prediction.c.p, "error": error()}
_OTHERS: dict[str, Any] = {
    "q": _starts_with,
    "where": _where,
    "disease": _disease,
    "ecg": _ecg,
    "verdict": _verdict,
    "cohort": _cohort,
}

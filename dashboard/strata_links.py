"""A group of a forest plot in, the filters of /cohort that give its stays out."""

from __future__ import annotations

from dataclasses import fields

from dashboard.cohort_filters import Filters, as_query
from dashboard.wording import Definition
from lemof_core.evaluation.strata import AGE_BANDS, age_band

_SEXES = {"women": "F", "men": "M"}
_ECG = {"with ECG": "yes", "without ECG": "no"}
_FILTERS = frozenset(one.name for one in fields(Filters))


def group_query(
    defined: Definition, kind: str, stratum: str, ages: tuple[int, int] | None = None
) -> dict[str, list[str]] | None:
    """The URL parameters of /cohort that choose the group; None where that page has no such filter.

    Args:
        kind: of `evaluation.strata.KINDS`, or "all"; ages: the ends of that page's slider, None for an age band.
    """
    chosen = _filter(kind, stratum, ages)
    return None if chosen is None else as_query(defined, **chosen)


def can_link(kind: str) -> bool:
    """Whether /cohort can be filtered by this kind of group."""
    return kind in ("all", *_FILTERS)


def _filter(kind: str, stratum: str, ages: tuple[int, int] | None) -> dict[str, str | tuple[str, ...]] | None:
    if kind == "all":
        return {}
    if not can_link(kind):
        return None
    if kind == "age":
        low, high = next(band for band in AGE_BANDS if age_band(*band) == stratum)
        first, last = ages or (low, high - 1)
        # A slider refuses a value beyond its ends.
        return {"age": (str(max(low, first)), str(min(high - 1, last)))}
    return {kind: {"sex": _SEXES, "ecg": _ECG}.get(kind, {}).get(stratum, stratum)}

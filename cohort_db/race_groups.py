"""In: MIMIC-IV's `admissions.race`, some thirty wordings. Out: the one of six groups that audits report by.

Race is an audit stratum and never enters a model. A wording that is none of these is "other"; what nobody knows or
said is "unknown", never a group of people.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, case, func

RACE_GROUPS = ("white", "black", "asian", "hispanic", "other", "unknown")
_PREFIXES = {
    "white": ("WHITE",),
    "black": ("BLACK",),
    "asian": ("ASIAN",),
    "hispanic": ("HISPANIC", "SOUTH AMERICAN"),
    "unknown": ("UNKNOWN", "UNABLE TO OBTAIN", "PATIENT DECLINED"),
}


def race_group(race: str | None) -> str:
    """The group of a wording; of none, unknown."""
    told = (race or "").strip().upper()
    if not told:
        return "unknown"
    return next((group for group, starts in _PREFIXES.items() if told.startswith(starts)), "other")


def race_group_sql(race: ColumnElement[str]) -> ColumnElement[str]:
    """The same as `race_group`, as an SQL expression over a column."""
    told = func.upper(func.trim(func.coalesce(race, "")))
    whens = [
        (told.startswith(start, autoescape=True), group) for group, starts in _PREFIXES.items() for start in starts
    ]
    return case((told == "", "unknown"), *whens, else_="other").cast(String)

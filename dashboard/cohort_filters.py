"""The reader's filters in, their words for buttons, links and the line above the table out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cohort_db.race_groups import RACE_GROUPS
from cohort_db.stay_filters import OUTCOMES, SPLITS, Filters
from dashboard.threshold_paths import in_words_of
from dashboard.wording import Definition, care_unit, probability

__all__ = ["OUTCOMES", "SPLITS", "Filters"]

WHERE = {"in": "In the cohort", "out": "Left out"}
VERDICTS = {"hit": "Right alarm", "false": "False alarm", "miss": "Missed", "calm": "Rightly quiet"}
ECG = {"yes": "Usable ECG", "no": "No usable ECG"}
QUALITY = {"clean": "Clean", "flagged": "A lead flagged", "unusable": "Unusable", "none": "No ECG"}
SEXES = {"F": "Women", "M": "Men"}
RACES = {name: name.capitalize() for name in RACE_GROUPS} | {"unknown": "Race not known", "other": "Other race"}
SORTS = {
    "id": "Stay id",
    "p_high": "Highest probability first",
    "p_low": "Lowest probability first",
    "error": "Largest error first",
    "old": "Oldest first",
    "young": "Youngest first",
}


def outcome_words(defined: Definition) -> dict[str, str]:
    """Outcome -> how it is said, of a cohort with this cut."""
    said = (defined.label, f"Left alive before {defined.cut}", f"Died in ICU before {defined.cut}")
    return dict(zip(OUTCOMES, said, strict=True))


def option_words(defined: Definition) -> dict[str, dict[str, str]]:
    """Filter -> option -> how it is said."""
    return {
        "where": WHERE,
        "outcome": outcome_words(defined),
        "verdict": VERDICTS,
        "ecg": ECG,
        "quality": QUALITY,
        "sex": SEXES,
        "race": RACES,
    }


def in_words(
    filters: Filters, rules: dict[str, str], defined: Definition, cohorts: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Each active filter as a few words, for the line above the table.

    Args:
        rules: attrition rule -> its sentence; cohorts: saved cohort -> its name.
    """
    out, cohorts = {}, cohorts or {}
    for name in filters.active():
        value: Any = getattr(filters, name)
        words = {**option_words(defined), "rule": rules}.get(name, {})
        say = care_unit if name == "unit" else lambda one, words=words: words.get(one, one)
        if name == "q":
            out[name] = f"id starts with {value}"
        elif name == "age":
            out[name] = f"{value[0]}–{value[1]} years"
        elif name in ("p", "error"):
            out[name] = f"{name} {probability(value[0])}–{probability(value[1])}"
        elif name == "cohort":
            out[name] = f"saved cohort {cohorts.get(value, value)}"
        else:
            said = ", ".join(say(one) for one in value)
            out[name] = f"{said} at {in_words_of(filters.thresholds)}" if name == "verdict" else said
    return out


def as_query(defined: Definition, **chosen: str | tuple[str, ...]) -> dict[str, list[str]]:
    """The URL parameters of /cohort that set these filters; the URL holds options in the words of their buttons."""
    out = {}
    for name, value in chosen.items():
        words = option_words(defined).get(name, {})
        given = (value,) if isinstance(value, str) else value
        out[name] = [care_unit(one) if name == "unit" else words.get(one, one) for one in given]
    return out

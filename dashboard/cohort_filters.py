"""A frame of stays and the reader's filters in, the stays that satisfy all of them and the filters in words out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from dashboard.threshold_paths import alarms, in_words_of
from dashboard.wording import Definition, probability

WHERE = {"in": "In the cohort", "out": "Left out"}
OUTCOMES = ("long", "left", "died")
VERDICTS = {"hit": "Right alarm", "false": "False alarm", "miss": "Missed", "calm": "Rightly quiet"}
ECG = {"yes": "Usable ECG", "no": "No usable ECG"}
SEXES = {"F": "Women", "M": "Men"}
SPLITS = ("test", "cal", "meta", "val", "train")
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
    return {"where": WHERE, "outcome": outcome_words(defined), "verdict": VERDICTS, "ecg": ECG, "sex": SEXES}


@dataclass(frozen=True)
class Filters:
    """What the reader asked for; an empty field asks for nothing. The names are those of the URL's parameters."""

    q: str = ""  # start of a stay or subject id
    where: tuple[str, ...] = ()  # keys of WHERE
    rule: tuple[str, ...] = ()  # attrition rules
    split: tuple[str, ...] = ()
    sex: tuple[str, ...] = ()
    age: tuple[int, int] | None = None  # years, both ends included
    unit: tuple[str, ...] = ()
    disease: tuple[str, ...] = ()  # any of them
    ecg: tuple[str, ...] = ()  # keys of ECG
    outcome: tuple[str, ...] = ()  # keys of OUTCOMES
    p: tuple[float, float] | None = None  # both ends included
    verdict: tuple[str, ...] = ()  # keys of VERDICTS, at the threshold of the stay's path
    thr: float = 0.5  # with ECG
    thr_ehr: float = 0.5  # without

    @property
    def thresholds(self) -> dict[str, float]:
        """Path -> its threshold."""
        return {"both": self.thr, "ehr": self.thr_ehr}

    def active(self) -> list[str]:
        """The names of the filters that leave somebody out, or could."""
        return [one.name for one in fields(self) if one.name not in ("thr", "thr_ehr") and getattr(self, one.name)]


def filter_stays(frame: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """The rows that satisfy every filter, in the frame's order; a row without a prediction satisfies none about it.

    Args:
        frame: the columns of `queries_cohort.stays`.
    """
    keep = np.ones(len(frame), dtype=bool)
    for name in filters.active():
        keep &= _CONDITIONS[name](frame, filters)
    return frame[keep]


def sort_stays(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """The rows in the order named by a key of SORTS; ties and rows without the quantity by stay id, these last."""
    columns: dict[str, tuple[pd.Series, bool]] = {
        "p_high": (frame["p"], False),
        "p_low": (frame["p"], True),
        "error": ((frame["p"] - frame["label"].astype("float64")).abs(), False),
        "old": (frame["age_years"], False),
        "young": (frame["age_years"], True),
    }
    ordered = frame.sort_values(["stay_id"], kind="stable")
    if by not in columns:
        return ordered
    values, ascending = columns[by]
    return ordered.loc[values[ordered.index].sort_values(ascending=ascending, kind="stable", na_position="last").index]


def verdicts(frame: pd.DataFrame, thresholds: dict[str, float]) -> pd.Series:
    """The key of VERDICTS of each row at its path's threshold; None where prediction or outcome is unknown."""
    known = frame["p"].notna() & frame["label"].notna()
    alarm, long = alarms(frame, thresholds), frame["label"].fillna(0).astype(int) == 1
    named = np.select([alarm & long, alarm & ~long, ~alarm & long], ["hit", "false", "miss"], "calm")
    return pd.Series(named, index=frame.index).where(known, None)


def in_words(filters: Filters, rules: dict[str, str], defined: Definition) -> dict[str, str]:
    """Each active filter as a few words, for the line above the table.

    Args:
        rules: attrition rule -> its sentence.
    """
    out = {}
    for name in filters.active():
        value: Any = getattr(filters, name)
        words = {**option_words(defined), "rule": rules}.get(name, {})
        if name == "q":
            out[name] = f"id starts with {value}"
        elif name == "age":
            out[name] = f"{value[0]}–{value[1]} years"
        elif name == "p":
            out[name] = f"p {probability(value[0])}–{probability(value[1])}"
        else:
            said = ", ".join(words.get(one, one) for one in value)
            out[name] = f"{said} at {in_words_of(filters.thresholds)}" if name == "verdict" else said
    return out


def as_query(defined: Definition, **chosen: str | tuple[str, ...]) -> dict[str, list[str]]:
    """The URL parameters of /cohort that set these filters; the URL holds options in the words of their buttons."""
    out = {}
    for name, value in chosen.items():
        words = option_words(defined).get(name, {})
        out[name] = [words.get(one, one) for one in ((value,) if isinstance(value, str) else value)]
    return out


def _starts_with(frame: pd.DataFrame, filters: Filters) -> np.ndarray:
    wanted = filters.q.strip()
    of_stay, of_subject = (frame[name].astype(str).str.startswith(wanted) for name in ("stay_id", "subject_id"))
    return (of_stay | of_subject).to_numpy(bool)


def _has_disease(frame: pd.DataFrame, filters: Filters) -> np.ndarray:
    # Compared once per combination of groups, of which there are few, and not once per stay.
    combinations = frame["disease_groups"].cat.categories
    wanted = [text for text in combinations if set(text.split(", ")) & set(filters.disease)]
    return frame["disease_groups"].isin(wanted).to_numpy()


def _between(name: str, column: str) -> Any:
    def condition(frame: pd.DataFrame, filters: Filters) -> np.ndarray:
        low, high = getattr(filters, name)
        return frame[column].between(low, high).fillna(False).to_numpy(bool)

    return condition


def _one_of(name: str, column: str) -> Any:
    return lambda frame, filters: frame[column].isin(getattr(filters, name)).to_numpy()


_CONDITIONS: dict[str, Any] = {
    "q": _starts_with,
    "where": lambda frame, filters: frame["in_cohort"].map({True: "in", False: "out"}).isin(filters.where).to_numpy(),
    "rule": _one_of("rule", "rule"),
    "split": _one_of("split", "split"),
    "sex": _one_of("sex", "sex"),
    "age": _between("age", "age_years"),
    "unit": _one_of("unit", "unit"),
    "disease": _has_disease,
    "ecg": _one_of("ecg", "ecg"),
    "outcome": _one_of("outcome", "outcome"),
    "p": _between("p", "p"),
    "verdict": lambda frame, filters: verdicts(frame, filters.thresholds).isin(filters.verdict).to_numpy(),
}

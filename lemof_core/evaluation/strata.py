"""A frame of predictions with who the patients are in, the groups that results are told apart by out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

AGE_BANDS = ((18, 45), (45, 65), (65, 80), (80, 200))
# Of each class: a group with fewer is not shown apart, because its interval says next to nothing and its members could
# be recognised. Never below metrics.MIN_EVENTS, under which nothing is estimated at all.
MIN_OF_CLASS = 10
UNKNOWN = "unknown"  # of race, insurance, language: what nobody asked or said is no group of people
KINDS = ("disease", "sex", "age", "unit", "ecg", "quality", "race", "insurance", "language")
_SEXES = {"F": "women", "M": "men"}
_PATHS = {"both": "with ECG", "ehr": "without ECG"}
_QUALITIES = ("clean", "flagged", "unusable", "none")


def strata(frame: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (kind, name, members (N,) bool): everybody as ("all", "all"), then the groups of each of KINDS.

    Disease groups overlap and are coded at discharge; the groups of any other kind share nobody.
    Args:
        frame: diseases, sex, age_years, unit, path, ecg, race, insurance and language of `read_analysis.analysed`.
    """
    yield "all", "all", np.ones(len(frame), dtype=bool)
    for kind in KINDS:
        for name, members in groups(frame, kind).items():
            yield kind, name, members


def groups(frame: pd.DataFrame, kind: str) -> dict[str, np.ndarray]:
    """Name -> members (N,) bool of the groups of one of KINDS; only the age bands, sexes and paths may be empty.

    Raises: KeyError for another kind.
    """
    if kind == "disease":
        return disease_members(frame["diseases"])
    if kind == "age":
        age = frame["age_years"].to_numpy()
        return {age_band(low, high): (age >= low) & (age < high) for low, high in AGE_BANDS}
    column, words = {"sex": ("sex", _SEXES), "ecg": ("path", _PATHS)}.get(kind, (kind, None))
    values = frame["ecg" if kind == "quality" else column]
    if words is not None:
        return {name: (values == value).to_numpy() for value, name in words.items()}
    if kind not in KINDS:
        raise KeyError(kind)
    found = set(values.unique())
    ordered = [name for name in _QUALITIES if name in found] if kind == "quality" else sorted(found)
    return {str(name): (values == name).to_numpy() for name in ordered}


def age_band(low: int, high: int) -> str:
    """How one of AGE_BANDS is said: 18-44, and 80+ for the last."""
    return f"{low}-{high - 1}" if high < 150 else f"{low}+"


def shown(n: int, events: int) -> bool:
    """Whether a group is large enough to stand apart: MIN_OF_CLASS long stays and as many others."""
    return min(events, n - events) >= MIN_OF_CLASS


def disease_members(joined: pd.Series) -> dict[str, np.ndarray]:
    """Return disease group -> who has it (N,), by name, from texts such as "diabetes, sepsis".

    Each combination, of which there are few, is looked at once.
    """
    combined = joined.astype("category")
    categories = [set(str(text).split(", ")) - {""} for text in combined.cat.categories]
    names = sorted(set().union(*categories)) if categories else []
    codes = combined.cat.codes.to_numpy()
    return {name: np.array([name in one for one in categories])[codes] for name in names}

"""A frame of predictions in, yes-or-no facts about each stay out: what slices, trees and heat maps are made of.

One definition for all of them, so that "women" or "QRS ≥ 120 ms" is the same stays wherever it is said. Each fact
belongs to a factor (sex, age, QRS duration). Where a value is missing that is a fact of its own. Diagnoses are coded at
discharge, and race, insurance and language are there for audits alone: none of them enters a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lemof_core.evaluation.strata import AGE_BANDS, disease_members

KINDS = {
    "person": "Age and sex",
    "care": "Unit and admission",
    "ecg": "ECG",
    "typical": "Likeness to the training data",
    "disease": "Diseases (retrospective)",
    "audit": "Race, insurance, language (audit)",
}
NOT = "!"  # before a code: the fact does not hold
ATYPICAL = 0.05  # conformal p-value below which an input is called unlike the training data

# Measured quantity of the ECG -> its factor and (code, words, lowest, below). Limits: AHA/ACCF/HRS 2009, parts III, IV.
_ECG_BANDS: dict[str, tuple[str, tuple[tuple[str, str, float, float], ...]]] = {
    "heart_rate_bpm": (
        "Heart rate on the ECG",
        (
            ("slow", "heart rate < 60 /min", 0, 60),
            ("normal", "heart rate 60–99 /min", 60, 100),
            ("fast", "heart rate ≥ 100 /min", 100, np.inf),
        ),
    ),
    "pr_ms": ("PR interval", (("normal", "PR < 200 ms", 0, 200), ("long", "PR ≥ 200 ms", 200, np.inf))),
    "qrs_ms": ("QRS duration", (("narrow", "QRS < 120 ms", 0, 120), ("wide", "QRS ≥ 120 ms", 120, np.inf))),
}
_UNMEASURED = {"heart_rate_bpm": "heart rate", "pr_ms": "PR", "qrs_ms": "QRS", "qtc_ms": "QTc"}
LONG_QTC_MS = {"F": 460, "M": 450}
_SEX = {"F": ("women", "men"), "M": ("men", "women")}
_ECG = {"clean": "clean ECG", "flagged": "ECG with a quality flag", "unusable": "unusable ECG", "none": "no ECG"}
# Column -> factor, kind, what stands before the value.
_NAMED = {
    "unit": ("Care unit", "care", ""),
    "admission_type": ("Admission type", "care", "admission: "),
    "race": ("Race", "audit", "race: "),
    "insurance": ("Insurance", "audit", "insurance: "),
    "language": ("Language", "audit", "language: "),
}


@dataclass(frozen=True)
class Fact:
    """One fact: `code` for links ("sex:F"), `words` for people ("women"), its factor ("Sex"), a key of KINDS, and how
    the contrary is said where "not women" would be clumsy."""

    code: str
    words: str
    factor: str
    kind: str
    denied: str = ""


@dataclass(frozen=True)
class Facts:
    """The facts of N stays: `holds` (N, F) bool, a column per fact."""

    facts: tuple[Fact, ...]
    holds: np.ndarray

    def members(self, definition: Iterable[str]) -> np.ndarray:
        """Which stays (N,) every code of the definition is true of; "!" before a code denies it.

        Raises: KeyError for a code that is none of these facts.
        """
        column = {fact.code: index for index, fact in enumerate(self.facts)}
        out = np.ones(len(self.holds), dtype=bool)
        for code in definition:
            holds = self.holds[:, column[code.removeprefix(NOT)]]
            out &= ~holds if code.startswith(NOT) else holds
        return out

    def words(self, definition: Iterable[str]) -> str:
        """The definition as it is said: women, QRS ≥ 120 ms, not MICU. Raises: KeyError as `members`."""
        known = {fact.code: fact for fact in self.facts}
        said = [(known[code.removeprefix(NOT)], code.startswith(NOT)) for code in definition]
        return ", ".join((fact.denied or f"not {fact.words}") if denied else fact.words for fact, denied in said)

    def of_kinds(self, kinds: Sequence[str]) -> Facts:
        """The facts of these kinds that tell stays apart: not true of all or of none, and no two of the same stays."""
        chosen, seen = [], set()
        for index, fact in enumerate(self.facts):
            column = self.holds[:, index]
            packed = np.packbits(column).tobytes()
            if fact.kind in kinds and column.any() and not column.all() and packed not in seen:
                seen.add(packed)
                chosen.append(index)
        return Facts(tuple(self.facts[index] for index in chosen), self.holds[:, chosen])

    def and_also(self, more: Facts) -> Facts:
        """These facts and more about the same stays."""
        return Facts((*self.facts, *more.facts), np.hstack([self.holds, more.holds]))

    def factors(self) -> dict[str, list[int]]:
        """Factor -> the columns of its facts, in order."""
        out: dict[str, list[int]] = {}
        for index, fact in enumerate(self.facts):
            out.setdefault(fact.factor, []).append(index)
        return out


def facts_of(frame: pd.DataFrame) -> Facts:
    """Everything that is known of each row as facts; facts that are true of nobody are left out.

    Args:
        frame: the columns of `cohort_db.read_analysis.analysed` (N rows); care units in any wording.
    """
    found = [(fact, column) for fact, column in _all(frame) if column.any()]
    holds = np.column_stack([column for _, column in found]) if found else np.empty((len(frame), 0), dtype=bool)
    return Facts(tuple(fact for fact, _ in found), holds)


def qtc_fridericia(qt_ms: np.ndarray, heart_rate_bpm: np.ndarray) -> np.ndarray:
    """QT (ms) corrected for the heart rate: QT / (60 / rate)^(1/3) (Fridericia 1920); NaN where either is absent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(qt_ms / np.cbrt(60 / heart_rate_bpm))


def _all(frame: pd.DataFrame) -> Iterator[tuple[Fact, np.ndarray]]:
    sex, age = frame["sex"].astype(object).to_numpy(), frame["age_years"].to_numpy(float)
    for code, (words, denied) in _SEX.items():
        yield Fact(f"sex:{code}", words, "Sex", "person", denied), sex == code
    for low, high in AGE_BANDS:
        name = f"{low}–{high - 1}" if high < 150 else f"{low} or more"
        yield Fact(f"age:{low}", f"age {name}", "Age", "person"), (age >= low) & (age < high)
    for column in ("unit", "admission_type"):
        yield from _named(frame, column)
    yield from _ecg(frame, sex)
    for column, what in (("typical_ecg", "ECG"), ("typical_ehr", "health record")):
        unlike = (frame[column] < ATYPICAL).to_numpy(bool)
        words = f"{what} unlike the training data"
        yield Fact(f"{column}:low", words, f"Likeness of the {what}", "typical"), unlike
        known = frame[column].notna().to_numpy()
        words = f"{what} like the training data"
        yield Fact(f"{column}:usual", words, f"Likeness of the {what}", "typical"), known & ~unlike
    yield from _diseases(frame["diseases"])
    for column in ("race", "insurance", "language"):
        yield from _named(frame, column)


def _named(frame: pd.DataFrame, column: str) -> Iterator[tuple[Fact, np.ndarray]]:
    """One fact per value of a column of words, the most frequent first; "?" and nothing are unknown."""
    factor, kind, before = _NAMED[column]
    values = frame[column].astype("category")
    codes = values.cat.codes.to_numpy()
    meant: dict[str, list[str]] = {}
    for value in values.value_counts(sort=True).index:
        # A link separates codes by commas, so they hold letters and digits and little else.
        meant.setdefault(re.sub(r"[^\w./-]+", " ", str(value)).strip() or "unknown", []).append(value)
    for code, written in meant.items():
        numbers = [values.cat.categories.get_loc(value) for value in written]
        said = code if code == "unknown" else str(written[0])
        yield Fact(f"{column}:{code}", f"{before}{said}", factor, kind), np.isin(codes, numbers)


def _ecg(frame: pd.DataFrame, sex: np.ndarray) -> Iterator[tuple[Fact, np.ndarray]]:
    worth = frame["ecg"].astype(object).to_numpy()
    for value, words in _ECG.items():
        yield Fact(f"ecg:{value}", words, "ECG at hand", "ecg"), worth == value
    for column, (factor, bands) in _ECG_BANDS.items():
        measured = frame[column].to_numpy(float)
        for code, words, low, high in bands:
            yield Fact(f"{column}:{code}", words, factor, "ecg"), (measured >= low) & (measured < high)
        yield Fact(f"{column}:none", f"{_UNMEASURED[column]} not measured", factor, "ecg"), np.isnan(measured)
    qtc = qtc_fridericia(frame["qt_ms"].to_numpy(float), frame["heart_rate_bpm"].to_numpy(float))
    limit = np.where(sex == "F", LONG_QTC_MS["F"], LONG_QTC_MS["M"])
    factor = "QTc (Fridericia)"
    long = f"QTc ≥ {LONG_QTC_MS['F']} ms (men {LONG_QTC_MS['M']})"
    yield Fact("qtc_ms:normal", "QTc not prolonged", factor, "ecg"), qtc < limit
    yield Fact("qtc_ms:long", long, factor, "ecg"), qtc >= limit
    yield Fact("qtc_ms:none", "QTc not measured", factor, "ecg"), np.isnan(qtc)


def _diseases(written: pd.Series) -> Iterator[tuple[Fact, np.ndarray]]:
    """One fact per disease group, and one for none; a stay may have several, so the facts overlap."""
    for name, having in disease_members(written).items():
        yield Fact(f"disease:{name}", name, "Disease group", "disease"), having
    yield Fact("disease:none", "none of the disease groups", "Disease group", "disease"), (written == "").to_numpy(bool)

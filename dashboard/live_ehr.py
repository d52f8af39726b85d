"""An uploaded CSV of a health record in, its values and what is known at admission out; and the CSV that reads back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cohort_db.errors import InputMistake
from dashboard.live_limits import MOST_EHR_MB, MOST_EHR_ROWS
from dashboard.live_table import Table, read_table

EHR_COLUMNS = ("variable", "hours", "value")
FILE = "the EHR file"
# A variable's name is letters and digits; nothing else is repeated to the reader.
_NAME = re.compile(r"[\w .%/()-]{1,64}")
# What a spreadsheet takes for a formula when a cell begins with it.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class EhrValues:
    """values: variable, offset_s, value, stored_offset_s, a row a charted value; static: name -> value at admission."""

    values: pd.DataFrame
    static: dict[str, float] = field(default_factory=dict)


def read_ehr_csv(content: bytes, statics: Iterable[Mapping[Any, Any]] = ()) -> EhrValues:
    """Return what a CSV with variable, hours, value (and stored_hours) holds: hours count from ICU admission.

    Args:
        statics: the catalogue's rows (name, low, high, unit) of what is known at admission; their hours are not read.
    Raises: InputMistake in one sentence; a cell that is no plain name or number is never quoted back.
    """
    if len(content) > MOST_EHR_MB * 1_000_000:
        raise InputMistake(f"{FILE} has more than {MOST_EHR_MB} MB: a day in an ICU has less")
    table = read_table(content, FILE, most_rows=MOST_EHR_ROWS)
    missing = [name for name in EHR_COLUMNS if name not in table.names]
    if missing:
        raise InputMistake(f"{FILE} has no column {', '.join(missing)}; it needs {', '.join(EHR_COLUMNS)}")
    names = table.text(table.names.index("variable")).to_list()
    for line, name in enumerate(names, start=2):
        if name.startswith(FORMULA_SIGNS):
            raise InputMistake(
                f"line {line} of {FILE} holds a formula in place of a variable: give plain names and numbers"
            )
        if not _NAME.fullmatch(name):
            raise InputMistake(f"line {line} of {FILE} names no variable: letters, digits and blanks alone")
    known = {str(row["name"]): row for row in statics}
    at_admission = np.array([name in known for name in names], dtype=bool)
    value = _numbers(table, "value", np.zeros(len(names), dtype=bool))
    hours = _numbers(table, "hours", at_admission)
    stored = _numbers(table, "stored_hours", np.ones(len(names), dtype=bool))
    static = _statics([(n, v) for n, v, s in zip(names, value, at_admission, strict=True) if s], known)
    charted = ~at_admission
    values = pd.DataFrame(
        {
            "variable": pd.Series(names, dtype=object)[charted].to_numpy(),
            "offset_s": (hours[charted] * 3600).round(),
            "value": value[charted],
            "stored_offset_s": (stored[charted] * 3600).round(),
        }
    )
    return EhrValues(values, static)


def ehr_csv(values: pd.DataFrame, static: Mapping[str, float] | None = None) -> str:
    """Return the CSV text that `read_ehr_csv` reads back: a template, or a stored stay's own values.

    No cell begins with a sign that a spreadsheet takes for a formula, but for numbers below zero.
    """
    table = pd.DataFrame(
        {
            "variable": [neutral(name) for name in values["variable"]],
            "hours": values["offset_s"].to_numpy() / 3600,
            "value": values["value"].to_numpy(),
            "stored_hours": values["stored_offset_s"].astype("float64").to_numpy() / 3600,
        }
    )
    known = [{"variable": neutral(name), "value": value} for name, value in (static or {}).items()]
    first = pd.DataFrame(known, columns=table.columns).astype({"value": float}) if known else table.head(0)
    return pd.concat([first, table] if len(first) else [table]).to_csv(index=False)


def neutral(text: str) -> str:
    """Return the text with an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _numbers(table: Table, name: str, may_lack: np.ndarray) -> np.ndarray:
    """Return a column's numbers, NaN where there is none and that is allowed; no column is a column of none."""
    if name not in table.names:
        return np.full(len(table.cells), np.nan)
    column = table.names.index(name)
    values, bad = table.numbers(column)
    wrong = np.flatnonzero(bad | (np.isnan(values) & ~may_lack))
    if wrong.size:
        line = int(wrong[0])
        formula = str(table.text(column)[line]).startswith(FORMULA_SIGNS)
        kind = "a formula, not a number," if formula else "no number"
        raise InputMistake(f"line {line + 2} of {FILE} holds {kind} for {name}")
    return values


def _statics(given: list[tuple[str, float]], known: Mapping[str, Mapping[Any, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in given:
        row = known[name]
        if name in found:
            raise InputMistake(f"{FILE} gives {name} twice")
        if row["unit"] == "0/1" and value not in (0.0, 1.0):
            raise InputMistake(f"{FILE} gives {name} as {value:g}: it is 0 or 1")
        low, high = (float(row[limit]) for limit in ("low", "high"))
        if row["unit"] != "0/1" and (value < low or value > high):
            raise InputMistake(f"{FILE} gives {name} as {value:g}: it must be {low:g} to {high:g} {row['unit']}")
        found[name] = float(value)
    return found

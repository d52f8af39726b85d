"""The catalogue's static variables in, the form of what is known at admission out: name -> number, as models read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

NOT_GIVEN = "not given"
# One question for the three columns of `cohort_db.statics`; a medical or mixed unit is none of them.
CARE_UNITS: dict[str, dict[str, float]] = {
    "Medical or mixed": {"unit_cardiac": 0.0, "unit_surgical": 0.0, "unit_neuro": 0.0},
    "Cardiac": {"unit_cardiac": 1.0, "unit_surgical": 0.0, "unit_neuro": 0.0},
    "Surgical or trauma": {"unit_cardiac": 0.0, "unit_surgical": 1.0, "unit_neuro": 0.0},
    "Neuro": {"unit_cardiac": 0.0, "unit_surgical": 0.0, "unit_neuro": 1.0},
}
# The words for 0 and 1 of a variable that is one or the other.
CHOICES = {"sex": ("Male", "Female"), "emergency": ("Planned", "Emergency or urgent")}
LABELS = {"sex": "Sex", "emergency": "Admission", "hours_to_icu": "Hours in hospital before the ICU"}
REQUIRED = ("age", "sex")


def ask_statics(rows: Sequence[Mapping[Any, Any]], patient: int) -> dict[str, float]:
    """Draw the form for the catalogue's static rows and return what was given; `patient` makes the widgets new."""
    found: dict[str, float] = {}
    asked = [row for row in rows if row["name"] not in CARE_UNITS["Cardiac"]]
    # A pair of columns for each row of the form: on a phone the questions then keep their order.
    cells = [cell for _ in range(0, len(rows), 2) for cell in st.columns(2)]
    for row, cell in zip(asked, cells, strict=False):
        with cell:
            given = _ask(row, f"live_static_{row['name']}_{patient}")
        if given is not None:
            found[str(row["name"])] = given
    if len(asked) < len(rows):
        with cells[len(asked)]:
            unit = st.selectbox(
                "Care unit", list(CARE_UNITS), index=None, placeholder=NOT_GIVEN, key=f"live_unit_{patient}"
            )
        found |= CARE_UNITS[unit] if unit else {}
    return found


def _ask(row: Mapping[Any, Any], key: str) -> float | None:
    name, unit = str(row["name"]), f" ({row['unit']})" if row["unit"] else ""
    needed = ", required" if name in REQUIRED else ""
    if row["unit"] == "0/1":
        words = CHOICES.get(name, ("No", "Yes"))
        label = LABELS.get(name, str(row["label"])) + needed
        chosen = st.selectbox(label, words, index=None, placeholder=NOT_GIVEN, key=key)
        return None if chosen is None else float(words.index(chosen))
    label = LABELS.get(name, f"{row['label']}{unit}") + needed
    step = 1.0 if name in ("age", "height") else None
    given = st.number_input(
        label, float(row["low"]), float(row["high"]), None, step=step, format="%g", placeholder=NOT_GIVEN, key=key
    )
    return None if given is None else float(given)


def statics_in_words(rows: Sequence[Mapping[Any, Any]], static: Mapping[str, float]) -> dict[str, str]:
    """Return name -> words of every static variable: "Age 67 years", "Female", "Height not given"; "unit" for the
    three columns of the care unit together."""
    out = {}
    for row in rows:
        name, value = str(row["name"]), static.get(str(row["name"]))
        label = LABELS.get(name, str(row["label"]))
        if name in CARE_UNITS["Cardiac"]:
            out["unit"] = f"Care unit {_care_unit(static)}"
        elif value is None:
            out[name] = f"{label} {NOT_GIVEN}"
        elif row["unit"] == "0/1":
            words = CHOICES.get(name, ("no", "yes"))[int(value)]
            out[name] = words if name == "sex" else f"{label} {words.lower()}"
        else:
            unit = "" if name in LABELS else f" {row['unit']}"
            out[name] = f"{label} {round(value, 1):g}{unit}"
    return out


def _care_unit(static: Mapping[str, float]) -> str:
    if not set(CARE_UNITS["Cardiac"]) & set(static):
        return NOT_GIVEN
    are = [
        words for words, columns in CARE_UNITS.items() if any(columns[name] and static.get(name) for name in columns)
    ]
    return " and ".join(are or ["Medical or mixed"]).lower()

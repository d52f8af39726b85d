"""In: variables.csv. Out: the catalogue of vitals, labs and statics, and how charted units become each variable's unit.

Only blood items (urine has its own glucose and pH) and only what the patient did: the ventilator's set rate (224688)
and the spontaneous share of a ventilated patient's breaths (224689) are no respiratory rates. Laboratory results come
from labevents alone: chartevents repeats them at the same times, and one result must not count twice. The one glucose
of chartevents is the finger stick (225664), which labevents does not hold.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

CATALOGUE_FILE = Path(__file__).with_name("variables.csv")
# At or below crit_low, at or above crit_high somebody is called at once; empty where no source gives a limit.
CRITICAL = ("crit_low", "crit_high", "crit_source")
# Spellings of one unit, all lower case without blanks; a unit that is not listed stands for itself.
_SPELLINGS = {
    "f": "°f",
    "degf": "°f",
    "?f": "°f",
    "c": "°c",
    "degc": "°c",
    "?c": "°c",
    "inch": "in",
    "inches": "in",
    "lbs": "lb",
    "lbs.": "lb",
    "kgs": "kg",
    "beats/min": "bpm",
    "breaths/min": "insp/min",
}
# (from, to): value_to = value_from * scale + shift. Molar units need the substance, so none is converted here.
_CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("°f", "°c"): (1 / 1.8, -32 / 1.8),
    ("lb", "kg"): (0.45359237, 0.0),
    ("in", "cm"): (2.54, 0.0),
    ("m", "cm"): (100.0, 0.0),
    ("kpa", "mmhg"): (7.500617, 0.0),
    ("g/l", "g/dl"): (0.1, 0.0),
}
# A share charted either as fraction or as percent: values up to 1 are fractions (FiO2 cannot be 1 %).
FRACTION = "fraction"


@dataclass(frozen=True)
class Variable:
    """One row of variables.csv; `*_items` map a MIMIC itemid to the unit meant where valueuom is empty."""

    variable_id: int
    name: str
    label: str
    unit: str
    kind: str
    panel: str
    chart_items: dict[int, str]
    lab_items: dict[int, str]
    also_units: tuple[str, ...]
    low: float | None
    high: float | None
    ref_low: float | None
    ref_high: float | None
    ref_low_f: float | None
    ref_high_f: float | None
    ref_source: str | None
    crit_low: float | None
    crit_high: float | None
    crit_source: str | None
    decimals: int

    def reference(self, sex: str) -> tuple[float | None, float | None]:
        """Return the reference range of a man ("M") or woman ("F"), in `unit`; None where there is no limit."""
        if sex == "F" and self.ref_low_f is not None:
            return self.ref_low_f, self.ref_high_f
        return self.ref_low, self.ref_high


@cache
def catalogue() -> tuple[Variable, ...]:
    """Return every variable in file order; `variable_id` counts from 1."""
    with CATALOGUE_FILE.open(encoding="utf-8", newline="") as handle:
        return tuple(_variable(number, row) for number, row in enumerate(csv.DictReader(handle), start=1))


def variable_rows() -> list[dict[str, Any]]:
    """Return the rows of the table `variable`."""
    names = "variable_id name label unit kind panel low high ref_low ref_high ref_low_f ref_high_f ref_source decimals"
    return [{name: getattr(variable, name) for name in (*names.split(), *CRITICAL)} for variable in catalogue()]


def canonical_unit(unit: pl.Expr) -> pl.Expr:
    """Return the unit in lower case, without blanks and in one spelling; "" where none was charted."""
    plain = unit.fill_null("").str.to_lowercase().str.replace_all(r"\s+", "")
    return plain.replace({"none": "", **_SPELLINGS})


def item_rules(source: str) -> pl.DataFrame:
    """Return what is done with each (itemid, charted unit) of a source; a pair that is absent here is a wrong unit.

    Columns: itemid, unit (canonical), variable_id, scale, shift (value = charted * scale + shift), fraction, low, high.

    Args:
        source: "chartevents" or "labevents".
    """
    rows = []
    for variable in catalogue():
        items = variable.chart_items if source == "chartevents" else variable.lab_items
        for itemid, empty_means in items.items():
            for unit, (scale, shift) in _accepted_units(variable, empty_means).items():
                fraction = empty_means == FRACTION
                rows.append((itemid, unit, variable.variable_id, scale, shift, fraction, variable.low, variable.high))
    schema = {
        "itemid": pl.Int64,
        "unit": pl.String,
        "variable_id": pl.Int64,
        "scale": pl.Float64,
        "shift": pl.Float64,
        "fraction": pl.Boolean,
        "low": pl.Float64,
        "high": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _accepted_units(variable: Variable, empty_means: str) -> dict[str, tuple[float, float]]:
    """Return canonical unit -> (scale, shift) for one item: its own unit, synonyms, known conversions, and ""."""
    target = _canonical(variable.unit)
    accepted = {pair[0]: factors for pair, factors in _CONVERSIONS.items() if pair[1] == target}
    accepted |= {_canonical(unit): (1.0, 0.0) for unit in (variable.unit, *variable.also_units)}
    meant = target if empty_means == FRACTION else _canonical(empty_means)
    return accepted | {"": accepted[meant]}


@cache
def _canonical(unit: str) -> str:
    return str(pl.select(canonical_unit(pl.lit(unit, dtype=pl.String))).item())


def _variable(number: int, row: dict[str, str]) -> Variable:
    def maybe(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    def items(name: str) -> dict[int, str]:
        pairs = (item.partition(":") for item in row[name].split())
        return {int(itemid): unit or row["unit"] for itemid, _, unit in pairs}

    return Variable(
        variable_id=number,
        name=row["name"],
        label=row["label"],
        unit=row["unit"],
        kind=row["kind"],
        panel=row["panel"],
        chart_items=items("chart_items"),
        lab_items=items("lab_items"),
        also_units=tuple(row["also_units"].split()),
        low=maybe("low"),
        high=maybe("high"),
        ref_low=maybe("ref_low"),
        ref_high=maybe("ref_high"),
        ref_low_f=maybe("ref_low_f"),
        ref_high_f=maybe("ref_high_f"),
        ref_source=row["ref_source"] or None,
        crit_low=maybe("crit_low"),
        crit_high=maybe("crit_high"),
        crit_source=row["crit_source"] or None,
        decimals=int(row["decimals"]),
    )

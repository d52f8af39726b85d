"""Charted values and the catalogue in, judged values out: what the model could see, what is out of range, which way it
went. Pure; used by reasons, trends and raw values alike, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

# The hours before t0 that a model reads (lemof_core.ehr_series.N_HOURS; a test holds them equal).
MODEL_WINDOW_H = 24
SEEN = ""
BEFORE_WINDOW = "before the model's window"
AFTER_T0 = "after the prediction"
STORED_LATE = "stored only after the prediction"
NO_PREDICTION = "no prediction was made"
# As HL7 writes them (table 0078): outside the reference range, and at or beyond a critical limit.
LOW, HIGH, CRITICAL_LOW, CRITICAL_HIGH = "L", "H", "LL", "HH"
FLAGS = (CRITICAL_LOW, LOW, HIGH, CRITICAL_HIGH)


def judged(
    measured: pd.DataFrame, variables: pd.DataFrame, *, sex: str, intime: datetime, t0_s: int | None
) -> pd.DataFrame:
    """Return variable, hour (from ICU admission), value, unseen (why the model did not see it, "" where it did), flag
    (one of FLAGS or ""), clock (time of day), whole_hour (see `whole_hours`); by variable and time.

    Args:
        measured: columns variable, offset_s, value, stored_offset_s, as `read.measurements` gives them.
        variables: the catalogue, indexed by name.
        t0_s: seconds from intime to the prediction; None where none was made.
    """
    measured = measured[measured["variable"].isin(variables.index[variables["kind"] == "series"])]
    low, high = references(variables, sex)
    name, value = measured["variable"], measured["value"].to_numpy(np.float64)
    limits = [name.map(of).to_numpy(float) for of in (variables["crit_low"], low, high, variables["crit_high"])]
    outside = [value <= limits[0], value >= limits[3], value < limits[1], value > limits[2]]
    flag = np.select(outside, [CRITICAL_LOW, CRITICAL_HIGH, LOW, HIGH], "")
    moments = pd.Timestamp(intime) + pd.to_timedelta(measured["offset_s"], unit="s")
    found = pd.DataFrame(
        {
            "variable": name,
            "hour": measured["offset_s"].to_numpy(np.float64) / 3600,
            "value": value,
            "unseen": _unseen(measured, t0_s),
            "flag": flag,
            "clock": moments.dt.strftime("%m-%d %H:%M"),
            "whole_hour": whole_hours(measured["offset_s"].to_numpy(np.int64), t0_s),
        }
    )
    return found.sort_values(["variable", "hour"], kind="stable", ignore_index=True)


def _unseen(measured: pd.DataFrame, t0_s: int | None) -> np.ndarray:
    offset = measured["offset_s"].to_numpy(np.int64)
    if t0_s is None:
        return np.full(len(offset), NO_PREDICTION, dtype=object)
    stored = measured["stored_offset_s"].to_numpy(np.float64, na_value=np.nan)
    conditions = [offset > t0_s, stored > t0_s, offset < t0_s - MODEL_WINDOW_H * 3600]
    return np.select(conditions, [AFTER_T0, STORED_LATE, BEFORE_WINDOW], SEEN).astype(object)


def whole_hours(offset_s: np.ndarray, t0_s: int | None) -> np.ndarray:
    """Return the hour of each time, counted from the prediction (from admission where none was made): 0 is the first
    hour after it, -1 the last one that the models read, to which the very moment of the prediction belongs too."""
    if t0_s is None:
        return offset_s // 3600
    return np.where(offset_s == t0_s, -1, (offset_s - t0_s) // 3600)


def missing_hours(values: pd.DataFrame, names: Iterable[str], t0_s: int | None) -> dict[str, list[int]]:
    """Return variable -> the whole hours of the model's window without a value that it saw; [] without a prediction."""
    if t0_s is None:
        return {name: [] for name in names}
    seen = values[values["unseen"] == SEEN].groupby("variable")["whole_hour"].agg(set).to_dict()
    return {name: sorted({*range(-MODEL_WINDOW_H, 0)} - seen.get(name, set())) for name in names}


def flags_in_words(flags: pd.Series) -> str:
    """Return 41 of 312 values flagged: 2 LL, 12 L, 23 H, 4 HH."""
    counts = flags.value_counts()
    found = ", ".join(f"{counts[flag]} {flag}" for flag in FLAGS if flag in counts)
    n = int((flags != "").sum())
    return f"{n} of {len(flags)} values flagged" + (f": {found}" if found else "")


def references(variables: pd.DataFrame, sex: str) -> tuple[pd.Series, pd.Series]:
    """Return (low, high) of the reference range by variable, NaN where there is none; women's own where they differ."""
    if sex != "F":
        return variables["ref_low"], variables["ref_high"]
    own = variables["ref_low_f"].notna() | variables["ref_high_f"].notna()
    return (
        variables["ref_low"].where(~own, variables["ref_low_f"]),
        variables["ref_high"].where(~own, variables["ref_high_f"]),
    )


@dataclass(frozen=True)
class Latest:
    """The last value of a variable that the model saw; direction is "rising since hour 6", "steady" or ""."""

    value: float
    flag: str
    hour: float
    n: int
    direction: str

    def number(self, variable: Mapping[Any, Any]) -> str:
        """Return 4.1, or −4.1 with a true minus sign."""
        return number(self.value, int(variable["decimals"]))

    def words(self, variable: Mapping[Any, Any]) -> str:
        """Return 4.1 mmol/L (H), or 6.8 mEq/L (HH, critical)."""
        unit = "" if variable["unit"] in ("units", "ratio", "points") else f" {variable['unit']}"
        told = f"{self.flag}, critical" if self.flag in (CRITICAL_LOW, CRITICAL_HIGH) else self.flag
        return f"{self.number(variable)}{unit}" + (f" ({told})" if told else "")


def number(value: float, decimals: int) -> str:
    """Return 4.1, or −4.1 with a true minus sign."""
    return f"{value:.{decimals}f}".replace("-", "−")


def latest_seen(values: pd.DataFrame, variables: pd.DataFrame, sex: str) -> dict[str, Latest]:
    """Return variable -> the last value seen by the model and where it was going; absent where it saw none."""
    low, high = references(variables, sex)
    out = {}
    for name, own in values[values["unseen"] == SEEN].groupby("variable", sort=False):
        last = own.iloc[-1]
        width = float(high[name] - low[name])
        going = direction(own["hour"].to_numpy(), own["value"].to_numpy(), 0.0 if np.isnan(width) else width)
        out[str(name)] = Latest(float(last["value"]), str(last["flag"]), float(last["hour"]), len(own), going)
    return out


def direction(hours: np.ndarray, values: np.ndarray, reference_width: float) -> str:
    """Return "rising since hour 6" (or falling) where the last value moved away from the lowest (highest) one by a
    quarter of the reference range and 5 % of the level; else "steady"; "" for a single value.

    From six values on, a running median of three keeps one stray value from making a trend.
    """
    if len(values) < 2:
        return ""
    level = values.astype(float)
    if len(level) >= 6:
        level = pd.Series(level).rolling(3, center=True, min_periods=1).median().to_numpy()
    enough = max(0.25 * reference_width, 0.05 * abs(float(np.median(level))))
    lowest, highest = (len(level) - 1 - int(np.argmin(level[::-1])), len(level) - 1 - int(np.argmax(level[::-1])))
    rise, fall = level[-1] - level[lowest], level[highest] - level[-1]
    if rise >= enough and rise > fall:
        return f"rising since hour {hours[lowest]:.0f}"
    if fall >= enough and fall > rise:
        return f"falling since hour {hours[highest]:.0f}"
    return "steady"

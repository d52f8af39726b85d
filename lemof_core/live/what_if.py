"""A case as arrays and what is to be different in it in, the altered arrays out; the implausible is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lemof_core.batch import CohortArrays
from lemof_core.ecg_signal import LEADS, MODEL_FS
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake


@dataclass(frozen=True)
class Range:
    """What was observed of a variable among the training patients: its extremes, and 101 quantiles between them."""

    low: float
    high: float
    quantiles: np.ndarray


def observed(scaler: Scaler) -> dict[str, Range]:
    """Return series variable -> its observed range; a variable that was never charted is absent."""
    out = {}
    for name, knots in zip(scaler.series_names, scaler.series_knots, strict=True):
        if np.isfinite(knots).all() and knots[-1] > knots[0]:
            at = np.linspace(0, 1, 101)
            out[name] = Range(float(knots[0]), float(knots[-1]), np.interp(at, np.linspace(0, 1, len(knots)), knots))
    return out


def edited(
    arrays: CohortArrays, scaler: Scaler, variables: Sequence[Mapping[str, Any]], edits: Mapping[str, float]
) -> CohortArrays:
    """Return the case of one with the last value of each edited series variable replaced.

    A variable that was not measured gets the value in the last hour before the prediction.
    Raises: ModelMistake for what was known at admission, an unknown variable, or a value that no training patient had.
    """
    facts = {row["name"]: row for row in variables}
    ranges = observed(scaler)
    series = arrays.series.copy()
    for name, value in edits.items():
        label, unit = (facts.get(name, {}).get(key, "") for key in ("label", "unit"))
        if name in scaler.static_names:
            raise ModelMistake(f"{label or name} was known at admission and does not change: choose a vital or lab")
        if name not in ranges:
            raise ModelMistake(f"{label or name} was never measured among the fit's patients: it cannot be changed")
        span = ranges[name]
        if not span.low <= value <= span.high:
            raise ModelMistake(
                f"{label or name} {value:g} {unit} is outside what was observed among the fit's patients "
                f"({span.low:g} to {span.high:g} {unit}): the model would only guess"
            )
        set_last(series[0], scaler.series_names.index(name), value)
    return replace(arrays, series=series)


def set_last(series: np.ndarray, index: int, value: float) -> None:
    """Leave the value in the last hour of variable `index` of (V, H) that has one; in the last hour where none has."""
    known = np.flatnonzero(np.isfinite(series[index]))
    series[index, known[-1] if len(known) else -1] = value


def silenced(arrays: CohortArrays, muted: Sequence[str], windows: Sequence[tuple[float, float, str]]) -> CohortArrays:
    """Return the case of one with leads, and windows (start s, end s, lead or "" for all), of its ECG at 0 mV.

    Raises: ModelMistake for an unknown lead, a window outside the ten seconds that the model reads, or no ECG.
    """
    if not muted and not windows:
        return arrays
    if not arrays.ecg_present[0]:
        raise ModelMistake("there is no ECG that the model reads: nothing of it can be silenced")
    strange = [lead for lead in (*muted, *(lead for *_, lead in windows if lead)) if lead not in LEADS]
    if strange:
        raise ModelMistake(f"unknown lead {', '.join(strange)}; known: {', '.join(LEADS)}")
    ecg_uv = arrays.ecg_uv.copy()
    for lead in muted:
        ecg_uv[0, LEADS.index(lead)] = 0
    seconds = ecg_uv.shape[-1] / MODEL_FS
    for start, end, lead in windows:
        if not 0 <= start < end <= seconds:
            raise ModelMistake(f"{start:g} to {end:g} s is no window within the {seconds:g} s that the model reads")
        first, last = round(start * MODEL_FS), round(end * MODEL_FS)
        ecg_uv[0, LEADS.index(lead) if lead else slice(None), first:last] = 0
    return replace(arrays, ecg_uv=ecg_uv)

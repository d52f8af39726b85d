"""A case and the hour of the prediction in, the cohort of one out that the model reads; what was left out is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lemof_core.batch import CohortArrays
from lemof_core.ecg_signal import PreparedEcg, to_int16_uv
from lemof_core.ehr_series import N_HOURS, Scaler, hourly_grid
from lemof_core.errors import ModelMistake
from lemof_core.live.case import LiveCase

SAMPLE_ID = "live"


def one_row(
    scaler: Scaler,
    variables: list[dict[str, Any]],
    t0_hours: float,
    case: LiveCase,
    ecg: PreparedEcg | None,
    measured: dict[str, float],
    notes: list[str],
) -> tuple[CohortArrays, int]:
    """Return the case as a cohort of one, and how many charted values are in it.

    Args:
        variables: the catalogue's rows: name, label, unit, low, high.
        measured: name -> value, what was measured from the ECG.
        t0_hours: from ICU admission; the model reads the N_HOURS before it.
        notes: gets a sentence for everything that was given and not used.
    Raises: ModelMistake for a variable that the model does not know.
    """
    column = {name: index for index, name in enumerate(scaler.series_names)}
    unknown = sorted(
        {name for name in case.variable if name not in column} | (set(case.static) - set(scaler.static_names))
    )
    if unknown:
        known = ", ".join((*scaler.series_names, *scaler.static_names))
        raise ModelMistake(f"unknown variable {', '.join(unknown)}; this model knows: {known}")
    values = pd.DataFrame(
        {
            "row": 0,
            "column": [column[name] for name in case.variable],
            "offset_s": case.offset_s,
            "stored_offset_s": case.stored_offset_s,
            "value": case.value,
        }
    )
    values = values[_plausible(case, variables, notes)]
    values = values[_in_window(values, t0_hours * 3600, notes)]
    series = hourly_grid(values, n_samples=1, n_variables=len(column), t0_offset_s=np.array([t0_hours * 3600]))
    static = np.array([[case.static.get(name, np.nan) for name in scaler.static_names]], dtype=np.float32)
    usable = ecg is not None and ecg.usable
    ecg_uv = to_int16_uv(ecg.ecg_mv)[None] if ecg is not None and usable else np.zeros((1, 12, 1000), dtype=np.int16)
    arrays = CohortArrays(
        sample_ids=(SAMPLE_ID,),
        subject_ids=np.zeros(1, dtype=np.int64),
        ecg_uv=ecg_uv,
        ecg_present=np.array([usable]),
        series=series,
        static=static,
        labels=np.zeros(1, dtype=np.float32),
        aux=np.array([[measured.get(name, np.nan) for name in scaler.aux_names]], dtype=np.float32),
        series_names=scaler.series_names,
        static_names=scaler.static_names,
        aux_names=scaler.aux_names,
    )
    return arrays, len(values)


def _in_window(values: pd.DataFrame, t0_s: float, notes: list[str]) -> pd.Series:
    """Return which values lie in the hours that the model reads; say how many do not, and why."""
    late = (values["offset_s"] > t0_s) | (values["stored_offset_s"] > t0_s)
    early = values["offset_s"] < t0_s - N_HOURS * 3600
    at = f"the prediction at {t0_s / 3600:g} h after ICU admission"
    if late.any():
        notes.append(f"{int(late.sum())} values charted or stored after {at} were not used.")
    if early.any():
        notes.append(f"{int(early.sum())} values charted more than {N_HOURS} h before {at} were not used.")
    return ~(late | early)


def _plausible(case: LiveCase, variables: list[dict[str, Any]], notes: list[str]) -> np.ndarray:
    """Return (n,) which values lie within their variable's plausible range; say by variable what was left out."""
    limits = {row["name"]: row for row in variables}
    keep = np.ones(len(case.variable), dtype=bool)
    refused: dict[str, list[float]] = {}
    for index, (name, value) in enumerate(zip(case.variable, case.value, strict=True)):
        row = limits.get(name, {})
        low, high = row.get("low"), row.get("high")
        if not np.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            keep[index] = False
            refused.setdefault(name, []).append(float(value))
    for name, numbers in refused.items():
        row = limits.get(name, {})
        plausible = " to ".join("no limit" if row.get(end) is None else f"{row[end]:g}" for end in ("low", "high"))
        some = ", ".join(f"{number:g}" for number in numbers[:3]) + (", ..." if len(numbers) > 3 else "")
        notes.append(
            f"{row.get('label', name)}: {len(numbers)} values outside the plausible range {plausible} "
            f"{row.get('unit', '')} were not used ({some}); is the unit right?"
        )
    return keep

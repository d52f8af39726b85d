"""A loaded model and a case in, prediction and explanation out: the code path of the stored predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lemof_core.batch import CohortArrays
from lemof_core.ecg_measure import measure_ecg
from lemof_core.ecg_signal import PreparedEcg, arrange_leads, prepare_ecg, to_int16_uv
from lemof_core.ehr_series import hourly_grid
from lemof_core.errors import ModelMistake
from lemof_core.explain.scored import array_specs, score_samples
from lemof_core.fusion.lemof import LemofModel
from lemof_core.live.case import LiveCase

SAMPLE_ID = "live"


def predict_case(
    model: LemofModel, variables: list[dict[str, Any]], case: LiveCase
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return (document, arrays) of a LiveResult; raise ModelMistake for what cannot be read."""
    notes: list[str] = []
    ecg, measured = _prepare(case, notes)
    arrays = _one_row(model, case, variables, ecg, notes)
    cohort = model.scaler.transform(arrays)
    scored = score_samples(model, cohort, np.array([0]))
    prediction = scored.predictions.iloc[0].to_dict()
    if ecg is None or not ecg.usable:
        notes.append("Predicted from the health record alone: the model has a path of its own for that.")
    document = {
        "prediction": {name: _plain(value) for name, value in prediction.items()},
        "branch_values": scored.branch_values.to_dict("records"),
        "level_scores": scored.level_scores.to_dict("records"),
        "input_effect": scored.input_effects.iloc[0].to_dict() if len(scored.input_effects) else None,
        "calibration": model.calibration[str(prediction["path"])],
        "axes": {name: spec.axes for name, spec in array_specs(model).items()},
        "quality": None if ecg is None else {lead: list(flags) for lead, flags in ecg.quality.items()},
        "measurements": measured,
        "notes": notes,
    }
    return document, {name: rows[0] for name, rows in scored.arrays.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _prepare(case: LiveCase, notes: list[str]) -> tuple[PreparedEcg | None, dict[str, float]]:
    if case.p_signal is None:
        return None, {}
    units = case.units or None
    ecg = prepare_ecg(case.p_signal, fs=case.fs, sig_name=case.sig_name, units=units)
    arranged = arrange_leads(case.p_signal, sig_name=case.sig_name, units=units)
    if not ecg.usable:
        notes.append("The ECG is not good enough to predict from; see the quality flags of its leads.")
    flagged = {lead: flags for lead, flags in ecg.quality.items() if flags}
    if flagged:
        notes.append("ECG quality: " + "; ".join(f"{lead}: {', '.join(flags)}" for lead, flags in flagged.items()))
    measured = measure_ecg(arranged, case.fs)
    return ecg, {name: float(value) for name, value in measured.items() if np.isfinite(value)}


def _one_row(
    model: LemofModel, case: LiveCase, variables: list[dict[str, Any]], ecg: PreparedEcg | None, notes: list[str]
) -> CohortArrays:
    """Return the case as a cohort of one."""
    scaler = model.scaler
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
    late = (values["offset_s"] > case.t0_offset_s) | (values["stored_offset_s"] > case.t0_offset_s)
    if late.any():
        notes.append(f"{int(late.sum())} values charted or stored after the prediction time were not used.")
    t0 = np.array([case.t0_offset_s])
    series = hourly_grid(values, n_samples=1, n_variables=len(column), t0_offset_s=t0)
    static = np.array([[case.static.get(name, np.nan) for name in scaler.static_names]], dtype=np.float32)
    usable = ecg is not None and ecg.usable
    ecg_uv = to_int16_uv(ecg.ecg_mv)[None] if ecg is not None and usable else np.zeros((1, 12, 1000), dtype=np.int16)
    return CohortArrays(
        sample_ids=(SAMPLE_ID,),
        subject_ids=np.zeros(1, dtype=np.int64),
        ecg_uv=ecg_uv,
        ecg_present=np.array([usable]),
        series=series,
        static=static,
        labels=np.zeros(1, dtype=np.float32),
        aux=np.full((1, len(scaler.aux_names)), np.nan, dtype=np.float32),
        series_names=scaler.series_names,
        static_names=scaler.static_names,
        aux_names=scaler.aux_names,
    )


def _plausible(case: LiveCase, variables: list[dict[str, Any]], notes: list[str]) -> np.ndarray:
    """Return (n,) which values lie within their variable's plausible range; say what was left out."""
    limits = {row["name"]: row for row in variables}
    keep = np.ones(len(case.variable), dtype=bool)
    for index, (name, value) in enumerate(zip(case.variable, case.value, strict=True)):
        row = limits.get(name, {})
        low, high = row.get("low"), row.get("high")
        if not np.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            keep[index] = False
            notes.append(
                f"{row.get('label', name)} {value:g} {row.get('unit', '')} is outside the plausible range "
                f"{low:g} to {high:g} "
                "and was not used; is the unit right?"
            )
    return keep

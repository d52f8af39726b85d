"""A loaded model and a case in, prediction and explanation out: the code path of the stored predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lemof_core.batch import CohortArrays
from lemof_core.ecg_measure import measure_ecg
from lemof_core.ecg_signal import LEADS, PreparedEcg, arrange_leads, prepare_ecg
from lemof_core.errors import ModelMistake
from lemof_core.explain.scored import array_specs, score_samples
from lemof_core.fusion.lemof import LemofModel
from lemof_core.live.case import LiveCase
from lemof_core.live.counterfactual import as_rows, counterfactual
from lemof_core.live.one_row import one_row
from lemof_core.live.what_if import edited, observed, silenced

REQUIRED = ("age", "sex")
FEWEST_ANYWHERE = 5  # known variables below which the reader is warned whatever the fit patients had


@dataclass(frozen=True)
class LiveModel:
    """A loaded run: the model, the catalogue's rows it was fitted with, and t0 in hours from ICU admission."""

    model: LemofModel
    variables: list[dict[str, Any]]
    t0_hours: float


def predict_case(live: LiveModel, case: LiveCase) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return (document, arrays) of a LiveResult; raise ModelMistake for what cannot be read or predicted."""
    notes: list[str] = []
    model = live.model
    arrays, ecg, measured, n_values = read_arrays(live, case, notes)
    given = _given(live, case, arrays.series[0], n_values, notes)
    scored = score_samples(model, model.scaler.transform(arrays), np.array([0]), explain=case.explain)
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
        "trust": scored.trust.astype(object).where(scored.trust.notna(), None).to_dict("records"),
        "quality": None if ecg is None else {lead: list(flags) for lead, flags in ecg.quality.items()},
        "measurements": measured,
        "given": given,
        "notes": notes,
    }
    return document, {name: rows[0] for name, rows in scored.arrays.items()}


def read_arrays(
    live: LiveModel, case: LiveCase, notes: list[str]
) -> tuple[CohortArrays, PreparedEcg | None, dict[str, float], int]:
    """Return the case as a cohort of one with its what-ifs made, its ECG, what was measured in it, how many values."""
    ecg, measured = _prepare(case, notes)
    arrays, n_values = one_row(live.model.scaler, live.variables, live.t0_hours, case, ecg, measured, notes)
    arrays = edited(arrays, live.model.scaler, live.variables, case.edits)
    return silenced(arrays, case.muted, case.silenced), ecg, measured, n_values


def changes_of(live: LiveModel, case: LiveCase, threshold: float) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return (document, arrays) of LiveChanges; raise ModelMistake for what cannot be read or predicted."""
    arrays, _, _, n_values = read_arrays(live, case, [])
    _given(live, case, arrays.series[0], n_values, [])
    changes, crosses = counterfactual(live.model, arrays, threshold)
    return {"changes": as_rows(changes), "crosses": crosses}, {}


def ranges_of(live: LiveModel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return (document, arrays): variable -> [lowest, highest] value observed among the training patients."""
    return {name: [span.low, span.high] for name, span in observed(live.model.scaler).items()}, {}


def _given(live: LiveModel, case: LiveCase, series: np.ndarray, n_values: int, notes: list[str]) -> dict[str, Any]:
    """Return what is known of the patient; refuse what no path was fitted for, and warn where little is known.

    An ECG with an empty record is such a case: every fit patient had a record, so no path reads an ECG alone.
    """
    missing = [name for name in REQUIRED if name in live.model.scaler.static_names and name not in case.static]
    if missing:
        raise ModelMistake(f"{' and '.join(missing)} must be given: every patient of the fit had them")
    n_known, n_series = _n_known(series), len(series)
    if not n_known:
        raise ModelMistake(
            "no vital sign or laboratory value reaches the model, and no path was fitted for an ECG alone: give values "
            f"charted in the {series.shape[-1]} h before the prediction at {live.t0_hours:g} h after ICU admission"
        )
    in_fit = [_n_known(own) for own in live.model.input_background.arrays.series]
    fewest = min(in_fit)
    if n_known < max(fewest, FEWEST_ANYWHERE):
        notes.insert(
            0,
            f"Only {n_known} of {n_series} vital signs and laboratory values are known. The {len(in_fit)} fit patients "
            f"that this run keeps had {fewest} to {max(in_fit)}: so sparse a record was hardly seen in the fit, and "
            "the probability below mostly says what is unknown.",
        )
    return {
        "n_values": n_values,
        "n_variables": n_known,
        "n_series": n_series,
        "fewest": fewest,
        "static": dict(case.static),
    }


def _n_known(series: np.ndarray) -> int:
    """Return how many of the variables of (V, H) have a value in some hour."""
    return int(np.isfinite(series).any(axis=-1).sum())


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _prepare(case: LiveCase, notes: list[str]) -> tuple[PreparedEcg | None, dict[str, float]]:
    if case.signal_mv is None:
        return None, {}
    ecg = prepare_ecg(case.signal_mv, fs=case.fs, sig_name=case.sig_name)
    arranged = arrange_leads(case.signal_mv, sig_name=case.sig_name)
    if not ecg.usable:
        notes.append("The ECG is not good enough to predict from; see the quality flags of its leads.")
    flagged = {lead: flags for lead, flags in ecg.quality.items() if flags}
    if flagged:
        notes.append("ECG quality: " + "; ".join(f"{lead}: {', '.join(flags)}" for lead, flags in flagged.items()))
    # What is muted is not measured either; what trees read must not know more than the networks.
    arranged[[LEADS.index(lead) for lead in case.muted if lead in LEADS]] = np.nan
    measured = measure_ecg(arranged, case.fs)
    return ecg, {name: float(value) for name, value in measured.items() if np.isfinite(value)}

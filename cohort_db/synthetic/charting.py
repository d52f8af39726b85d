"""In: patients and a random generator. Out: when each series was charted and stored, and the values as written.

Times are whole minutes after the minute of ICU admission; t0 is minute 1,440. Nothing is charted or stored exactly at
t0, so "up to t0" and "before t0" select the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohort_db.synthetic.patients import BoolArray, FloatArray, IntArray, Patients
from cohort_db.synthetic.series import PANELS, Panel, Series, panel_series

T0_MINUTE = 24 * 60
HORIZON_H = 96
_DENSE_VITALS_H, _SPARSE_VITALS_H = 30, 4
_P_VITAL_SKIPPED, _P_LAB_SKIPPED = 0.02, 0.04
_P_VITAL_IMPLAUSIBLE, _P_LAB_WITHOUT_NUMBER = 0.0004, 0.004
_P_STORED_LATE = 0.04
# How far one unit of `shift` moves a value after t0, along its own load on severity.
_FULL_SHIFT_AFTER_MINUTES = 36 * 60


@dataclass(frozen=True)
class ChartedPanel:
    """One panel of n patients at m times. Every array is (n, m); the dicts are keyed by series name.

    Args:
        minute, stored: time of charting and of storing.
        present: the value was charted, if the patient was still there.
        spoiled: a row is written, yet without a usable number (implausible, or no number at all).
        raw: value on the series' own scale (log where `Series.log`), before clipping and rounding.
    """

    panel: Panel
    minute: IntArray
    stored: IntArray
    present: dict[str, BoolArray]
    spoiled: dict[str, BoolArray]
    raw: dict[str, FloatArray]


def chart_patients(
    patients: Patients, rng: np.random.Generator, *, horizon_h: int = HORIZON_H, panels: tuple[str, ...] = ()
) -> dict[str, ChartedPanel]:
    """Every panel, or those named, is charted up to the horizon; what precedes t0 does not depend on the horizon."""
    return {
        panel.name: _chart_panel(patients, panel, rng, horizon_h)
        for panel in PANELS
        if not panels or panel.name in panels
    }


def written_values(charted: ChartedPanel, shift: FloatArray | None = None) -> dict[str, FloatArray]:
    """The numbers that go into the CSV: derived series added, clipped and rounded, by series name, each (n, m).

    Args:
        shift: per patient, how much worse (> 0) or better (< 0) severity gets after t0. It leaves all earlier values
            as they are, so a model that peeks behind t0 gains an advantage that a test can see.
    """
    progress = np.clip((charted.minute - T0_MINUTE) / _FULL_SHIFT_AFTER_MINUTES, 0.0, 1.0)
    written: dict[str, FloatArray] = {}
    for series in panel_series(charted.panel.name):
        value: FloatArray = charted.raw[series.name]
        if shift is not None:
            load = series.loads.get("severity", 0.0) + 0.5 * series.loads.get("sepsis", 0.0)
            value = value + load * series.between_sd * progress * shift[:, None]
        if series.log:
            value = np.exp(value)
        if series.name in _DERIVED:
            value = value + _DERIVED[series.name](written)
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        clipped: FloatArray = np.clip(value, series.low, series.high)
        written[series.name] = np.round(clipped, series.decimals) + 0.0
    if "coma" in written:
        written |= _gcs_components(written.pop("coma"))
    return written


def _chart_panel(patients: Patients, panel: Panel, rng: np.random.Generator, horizon_h: int) -> ChartedPanel:
    """Times are increasing along a row; absent values are marked, never left out, so that arrays stay rectangular."""
    minute = _minutes(patients.n, panel, rng, horizon_h)
    shape = minute.shape
    stored = _stored(minute, panel, rng)
    log_odds = np.log(panel.p_measured / (1 - panel.p_measured)) if panel.p_measured < 1 else np.inf
    driver = patients.latents[panel.driver] if panel.driver else np.zeros(patients.n)
    measured = rng.random(patients.n) < 1 / (1 + np.exp(-(log_odds + 0.6 * driver)))
    p_skipped = _P_LAB_SKIPPED if panel.lab else _P_VITAL_SKIPPED
    p_spoiled = _P_LAB_WITHOUT_NUMBER if panel.lab else _P_VITAL_IMPLAUSIBLE
    possible = measured[:, None] & (minute <= horizon_h * 60)
    present, spoiled, raw = {}, {}, {}
    for series in panel_series(panel.name):
        present[series.name] = possible & (rng.random(shape) >= p_skipped)
        spoiled[series.name] = rng.random(shape) < p_spoiled
        raw[series.name] = _trajectory(patients, series, minute, rng)
    if panel.name == "gcs":
        spoiled["coma"][:] = False
    return ChartedPanel(panel, minute, stored, present, spoiled, raw)


def _trajectory(patients: Patients, series: Series, minute: IntArray, rng: np.random.Generator) -> FloatArray:
    """A patient's level, a slow drift over the stay and independent noise, on the series' own scale; (n, m)."""
    centre = np.log(series.centre) if series.log else series.centre
    level = sum((w * patients.latents[name] for name, w in series.loads.items()), np.zeros(patients.n))
    own_sd = np.sqrt(max(0.0, 1 - sum(w**2 for w in series.loads.values())))
    level = centre + series.between_sd * (level + own_sd * rng.standard_normal(patients.n))
    drift = series.within_sd * rng.standard_normal(patients.n)
    spread = np.full(patients.n, series.within_sd)
    if series.name == "heart_rate":
        # Some hearts are restless: the spread itself differs, more so with a propensity to dysrhythmia.
        spread = spread * np.exp(0.35 * rng.standard_normal(patients.n) + 0.15 * patients.latents["dysrhythmia"])
    noise = spread[:, None] * rng.standard_normal(minute.shape)
    return np.asarray(level[:, None] + drift[:, None] * (minute / T0_MINUTE - 0.5) + noise)


def _minutes(n: int, panel: Panel, rng: np.random.Generator, horizon_h: int) -> IntArray:
    """Charting times (n, m), strictly increasing along each row and never at t0 itself."""
    if panel.name == "vitals":
        dense = np.arange(min(horizon_h, _DENSE_VITALS_H))
        hours = np.concatenate([dense, np.arange(_DENSE_VITALS_H, horizon_h, _SPARSE_VITALS_H)])
        minute = 60 * hours[None, :] + rng.integers(1, 41, (n, len(hours)))
    elif not panel.lab:
        hours = np.arange(0, horizon_h, panel.interval_h[0])
        minute = (60 * hours[None, :]).astype(np.int64) + rng.integers(1, 41, (n, len(hours)))
    else:
        n_times = int(np.ceil(horizon_h / panel.interval_h[0])) + 1
        interval = rng.uniform(*panel.interval_h, n)[:, None] * 60
        first = rng.uniform(10, 180, n)[:, None]
        jitter = rng.uniform(-25, 25, (n, n_times))
        minute = np.maximum(np.round(first + interval * np.arange(n_times) + jitter), 2).astype(np.int64)
    return np.asarray(minute + (minute == T0_MINUTE), dtype=np.int64)


def _stored(minute: IntArray, panel: Panel, rng: np.random.Generator) -> IntArray:
    """Storing times: minutes after charting, about an hour for a laboratory, and hours for a few late results."""
    if panel.lab:
        delay = 25 + rng.gamma(3.0, 15.0, minute.shape)
        late = rng.random(minute.shape) < _P_STORED_LATE
        delay = delay + late * rng.uniform(180, 600, minute.shape)
    else:
        delay = 1 + np.minimum(rng.exponential(15.0, minute.shape), 90)
    stored = minute + np.round(delay).astype(np.int64)
    return np.asarray(stored + (stored == T0_MINUTE), dtype=np.int64)


def _ph(written: dict[str, FloatArray]) -> FloatArray:
    """Lower with carbon dioxide (0.008 a mm Hg, partly compensated) and with lactate."""
    return np.asarray(7.41 - 0.006 * (written["pco2"] - 40) - 0.025 * (written["lactate"] - 1.6))


def _base_excess(written: dict[str, FloatArray]) -> FloatArray:
    """Van Slyke's equation in its short form; bicarbonate by Henderson-Hasselbalch."""
    bicarbonate = 0.0307 * written["pco2"] * 10 ** (written["ph"] - 6.1)
    return np.asarray(0.93 * (bicarbonate - 24.4) + 13.8 * (written["ph"] - 7.4))


_DERIVED = {
    "map": lambda w: (w["sbp"] + 2 * w["dbp"]) / 3,
    "anion_gap": lambda w: w["sodium"] - w["chloride"] - w["bicarbonate"],
    "hematocrit": lambda w: 2.95 * w["hemoglobin"],
    "ph": _ph,
    "base_excess": _base_excess,
}


def _gcs_components(coma: FloatArray) -> dict[str, FloatArray]:
    """Eye 1-4, verbal 1-5 and motor 1-6 points: each step of coma costs points, speech first."""

    def points(best: int, thresholds: tuple[float, ...]) -> FloatArray:
        return np.asarray(best - np.searchsorted(np.asarray(thresholds), coma), dtype=np.float64)

    return {
        "gcs_eye": points(4, (0.9, 1.5, 2.2)),
        "gcs_verbal": points(5, (0.3, 1.0, 1.5, 2.0)),
        "gcs_motor": points(6, (1.1, 1.6, 2.0, 2.4, 2.9)),
    }

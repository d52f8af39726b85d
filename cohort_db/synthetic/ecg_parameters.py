"""In: u (the EHR before t0) and uniform numbers. Out: the ECG parameters e, drawn from known densities p(e | u).

Every parameter is an inverse distribution function of one uniform number, so that the same lines serve random draws
(a cohort) and quasi-random integration (E over e | u). Diseases act on the ECG through u alone; otherwise the truth
E[y | e, u] could not be computed. The odds and slopes are ours, chosen for plausible direction and frequency.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtri

from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import AGE_CENTRE, AGE_SD, FloatArray

SIGNAL_UNIFORMS = ("af", "rate", "st_class", "st_amount", "t_scale", "notch")
OTHER_UNIFORMS = ("rr_cv", "pvc", "bundle", "lvh", "long_qt", "qtc", "hyperk", "voltage", "axis", "pr", "qrs")
ECG_FLAGS = ("af", "pvc", "lbbb", "rbbb", "ste_ant", "ste_inf", "std", "lvh", "long_qt", "hyperk", "tachy", "notch")
ECG_AMOUNTS = (
    "rate_bpm",
    "rr_cv",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtc_ms",
    "axis_deg",
    "st_mv",
    "t_scale",
    "notch_mv",
    "voltage",
)
_ST_CLASSES = ("none", "ste_ant", "ste_inf", "std")
_BUNDLES = ("none", "lbbb", "rbbb")
RATE_CENTRE_BPM = 87.0
NOTCH_CENTRE_MV = 0.15
_NOTCHED_MV = 0.25  # plain to see in several leads
_RATE_FOLLOWS_CHART, _RATE_LOG_SD, _RATE_LOG_AF = 0.4, 0.16, 0.12
_T_FOLLOWS_POTASSIUM, _T_LOG_SD = 0.06, 0.28
_AXIS_SD_DEG, _AXIS_LBBB_DEG, _AXIS_CENTRE_DEG = 18.0, -25.0, 45.0


def u_scores(u: Values) -> Values:
    """u on scales of about mean 0 and SD 1 among synthetic patients; skewed laboratory values on the log scale."""
    return {
        "age": (u["age"] - AGE_CENTRE) / AGE_SD,
        "heart_rate": (u["hr_mean"] - 86) / 14.5,
        "heart_rate_sd": np.log(np.maximum(u["hr_sd"], 1.0) / 6.0) / 0.38,
        "map": (u["map_mean"] - 82) / 9,
        "respiratory_rate": (u["rr_mean"] - 19.5) / 3.5,
        "spo2": (u["spo2_mean"] - 96.6) / 1.6,
        "creatinine": np.log(u["creatinine_last"] / 1.1) / 0.58,
        "potassium": (u["potassium_mean"] - 4.2) / 0.52,
        "magnesium": (u["magnesium_mean"] - 2.05) / 0.32,
        "calcium": (u["calcium_mean"] - 8.5) / 0.6,
        "lactate": np.log(u["lactate_max"] / 1.75) / 0.42,
        "troponin": np.log(u["troponin_last"] / 0.06) / 1.1,
    }


def draw_signal_parameters(z: Values, v: Values) -> Values:
    """The parameters through which the ECG can act on the outcome: rhythm, ST-T shape, QRS notch.

    Args:
        z: `u_scores`. v: uniform numbers by name of SIGNAL_UNIFORMS. Shapes broadcast, e.g. (n, 1) with (1, m).
    """
    e: Values = {"af": (v["af"] < expit(_af_log_odds(z))).astype(np.float64)}
    e["rate_bpm"] = np.exp(_log_rate_mean(z) + _RATE_LOG_AF * e["af"] + _RATE_LOG_SD * ndtri(v["rate"]))
    e |= _chosen(v["st_class"], _st_class_probabilities(z), _ST_CLASSES)
    normal = ndtri(v["st_amount"])
    elevation = np.where(e["ste_ant"] > 0, 0.24, 0.20) * np.exp(0.3 * normal)
    depression = -0.15 * np.exp(0.3 * normal)
    e["st_mv"] = np.where(
        e["ste_ant"] + e["ste_inf"] > 0, elevation, np.where(e["std"] > 0, depression, 0.01 + 0.05 * normal)
    )
    e["t_scale"] = np.exp(_T_FOLLOWS_POTASSIUM * z["potassium"] + _T_LOG_SD * ndtri(v["t_scale"]))
    e["notch_mv"] = NOTCH_CENTRE_MV * np.exp(0.5 * ndtri(v["notch"]))
    return e


def draw_ecg(z: Values, v: Values) -> Values:
    """All ECG parameters, arrays (n,): flags 0/1, times in ms, amplitudes in mV, PR NaN where there is no P wave."""
    e = draw_signal_parameters(z, v)
    af = e["af"] > 0
    sinus_cv, af_cv = 0.035 * np.exp(0.3 * ndtri(v["rr_cv"])), 0.21 * np.exp(0.15 * ndtri(v["rr_cv"]))
    e["rr_cv"] = np.where(af, af_cv, sinus_cv)
    e["tachy"] = ((e["rate_bpm"] > 100) & ~af).astype(np.float64)
    e["notch"] = (e["notch_mv"] > _NOTCHED_MV).astype(np.float64)
    e |= _chosen(v["bundle"], _bundle_probabilities(z), _BUNDLES)
    for flag, log_odds in _flag_log_odds(z).items():
        e[flag] = (v[flag] < expit(log_odds)).astype(np.float64)
    e["voltage"] = np.exp(0.16 * ndtri(v["voltage"]))
    e["axis_deg"] = _axis_mean(z) + _AXIS_LBBB_DEG * e["lbbb"] + _AXIS_SD_DEG * ndtri(v["axis"])
    e["qrs_ms"] = 92 + 5 * ndtri(v["qrs"]) + 50 * e["lbbb"] + 44 * e["rbbb"] + 26 * e["hyperk"]
    normal = ndtri(v["qtc"])
    e["qtc_ms"] = np.where(e["long_qt"] > 0, 510 + 16 * normal, 415 + 14 * normal)
    rr_s = 60 / e["rate_bpm"]
    # Bazett, so that QT is 415 ms at 60/min; a wide QRS prolongs QT by most of its excess.
    e["qt_ms"] = e["qtc_ms"] * np.sqrt(rr_s) + 0.8 * (e["qrs_ms"] - 92)
    e["pr_ms"] = np.where(af, np.nan, (162 + 14 * ndtri(v["pr"])) * (0.65 + 0.35 * np.sqrt(rr_s)))
    return e


def draw_uniforms(n: int, rng: np.random.Generator) -> Values:
    """One uniform number in (0, 1) for each parameter and patient."""
    return {name: rng.uniform(1e-12, 1.0, n) for name in SIGNAL_UNIFORMS + OTHER_UNIFORMS}


def evidence(e: Values) -> FloatArray:
    """(n, F): what e says about u. log p(e | u) = evidence(e) @ evidence_weights(u).T + a term of e alone."""
    columns = [e["af"], e["ste_ant"], e["ste_inf"], e["std"], e["lbbb"], e["rbbb"]]
    columns += [e[flag] for flag in ("pvc", "lvh", "long_qt", "hyperk")]
    columns += [
        (np.log(e["rate_bpm"]) - _RATE_LOG_AF * e["af"]) / _RATE_LOG_SD**2,
        np.log(e["t_scale"]) / _T_LOG_SD**2,
        (e["axis_deg"] - _AXIS_LBBB_DEG * e["lbbb"]) / _AXIS_SD_DEG**2,
        np.ones_like(e["af"]),
    ]
    return np.column_stack(columns)


def evidence_weights(u: Values) -> FloatArray:
    """(n, F): natural parameters of p(e | u), the last column minus the log normalisers."""
    z = u_scores(u)
    st, bundle, flags = _st_class_probabilities(z), _bundle_probabilities(z), _flag_log_odds(z)
    af, log_rate = _af_log_odds(z), _log_rate_mean(z)
    log_t, axis = _T_FOLLOWS_POTASSIUM * z["potassium"], _axis_mean(z)
    columns = [af, *(np.log(p / st[0]) for p in st[1:]), *(np.log(p / bundle[0]) for p in bundle[1:])]
    columns += [flags[flag] for flag in ("pvc", "lvh", "long_qt", "hyperk")]
    columns += [log_rate, log_t, axis]
    normaliser = np.logaddexp(0, af) - np.log(st[0]) - np.log(bundle[0])
    normaliser = normaliser + sum(np.logaddexp(0, log_odds) for log_odds in flags.values())
    normaliser = normaliser + 0.5 * (log_rate / _RATE_LOG_SD) ** 2 + 0.5 * (log_t / _T_LOG_SD) ** 2
    return np.column_stack([*columns, -(normaliser + 0.5 * (axis / _AXIS_SD_DEG) ** 2)])


def _af_log_odds(z: Values) -> FloatArray:
    return np.asarray(-2.2 + 0.7 * z["age"] + 0.35 * z["heart_rate"] + 0.6 * z["heart_rate_sd"])


def _log_rate_mean(z: Values) -> FloatArray:
    # A 10 s strip at another hour than the chart's mean: two fifths of the deviation is found again.
    charted = 86 + 14.5 * z["heart_rate"]
    return np.asarray(np.log(85.0) + _RATE_FOLLOWS_CHART * np.log(charted / 85.0))


def _axis_mean(z: Values) -> FloatArray:
    return np.asarray(_AXIS_CENTRE_DEG - 8 * z["age"])


def _flag_log_odds(z: Values) -> Values:
    return {
        "pvc": -2.3 - 0.5 * z["magnesium"],
        "lvh": -2.6 + 0.3 * z["age"] + 0.5 * z["map"],
        "long_qt": -2.9 - 0.5 * z["potassium"] - 0.4 * z["calcium"] - 0.3 * z["magnesium"],
        "hyperk": -5.5 + 2.2 * z["potassium"],
    }


def _st_class_probabilities(z: Values) -> tuple[FloatArray, ...]:
    troponin = z["troponin"]
    odds = (np.exp(-3.3 + 0.7 * troponin), np.exp(-3.4 + 0.7 * troponin), np.exp(-2.7 + 0.5 * troponin))
    return _shares(odds)


def _bundle_probabilities(z: Values) -> tuple[FloatArray, ...]:
    return _shares((np.exp(-3.1 + 0.4 * z["age"]), np.exp(-2.9 + 0.4 * z["age"])))


def _shares(odds: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    """Probabilities of (none, *classes) from odds against none."""
    total = 1.0 + sum(odds, np.zeros_like(odds[0]))
    return (1.0 / total, *(o / total for o in odds))


def _chosen(v: FloatArray, probabilities: tuple[FloatArray, ...], names: tuple[str, ...]) -> Values:
    """0/1 by class name, without the first class: the class whose interval of the unit line holds v."""
    chosen: Values = {}
    lower = probabilities[0]
    for name, probability in zip(names[1:], probabilities[1:], strict=True):
        chosen[name] = ((v >= lower) & (v < lower + probability)).astype(np.float64)
        lower = lower + probability
    return chosen

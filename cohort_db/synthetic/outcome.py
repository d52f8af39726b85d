"""In: u (EHR before t0), e (ECG parameters) and what is planted. Out: P(still in ICU after 72 h), exactly as generated.

    y ~ Bernoulli(sigmoid(eta(u, e) + h)),  h ~ N(0, 0.5^2) hidden
    eta = intercept + EHR effects(u) + sum over planted levels of  a * s(e) + k * s(e) * s(partner(u))

Each level pairs an ECG feature with an EHR partner that has no effect of its own:
    low   QRS notch       x low magnesium   a scarred heart matters when magnesium is low
    mid   ST-T shape      x high troponin   ST elevation with troponin is an infarct, without it a harmless variant
    high  fast, irregular x low potassium   a fast rhythm lasts while potassium is low
Hence late fusion of an ECG and an EHR score cannot reach E[y | e, u].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from cohort_db.synthetic.ecg_parameters import NOTCH_CENTRE_MV, RATE_CENTRE_BPM, u_scores
from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import FloatArray

LEVELS = ("low", "mid", "high")
PREVALENCE = 0.42
HIDDEN_SD = 0.5
_MAIN_STRENGTH, _INTERACTION_STRENGTH = 0.55, 1.35
# One level alone carries about the variance that the three carry together.
_ALONE = 1.75
_HERMITE_NODES, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_GRID_LIMIT, _GRID_STEP = 16.0, 0.004


@dataclass(frozen=True)
class Signal:
    """What is planted: `levels` of the ECG that matter, with or without effects of their own and interactions."""

    levels: tuple[str, ...]
    ecg_main: bool = True
    cross_modal: bool = True

    @property
    def strength(self) -> float:
        """Factor on all coefficients of the ECG."""
        return _ALONE if len(self.levels) == 1 else 1.0


def ehr_effects(u: Values) -> FloatArray:
    """What the EHR says by itself, in log-odds: coma, breathing, oxygen, kidney, lactate, low pressure, middle age."""
    z = u_scores(u)
    low_pressure = np.maximum(72 - u["map_mean"], 0)
    return np.asarray(
        0.17 * np.minimum(15 - u["gcs_min"], 9)
        + 0.31 * z["respiratory_rate"]
        - 0.31 * z["spo2"]
        + 0.36 * np.tanh(z["creatinine"])
        + 0.24 * z["lactate"]
        + 0.07 * low_pressure
        - 0.17 * z["age"] ** 2
    )


def ecg_scores(e: Values) -> Values:
    """s(e) in (-1, 1) by level."""
    notch = np.log(e["notch_mv"] / NOTCH_CENTRE_MV) / 0.5
    st_t = 0.8 * (e["st_mv"] - 0.01) / 0.06 + 0.6 * np.log(e["t_scale"]) / 0.28
    rhythm = 0.85 * np.log(e["rate_bpm"] / RATE_CENTRE_BPM) / 0.17 + 1.2 * (e["af"] - 0.13)
    return {"low": _bounded(notch), "mid": _bounded(st_t), "high": _bounded(rhythm)}


def partner_scores(u: Values) -> Values:
    """s(partner(u)) in (-1, 1) by level; 0 where the partner was never measured."""
    z = u_scores(u)
    return {"low": _bounded(-z["magnesium"]), "mid": _bounded(z["troponin"]), "high": _bounded(-z["potassium"])}


def _bounded(score: FloatArray) -> FloatArray:
    return np.asarray(np.tanh(1.5 * score))


@dataclass(frozen=True)
class Outcome:
    """The rule that draws y, with its intercept solved for the wanted prevalence."""

    signal: Signal
    intercept: float = 0.0

    def ecg_term(self, e: Values) -> FloatArray:
        """a * s(e), summed over the planted levels."""
        scores = ecg_scores(e)
        total = np.zeros_like(scores["low"])
        for level in self.signal.levels:
            total = total + self.main_weight * scores[level]
        return total

    def eta(self, u: Values, e: Values) -> FloatArray:
        """Log-odds given u and e, without the hidden part; shapes of u and e broadcast."""
        scores, partners = ecg_scores(e), partner_scores(u)
        total = self.intercept + ehr_effects(u) + self.ecg_term(e)
        for level in self.signal.levels:
            total = total + self.interaction_weight * scores[level] * partners[level]
        return np.asarray(total)

    @property
    def main_weight(self) -> float:
        """Coefficient a, the same for every planted level."""
        return _MAIN_STRENGTH * self.signal.strength if self.signal.ecg_main else 0.0

    @property
    def interaction_weight(self) -> float:
        """Coefficient k, the same for every planted level."""
        return _INTERACTION_STRENGTH * self.signal.strength if self.signal.cross_modal else 0.0

    def p_x(self, u: Values, e: Values) -> FloatArray:
        """E[y | u, e]: the hidden part integrated out."""
        return p_without_hidden(self.eta(u, e))


def p_without_hidden(eta: FloatArray) -> FloatArray:
    """E over h of sigmoid(eta + h), by Gauss-Hermite quadrature of 24 nodes."""
    weights = _HERMITE_WEIGHTS / _HERMITE_WEIGHTS.sum()
    total = np.zeros_like(eta)
    for node, weight in zip(_HERMITE_NODES, weights, strict=True):
        total = total + weight * expit(eta + HIDDEN_SD * node)
    return total


_P_ON_GRID = p_without_hidden(np.arange(-_GRID_LIMIT, _GRID_LIMIT + 2 * _GRID_STEP, _GRID_STEP))


def p_without_hidden_fast(eta: FloatArray) -> FloatArray:
    """The same within 1e-6, interpolated on an even grid (np.interp searches: ten times slower over 10^8 values)."""
    position = (np.clip(eta, -_GRID_LIMIT, _GRID_LIMIT) + _GRID_LIMIT) / _GRID_STEP
    index = position.astype(np.int32)
    lower = _P_ON_GRID.take(index)
    return np.asarray(lower + (position - index) * (_P_ON_GRID.take(index + 1) - lower))


def solved_outcome(signal: Signal, u: Values, e: Values) -> Outcome:
    """The rule whose mean probability over the patients (u, e) is PREVALENCE."""
    eta = Outcome(signal).eta(u, e)
    intercept = brentq(lambda b: float(p_without_hidden_fast(eta + b).mean()) - PREVALENCE, -8.0, 8.0)
    return Outcome(signal, float(intercept))

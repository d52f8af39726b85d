"""In: patients' u and e, and the outcome rule. Out: p_ehr, p_ecg and the drawn outcome, without any waveform.

    p_x   = E[y | u, e]
    p_ehr = E[y | u]  = mean of p_x over e | u, by a Sobol sequence through the inverse distribution functions
    p_ecg = E[y | e]  = mean of p_x over u | e, by weighting a pool of patients u_j with the density p(e | u_j)
A missing ECG depends on u alone, so p_x of such a stay is p_ehr and both expectations stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import qmc

from cohort_db.synthetic.charting import chart_patients
from cohort_db.synthetic.ecg_parameters import (
    SIGNAL_UNIFORMS,
    draw_ecg,
    draw_signal_parameters,
    draw_uniforms,
    evidence,
    evidence_weights,
    u_scores,
)
from cohort_db.synthetic.observed import U_PANELS, Values, observe
from cohort_db.synthetic.outcome import (
    HIDDEN_SD,
    Outcome,
    Signal,
    ecg_scores,
    ehr_effects,
    p_without_hidden_fast,
    partner_scores,
    solved_outcome,
)
from cohort_db.synthetic.patients import BoolArray, FloatArray, draw_patients

_POOL_SEED, _POOL_SIZE = 20_261_120, 8192
_SOBOL_LOG2 = 9
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Draw:
    """n patients without waveforms. All arrays (n,); `has_ecg` tells where e was recorded.

    v holds the uniform numbers that made e: with some of them drawn anew, another ECG of the same heart.
    """

    u: Values
    v: Values
    e: Values
    has_ecg: BoolArray
    y: BoolArray
    p_latent: FloatArray
    p_x: FloatArray


def draw_u(n: int, rng: np.random.Generator) -> Values:
    """u of n new patients: only the panels that u needs, and only up to t0, are charted."""
    patients = draw_patients(n, rng)
    return observe(patients, chart_patients(patients, rng, horizon_h=24, panels=U_PANELS))


class Truth:
    """The generator's own knowledge for one choice of what is planted and how ECGs go missing.

    Args:
        ecg_missing: share of stays without an ECG. informative: the well are left without one more often.
    """

    def __init__(self, signal: Signal, *, ecg_missing: float = 0.0, informative: bool = False) -> None:
        # One fixed pool for every seed: the rule is a property of the settings, the seed draws patients from it.
        rng = np.random.default_rng(_POOL_SEED)
        self._pool = draw_u(_POOL_SIZE, rng)
        pool_e = draw_ecg(u_scores(self._pool), draw_uniforms(_POOL_SIZE, rng))
        self.outcome: Outcome = solved_outcome(signal, self._pool, pool_e)
        self._rate, self._informative, self._missing_intercept = ecg_missing, informative, 0.0
        if informative and 0 < ecg_missing < 1:
            score = _wellness(self._pool)
            self._missing_intercept = float(brentq(lambda b: float(expit(b + score).mean()) - ecg_missing, -15.0, 15.0))

    def p_missing(self, u: Values) -> FloatArray:
        """Probability that a stay has no ECG up to t0."""
        if self._informative and 0 < self._rate < 1:
            return np.asarray(expit(self._missing_intercept + _wellness(u)))
        return np.full(len(u["age"]), self._rate)

    def draw(self, n: int, rng: np.random.Generator) -> Draw:
        """n stays with their outcome, by the same steps as a written cohort."""
        return self.draw_outcome(draw_u(n, rng), rng)

    def draw_outcome(self, u: Values, rng: np.random.Generator) -> Draw:
        """ECG parameters, presence of the ECG and outcome of the patients u; p_x of a stay without ECG is p_ehr."""
        n = len(u["age"])
        v = draw_uniforms(n, rng)
        e = draw_ecg(u_scores(u), v)
        has_ecg = rng.random(n) >= self.p_missing(u)
        p_latent = expit(self.outcome.eta(u, e) + HIDDEN_SD * rng.standard_normal(n))
        y = rng.random(n) < p_latent
        p_x = self.outcome.p_x(u, e)
        if not has_ecg.all():
            p_x = np.where(has_ecg, p_x, self.p_ehr(u))
        return Draw(u, v, e, has_ecg, y, p_latent, p_x)

    def p_ehr(self, u: Values) -> FloatArray:
        """E[y | u] within about 0.003."""
        # Scrambled with a fixed seed: the same points for every patient, away from the corner 0.
        points = qmc.Sobol(len(SIGNAL_UNIFORMS), seed=0).random_base2(_SOBOL_LOG2)
        v = {name: points[None, :, i] for i, name in enumerate(SIGNAL_UNIFORMS)}
        n = len(u["age"])
        result = np.empty(n)
        for start in range(0, n, _ROWS_AT_ONCE):
            rows = {name: values[start : start + _ROWS_AT_ONCE, None] for name, values in u.items()}
            e = draw_signal_parameters(u_scores(rows), v)
            eta = self.outcome.eta(rows, e)
            result[start : start + _ROWS_AT_ONCE] = p_without_hidden_fast(eta).mean(1)
        return result

    def p_ecg(self, e: Values, has_ecg: BoolArray) -> FloatArray:
        """E[y | e] where there is an ECG, E[y | no ECG] where there is none.

        The pool's error is about 0.003, and up to 0.01 when nine of ten ECGs are missing informatively.
        """
        pool, missing = self._pool, self.p_missing(self._pool)
        result = np.empty(len(has_ecg))
        if not has_ecg.all():
            result[~has_ecg] = np.average(self.p_ehr(pool), weights=missing)
        rows = np.flatnonzero(has_ecg)
        weights_of_u, base = evidence_weights(pool), self.outcome.intercept + ehr_effects(pool)
        partners = partner_scores(pool)
        levels = self.outcome.signal.levels
        slopes = np.array([self.outcome.interaction_weight * partners[level] for level in levels])
        log_present = np.log1p(-np.minimum(missing, 1 - 1e-12))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            at = rows[start : start + _ROWS_AT_ONCE]
            part = {name: values[at] for name, values in e.items()}
            log_weight = evidence(part) @ weights_of_u.T + log_present
            weight = np.exp(log_weight - log_weight.max(1, keepdims=True))
            eta = base[None, :] + self.outcome.ecg_term(part)[:, None]
            if levels:
                scores = ecg_scores(part)
                eta = eta + np.column_stack([scores[level] for level in levels]) @ slopes
            result[at] = (weight * p_without_hidden_fast(eta)).sum(1) / weight.sum(1)
        return result


def _wellness(u: Values) -> FloatArray:
    """Log-odds of going without an ECG: calm heart, no troponin, young."""
    z = u_scores(u)
    return np.asarray(-0.5 * z["heart_rate"] - 0.5 * z["troponin"] - 0.4 * z["age"])

"""In: the drawn label and severity. Out: when each stay ends, and whether by death; consistent with the label.

Death is a share of y = 0 (before 72 h) and of y = 1 (later), drawn after the label: so E[y | u, e] holds with deaths
counted as what they are, stays that ended before 72 h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cohort_db.synthetic.patients import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class StayEnd:
    """Length of stay in whole minutes, and whether it ended with death; both (n,)."""

    los_minutes: IntArray
    died: BoolArray


def draw_stay_end(y: BoolArray, severity: FloatArray, rng: np.random.Generator) -> StayEnd:
    """y = 1: beyond 72 h, skewed, at most 20 days. y = 0: between 24 and 72 h; about one in ten of them dies."""
    n = len(y)
    short_h = 24.2 + 47.6 * rng.beta(1.5, 1.3, n)
    long_h = np.minimum(72.2 + np.exp(np.log(55.0) + 0.95 * rng.standard_normal(n) + 0.1 * severity), 480.0)
    died = rng.random(n) < np.where(y, expit(-2.3 + 0.6 * severity), expit(-2.25 + 0.9 * severity))
    return StayEnd(np.round(60 * np.where(y, long_h, short_h)).astype(np.int64), died)


def draw_early_end(severity: FloatArray, rng: np.random.Generator) -> StayEnd:
    """Stays that end before t0, a few of them by death."""
    n = len(severity)
    return StayEnd(
        np.round(60 * rng.uniform(4, 23.5, n)).astype(np.int64), rng.random(n) < expit(-2.0 + 0.8 * severity)
    )

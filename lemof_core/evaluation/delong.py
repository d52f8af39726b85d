"""Outcomes and the scores of two models for the same samples in, the difference of their AUROCs with its test out.

The test is DeLong's (DeLong, DeLong and Clarke-Pearson 1988) by the ranks of Sun and Xu (2014); patients with several
samples are taken together as Obuchowski (1997) does, and with one sample each it is DeLong's own. Written out because
no maintained library has it: scikit-learn, scipy and statsmodels know the AUROC, and no covariance of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from lemof_core.evaluation.metrics import MIN_EVENTS, Z_95


@dataclass(frozen=True)
class AurocDifference:
    """AUROC of the first model minus that of the second, with standard error, 95 % interval, z and two-sided p.

    z and p are None where the difference has no spread though it is not 0, which needs a model that ranks everybody
    right and one that ranks everybody wrong.
    """

    first: float
    second: float
    value: float
    se: float
    lo: float
    hi: float
    z: float | None
    p: float | None
    n: int
    events: int


def delong(
    y: np.ndarray, first: np.ndarray, second: np.ndarray, subject_ids: np.ndarray | None = None
) -> AurocDifference | None:
    """Return the difference of two correlated AUROCs; None with fewer than MIN_EVENTS samples or patients of a class.

    Args:
        y: (N,) 0 and 1; first, second: (N,) any scores, higher for 1; ties count half.
        subject_ids: (N,) the patient of each sample; None where each sample is another's.
    """
    long = y == 1
    n, events = len(y), int(long.sum())
    patients = np.arange(n) if subject_ids is None else subject_ids
    if min(len(np.unique(patients[of])) for of in (long, ~long)) < MIN_EVENTS:
        return None
    scores = np.stack([first, second]).astype(float)
    wins, beaten = components(y, scores)
    covariance = _covariance(wins, beaten, patients[long], patients[~long])
    aurocs = wins.mean(1)
    value = float(aurocs[0] - aurocs[1])
    # What rounding leaves of no spread at all would otherwise make a huge z.
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    se = float(np.sqrt(spread)) if spread > 1e-16 else 0.0
    z = value / se if se else 0.0 if abs(value) < 1e-12 else None
    p = None if z is None else float(2 * norm.sf(abs(z)))
    ends = (value - Z_95 * se, value + Z_95 * se)
    return AurocDifference(float(aurocs[0]), float(aurocs[1]), value, se, *ends, z, p, n, events)


def components(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (K, n1) the share of the 0s that each 1 outranks, and (K, n0) the share of the 1s that outrank each 0.

    The structural components V10 and V01 of DeLong et al.; each row's mean is the AUROC of its scores (K, N).
    """
    long = y == 1
    n_long, n_other = int(long.sum()), int((~long).sum())
    ranks = rankdata(scores, axis=1)
    wins = (ranks[:, long] - rankdata(scores[:, long], axis=1)) / n_other
    beaten = 1 - (ranks[:, ~long] - rankdata(scores[:, ~long], axis=1)) / n_long
    return wins, beaten


def _covariance(wins: np.ndarray, beaten: np.ndarray, of_long: np.ndarray, of_other: np.ndarray) -> np.ndarray:
    """Return the covariance (K, K) of the AUROCs; the components are summed by patient first."""
    patients = np.unique(np.concatenate([of_long, of_other]))
    aurocs = wins.mean(1, keepdims=True)
    of_wins = _sums(wins - aurocs, np.searchsorted(patients, of_long), len(patients))
    of_beaten = _sums(beaten - aurocs, np.searchsorted(patients, of_other), len(patients))
    n_long, n_other = len(of_long), len(of_other)
    with_long, with_other = len(np.unique(of_long)), len(np.unique(of_other))
    own = with_long / (with_long - 1) * of_wins @ of_wins.T / n_long**2
    others = with_other / (with_other - 1) * of_beaten @ of_beaten.T / n_other**2
    # A patient who has samples of both classes ties the two parts together.
    crossed = len(patients) / (len(patients) - 1) * of_wins @ of_beaten.T / (n_long * n_other)
    return np.asarray(own + others + crossed + crossed.T)


def _sums(values: np.ndarray, index: np.ndarray, n: int) -> np.ndarray:
    """Return (K, n) the sums of the values (K, M) by index (M,)."""
    return np.stack([np.bincount(index, weights=row, minlength=n) for row in values])

"""Labels and scores in, AUROCs on the same drawn patients out: for differences that no stored metric holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

MIN_EVENTS = 5  # of each class, as in the stored metrics
N_DRAWS = 300


@dataclass(frozen=True)
class Share:
    """(AUROC - .5) / (AUROC of the true probabilities - .5), with its 95 % interval, n and the two AUROCs."""

    value: float
    lo: float
    hi: float
    n: int
    auroc: float
    auroc_truth: float


def aurocs(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The AUROC (K,) of each row of scores (K, N), ties counted half."""
    positive = y == 1
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if not n_pos or not n_neg:
        return np.full(len(scores), np.nan)
    ranks = rankdata(scores, axis=1)
    return np.asarray((ranks[:, positive].sum(1) - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def drawn_aurocs(
    y: np.ndarray, scores: np.ndarray, subject_ids: np.ndarray, *, n_draws: int = N_DRAWS, seed: int = 0
) -> np.ndarray:
    """The AUROCs (n_draws, K) with patients drawn with replacement; NaN where a draw lacks a class."""
    subjects, of = np.unique(subject_ids, return_inverse=True)
    rows_of = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1]) if len(subjects) else []
    rng = np.random.default_rng(seed)
    out = np.full((n_draws, len(scores)), np.nan)
    for draw in range(n_draws):
        rows = np.concatenate([rows_of[index] for index in rng.integers(0, len(subjects), len(subjects))])
        out[draw] = aurocs(y[rows], scores[:, rows])
    return out


def difference(
    y: np.ndarray, first: np.ndarray, second: np.ndarray, subject_ids: np.ndarray
) -> tuple[float, float, float] | None:
    """AUROC(first) - AUROC(second) with its 95 % interval; None with fewer than MIN_EVENTS of a class."""
    if min((y == 1).sum(), (y == 0).sum()) < MIN_EVENTS:
        return None
    scores = np.stack([first, second])
    one, other = aurocs(y, scores)
    draws = drawn_aurocs(y, scores, subject_ids)
    low, high = np.nanquantile(draws[:, 0] - draws[:, 1], [0.025, 0.975])
    return float(one - other), float(low), float(high)


def share_of_reachable(y: np.ndarray, p: np.ndarray, p_x: np.ndarray, subject_ids: np.ndarray) -> Share | None:
    """How much of the ranking that the truth allows the model reaches; None where the truth itself ranks no better
    than chance within its interval, or a class has fewer than MIN_EVENTS."""
    if min((y == 1).sum(), (y == 0).sum()) < MIN_EVENTS:
        return None
    scores = np.stack([p, p_x])
    model, truth = aurocs(y, scores)
    draws = drawn_aurocs(y, scores, subject_ids)
    if np.nanquantile(draws[:, 1], 0.025) <= 0.5:
        return None
    low, high = np.nanquantile((draws[:, 0] - 0.5) / (draws[:, 1] - 0.5), [0.025, 0.975])
    return Share(float((model - 0.5) / (truth - 0.5)), float(low), float(high), len(y), float(model), float(truth))

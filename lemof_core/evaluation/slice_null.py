"""Slices and errors in, how far the extreme statistics of all slices go by chance, out (Westfall and Young 1993)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lemof_core.evaluation.slice_candidates import Candidates

PRIOR = 10  # stays; how strongly a variance is drawn towards the common one (Smyth 2004)
MOST_EXACT = 4_000  # patients; beyond it the draws are normal
_SLICES_AT_ONCE = 512
_FEWEST = 5  # stays on either side in the rows of the draws; fewer happens in the random part of a large cohort alone


def moderated_t(n: Any, sum1: Any, sum2: Any, all_n: int, all_sum1: Any, all_sum2: Any) -> Any:
    """Welch's t of a part of the stays against the others, both variances drawn towards that of all by PRIOR stays.

    Args: n, sum1, sum2: stays, sum of their errors and of the squares, for the part; all_*: the same for everybody.
    Arrays of one shape, or of shapes that fit. 0 where the error is the same for all.
    """
    rest_n = all_n - n
    mean, rest = sum1 / n, (all_sum1 - sum1) / rest_n
    common = all_sum2 / all_n - (all_sum1 / all_n) ** 2
    inside = np.maximum(sum2 - n * mean**2, 0)
    outside = np.maximum(all_sum2 - sum2 - rest_n * rest**2, 0)
    variance = (inside + PRIOR * common) / ((n + PRIOR) * n) + (outside + PRIOR * common) / ((rest_n + PRIOR) * rest_n)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, (mean - rest) / np.sqrt(variance), 0.0)


def contrast(own: np.ndarray, others: np.ndarray, common: float) -> tuple[float, float, float]:
    """Return (moderated t of own errors against others', variance of the mean of own, of others).

    Args: common: the variance that both are drawn to, above 0.
    """
    a, b = (
        (values.size * values.var() + PRIOR * common) / (values.size + PRIOR) / values.size for values in (own, others)
    )
    return float((own.mean() - others.mean()) / np.sqrt(a + b)), float(a), float(b)


def extremes_by_chance(
    holds: np.ndarray, candidates: Candidates, error: np.ndarray, subject_ids: np.ndarray, *, n_draws: int, seed: int
) -> tuple[np.ndarray, bool]:
    """The largest and the smallest t of all candidates in each draw (2, n_draws), and whether patients were permuted.

    Up to MOST_EXACT patients each draw gives every patient the errors of another with as many stays. Beyond, it gives
    MOST_EXACT random patients a normal number each: the stays of a patient share it, which is the worst case.
    """
    rng = np.random.default_rng(seed)
    patients, whose = np.unique(subject_ids, return_inverse=True)
    if len(patients) <= MOST_EXACT:
        rows, exact = np.arange(len(error)), True
        draws = error[permuted_rows(whose, n_draws, rng)].T
    else:
        chosen = np.zeros(len(patients), dtype=bool)
        chosen[rng.choice(len(patients), MOST_EXACT, replace=False)] = True
        rows, exact = np.flatnonzero(chosen[whose]), False
        draws = rng.standard_normal((len(patients), n_draws), dtype=np.float32)[whose[rows]]
    return _extremes(holds[rows], candidates, draws.astype(np.float32)), exact


def permuted_rows(whose: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n_draws, N) rows: whole patients change places with others that have as many stays.

    Args: whose (N,): the patient of each row, 0 to P - 1.
    """
    n_stays = np.bincount(whose)
    by_patient = np.argsort(whose, kind="stable")
    starts = np.concatenate([[0], np.cumsum(n_stays)[:-1]])
    out = np.empty((n_draws, len(whose)), dtype=np.int64)
    for size in np.unique(n_stays):
        own = by_patient[starts[n_stays == size][:, None] + np.arange(size)]  # (patients, size) rows
        order = rng.permuted(np.tile(np.arange(len(own)), (n_draws, 1)), axis=1)
        out[:, own.ravel()] = own[order].reshape(n_draws, -1)
    return out


def critical_value(maxima: np.ndarray, alpha: float) -> float:
    """What a statistic must exceed so that its p-value, (1 + draws as large) / (1 + draws), is at most alpha.

    Infinite where there are too few draws for that.
    """
    allowed = math.floor(alpha * (len(maxima) + 1)) - 1
    return float(np.sort(maxima)[::-1][allowed]) if allowed >= 0 else float("inf")


def _extremes(holds: np.ndarray, candidates: Candidates, draws: np.ndarray) -> np.ndarray:
    """Return (2, D) the largest and the smallest t under draws (M, D)."""
    columns = holds.astype(np.float32)
    both = np.hstack([draws, draws**2])
    n_draws, totals = draws.shape[1], both.sum(0, dtype=np.float64).astype(np.float32)
    extremes = np.zeros((2, n_draws), dtype=np.float32)
    for start in range(0, len(candidates.n), _SLICES_AT_ONCE):
        inside = candidates.members(columns, start, start + _SLICES_AT_ONCE)
        n = inside.sum(0, dtype=np.float64).astype(np.float32)[:, None]
        enough = ((n >= _FEWEST) & (len(columns) - n >= _FEWEST))[:, 0]
        if not enough.any():
            continue
        sums = (inside.T @ both)[enough]
        t = moderated_t(
            n[enough], sums[:, :n_draws], sums[:, n_draws:], len(columns), totals[:n_draws], totals[n_draws:]
        )
        extremes = np.stack([np.maximum(extremes[0], t.max(axis=0)), np.minimum(extremes[1], t.min(axis=0))])
    return extremes.astype(float)

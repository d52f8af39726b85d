"""Columns of numbers in; how far each can be told from the others out: variance inflation, condition number."""

from __future__ import annotations

import numpy as np

HIGH_INFLATION = 10.0  # a weight's variance is ten times what it would be alone (Marquardt 1970)
HIGH_CONDITION = 30.0  # Belsley, Kuh and Welsch 1980


def variance_inflation(x: np.ndarray) -> np.ndarray:
    """Return (K,) 1 / (1 - R^2) of each column of x (N, K) on the others; inf where they say it exactly.

    NaN for all where there are too few rows to tell, or a column is constant. The diagonal of the inverse correlation:
    the same as K regressions, in one step.
    """
    correlation = _correlation(x)
    if correlation is None:
        return np.full(x.shape[1], np.nan)
    if np.linalg.cond(correlation) > 1e12:
        return _by_regression(x)
    return np.asarray(np.diag(np.linalg.inv(correlation)))


def condition_number(x: np.ndarray) -> float:
    """Return the largest over the smallest singular value of the standardised columns of x (N, K).

    1 for columns that have nothing in common; inf where one is made of the others; NaN as in `variance_inflation`.
    """
    correlation = _correlation(x)
    if correlation is None:
        return float("nan")
    values = np.linalg.eigvalsh(correlation)
    return float(np.sqrt(values[-1] / values[0])) if values[0] > 1e-12 else float("inf")


def _correlation(x: np.ndarray) -> np.ndarray | None:
    """Return Pearson's correlation (K, K); None with no more rows than columns and intercept, or a constant column."""
    if len(x) <= x.shape[1] + 1 or (np.ptp(x, axis=0) == 0).any():
        return None
    return np.corrcoef(x, rowvar=False)


def _by_regression(x: np.ndarray) -> np.ndarray:
    """Return the variance inflation of columns that are nearly or wholly dependent, where an inverse says nothing."""
    z = (x - x.mean(0)) / x.std(0)
    out = np.empty(x.shape[1])
    for k in range(x.shape[1]):
        others = np.delete(z, k, axis=1)
        left = z[:, k] - others @ np.linalg.lstsq(others, z[:, k], rcond=None)[0]
        unexplained = float((left**2).mean())
        out[k] = 1 / unexplained if unexplained > 1e-12 else np.inf
    return out

"""Calibration probabilities in, prediction sets with a promised coverage for each class out.

Label-conditional split conformal prediction (Vovk et al., "Algorithmic learning in a random world", 2005, section 4.5):
how unlike class c a patient is, 1 - p(c), is compared with the calibration patients of that class alone. The calibrator
was fitted on the same patients; it is monotone, so it changes no rank and with it no set.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

ALPHA = 0.1  # the promised share of a class whose set misses it


def class_cutoffs(y: np.ndarray, p: np.ndarray, *, alpha: float = ALPHA) -> list[dict[str, Any]]:
    """Return for class 0 and class 1 {label, alpha, n, cutoff}: the class is in a set while 1 - p(class) <= cutoff.

    cutoff: the k-th smallest of n, k = ceil((n + 1)(1 - alpha)); None where n < 1/alpha - 1, for then no finite one
    keeps the promise.
    Args:
        y: (N,) labels. p: (N,) calibrated probabilities of label 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is a share within 0 to 1, however: {alpha}")
    return [_cutoff(label, np.where(label == 1, 1 - p, p)[y == label], alpha) for label in (0, 1)]


def _cutoff(label: int, unlike: np.ndarray, alpha: float) -> dict[str, Any]:
    n = len(unlike)
    k = rank_of(n, alpha)
    cutoff = float(np.sort(unlike)[k - 1]) if k <= n else None
    return {"label": label, "alpha": alpha, "n": n, "cutoff": cutoff}


def rank_of(n: int, alpha: float) -> int:
    """Return k: with n calibration patients the k-th smallest is the cutoff; above n there is none.

    >>> [rank_of(n, 0.1) for n in (8, 9, 19, 20)]  # rounding 1 - alpha must not push 18 up to 19
    [9, 9, 18, 19]
    """
    return ceil(round((n + 1) * (1 - alpha), 9))


def covered(y: np.ndarray, p: np.ndarray, cutoffs: dict[int, float]) -> np.ndarray:
    """Return (N,) bool: the sample's own class is in its set."""
    unlike = np.where(y == 1, 1 - p, p)
    return np.asarray(unlike <= np.where(y == 1, cutoffs[1], cutoffs[0]))

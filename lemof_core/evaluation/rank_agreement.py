"""What several judges say of the same few things in; their ranks, and how far these agree, out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from math import factorial

import numpy as np
from scipy.stats import rankdata

_MOST_RANKINGS = 100_000


@dataclass(frozen=True)
class Agreement:
    """Kendall's W of some judges on some things: 0 none, 1 full; p: chance of as much among judges who draw lots.

    NaN where no judge tells any two things apart; p is NaN too where there are too many rankings to go through.
    """

    w: float
    p: float
    n_judges: int
    n_things: int


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks (M, N) of values (M, N) within each judge's row: 1 for the largest, ties share their mean."""
    return np.asarray(rankdata(-np.asarray(values, dtype=float), axis=1))


def agreement(ranked: np.ndarray) -> Agreement:
    """Return Kendall's W of ranks (M, N), corrected for ties (Kendall and Babington Smith 1939), and its exact p.

    p goes through every way to order each judge's own ranks: for three things no approximation by chi-square holds.
    """
    n_judges, n_things = ranked.shape
    ties = sum(float((counts**3 - counts).sum()) for counts in (np.unique(r, return_counts=True)[1] for r in ranked))
    most = n_judges**2 * (n_things**3 - n_things) - n_judges * ties
    if n_judges < 2 or most <= 0:
        return Agreement(float("nan"), float("nan"), n_judges, n_things)
    w = 12 * _spread(ranked.sum(0)) / most
    return Agreement(float(w), _exact_p(ranked), n_judges, n_things)


def _spread(sums: np.ndarray) -> float:
    return float(((sums - sums.mean()) ** 2).sum())


def _exact_p(ranked: np.ndarray) -> float:
    """Return the share of rankings that agree at least as much; the first judge's can stay as they are."""
    n_judges, n_things = ranked.shape
    if factorial(n_things) ** (n_judges - 1) > _MOST_RANKINGS:
        return float("nan")
    seen = _spread(ranked.sum(0))
    orders = [[row[list(order)] for order in permutations(range(n_things))] for row in ranked[1:]]
    sums = np.array([ranked[0] + np.sum(rows, axis=0) for rows in product(*orders)])
    spread = ((sums - sums.mean(1, keepdims=True)) ** 2).sum(1)
    return float((spread >= seen - 1e-9).mean())

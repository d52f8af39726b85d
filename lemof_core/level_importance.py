"""A fitted G and level predictions in, `selection_phi` and the best level out (LeMoF eq. 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np
from scipy.special import expit

from lemof_core.logistic import Logistic


def selection_phi_logit(meta: Logistic, levels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return (N, K): exact interventional Shapley values of G_m's inputs in log-odds, w_k (z_k - mean z_k).

    Closed form because the log-odds of G are linear in its standardised inputs; sums to logit - mean logit.
    """
    return meta.weights * (meta.standardised(levels) - meta.standardised(background).mean(0))


def selection_phi_prob(meta: Logistic, levels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return (N, K): the same game in probability, by all 2^K coalitions over the background rows."""
    contributions = meta.standardised(levels) * meta.weights  # (N, K)
    absent = meta.standardised(background) * meta.weights  # (M, K)
    n_inputs = contributions.shape[1]
    values: dict[tuple[int, ...], np.ndarray] = {}
    for size in range(n_inputs + 1):
        for coalition in combinations(range(n_inputs), size):
            inside = contributions[:, list(coalition)].sum(1)
            outside = np.delete(absent, list(coalition), axis=1).sum(1)
            values[coalition] = expit(inside[:, None] + outside[None, :] + meta.intercept).mean(1)
    phi = np.zeros_like(contributions)
    for player in range(n_inputs):
        others = [k for k in range(n_inputs) if k != player]
        for size in range(n_inputs):
            weight = factorial(size) * factorial(n_inputs - size - 1) / factorial(n_inputs)
            for coalition in combinations(others, size):
                joined = tuple(sorted((*coalition, player)))
                phi[:, player] += weight * (values[joined] - values[coalition])
    return phi


def mean_abs_phi(meta: Logistic, levels: np.ndarray) -> np.ndarray:
    """Return (K,) mean |phi_k| over the rows, which are also the background.

    # NOTE[DIFF] paper: eq. 5 is written for one sample, eq. 6 takes an argmax. here: one choice for the cohort by
    # the mean absolute value. because: M2's shapes depend on the level, so it cannot differ between patients; the
    # signed mean of phi over its own background is 0 for every level, so there is nothing else to choose by.
    """
    return np.abs(selection_phi_logit(meta, levels, levels)).mean(0)


def best_level(importance: np.ndarray) -> int:
    """Return k* in 1..K (eq. 6); the lower level where two tie."""
    return int(np.argmax(importance)) + 1


def choice_frequency(
    levels: np.ndarray, y: np.ndarray, fit: Callable[[np.ndarray, np.ndarray], Logistic], *, n_draws: int, seed: int
) -> np.ndarray:
    """Return (K,) how often each level is k* over bootstrap draws of the rows: a choice without it is a guess."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(levels.shape[1])
    for _ in range(n_draws):
        rows = rng.integers(0, len(y), len(y))
        if len(np.unique(y[rows])) == 2:
            counts[best_level(mean_abs_phi(fit(levels[rows], y[rows]), levels[rows])) - 1] += 1
    return counts / max(counts.sum(), 1)

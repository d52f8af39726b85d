"""Which pair of levels Module 2 reads: held-out predictions of the candidates in, the choice out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lemof_core.config import RunConfig
from lemof_core.logistic import cross_fit, log_loss_rows

N_SEARCH_FOLDS = 2  # folds in which candidate pairs are compared


@dataclass(frozen=True)
class PairChoice:
    """The chosen pair (ECG level, EHR level) and how often bootstrap draws of the held rows choose each pair."""

    pair: tuple[int, int]
    gains: dict[tuple[int, int], float]  # mean log-loss of M1 minus that of M1 + M2, cross-validated
    frequency: dict[tuple[int, int], float]


def candidate_pairs(config: RunConfig) -> list[tuple[int, int]]:
    """Return every pair that M2 may read: ECG level 1..3 with EHR level 1..3 (and 0 where it has its own tokens)."""
    lowest = 0 if config.cross.own_ehr_tokens else 1
    return [(ecg, ehr) for ecg in (1, 2, 3) for ehr in range(lowest, 4)]


def choose_pair(
    first: np.ndarray, candidates: dict[tuple[int, int], np.ndarray], y: np.ndarray, *, n_draws: int, seed: int
) -> PairChoice:
    """Return the pair whose y_Omega2 adds most to M1, by cross-validated log-loss on held rows.

    first: (n,) log-odds of M1 on held rows; candidates: pair -> (n,) y_Omega2 on the same rows.
    # NOTE[DIFF] paper: M2 reads the levels k*, as both presets do. here (`cv_gain`): the best cross-validated gain
    # over M1; k* stays the importance and gives y_best. because: eq. 6 picks levels by what they predict alone, which
    # points M2 at exactly the levels that hold least of what matters jointly.
    """
    folds = np.random.default_rng(seed).permutation(len(y)) % 5
    alone = _cross_fitted(first[:, None], y, folds, ["O1"])
    gain_rows = {}
    for pair, logits in candidates.items():
        joined = _cross_fitted(np.stack([first, logits], axis=1), y, folds, ["O1", "O2"])
        gain_rows[pair] = log_loss_rows(alone, y) - log_loss_rows(joined, y)
    pairs = list(gain_rows)
    matrix = np.stack([gain_rows[pair] for pair in pairs])
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(pairs))
    for _ in range(n_draws):
        wins[np.argmax(matrix[:, rng.integers(0, len(y), len(y))].mean(1))] += 1
    best = pairs[int(np.argmax(matrix.mean(1)))]
    frequency = {pair: float(win / max(n_draws, 1)) for pair, win in zip(pairs, wins, strict=True)}
    return PairChoice(best, {pair: float(gain.mean()) for pair, gain in gain_rows.items()}, frequency)


def _cross_fitted(x: np.ndarray, y: np.ndarray, folds: np.ndarray, names: list[str]) -> np.ndarray:
    """Return cross-fitted log-odds; the plain mean of the inputs where the rows are too few to fit."""
    found = cross_fit(x, y, folds, inputs=names, nonnegative=True, penalty=1.0)
    return x.mean(1) if found is None else found

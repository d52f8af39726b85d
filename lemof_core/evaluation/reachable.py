"""A model's scores and the true probabilities in, how much of the reachable ranking the model reaches out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from lemof_core.evaluation.metrics import bootstrap_weights, enough, weighted_auroc

N_DRAWS = 300  # of a figure on a page that waits for it


@dataclass(frozen=True)
class Share:
    """(AUROC - .5) / (AUROC of the true probabilities - .5), with its 95 % interval, n and the two AUROCs."""

    value: float
    lo: float
    hi: float
    n: int
    auroc: float
    auroc_truth: float


def share_of_reachable(y: np.ndarray, p: np.ndarray, p_x: np.ndarray, subject_ids: np.ndarray) -> Share | None:
    """How much of the ranking that the truth allows the model reaches; None where the truth itself ranks no better
    than chance within its interval, or a class has fewer than MIN_EVENTS."""
    if not enough(y):
        return None
    weights = bootstrap_weights(subject_ids, n_draws=N_DRAWS)
    of_model, of_truth = (weighted_auroc(y, score, weights) for score in (p, p_x))
    if np.nanquantile(of_truth, 0.025) <= 0.5:
        return None
    model, truth = (float(roc_auc_score(y, score)) for score in (p, p_x))
    low, high = np.nanquantile((of_model - 0.5) / (of_truth - 0.5), [0.025, 0.975])
    return Share((model - 0.5) / (truth - 0.5), float(low), float(high), len(y), model, truth)

"""What a missed long stay costs in false alarms and counts at every threshold in, the cheapest threshold out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lemof_core.evaluation.confusion import Interval
from lemof_core.evaluation.cuts import CUTS, CutCounts
from lemof_core.evaluation.draws import drawn_counts
from lemof_core.evaluation.metrics import MIN_EVENTS, N_DRAWS


@dataclass(frozen=True)
class Cheapest:
    """The threshold with the least expected cost, its 95 % interval, and that cost per 100 stays."""

    cut: float
    lo: float
    hi: float
    cost: float


def threshold_in_theory(ratio: float) -> float:
    """1 / (1 + ratio): where acting and waiting cost the same if the probabilities are calibrated (Elkan 2001)."""
    return 1 / (1 + ratio)


def ratio_in_use(threshold: float) -> float:
    """The cost ratio for which a threshold is right in theory, (1 - t) / t; infinite at 0."""
    return (1 - threshold) / threshold if threshold > 0 else float("inf")


def cheapest(here: CutCounts, drawn: CutCounts, ratio: float) -> Cheapest | None:
    """The cut where ratio * misses + false alarms is least, with the interval of that cut over the draws.

    Where several cuts cost the same, the one nearest to the theoretical one stands. None with fewer than MIN_EVENTS of
    a class: with nobody to miss, no alarm is ever worth its cost.
    Args:
        here: of the patients; drawn: (D, 101), of patients drawn with replacement; ratio: above 0.
    """
    if min(here.long[0], here.other[0]) < MIN_EVENTS:
        return None
    own = _costs(here, ratio)
    best = int(_least(own[None], ratio)[0])
    low, high = np.quantile(CUTS[_least(_costs(drawn, ratio), ratio)], [0.025, 0.975])
    cut = float(CUTS[best])
    # The quantiles of a choice need not hold the choice itself where it is made by a hair.
    return Cheapest(cut, min(float(low), cut), max(float(high), cut), 100 * float(own[best] / here.n[0]))


def cost_interval(
    y: np.ndarray, alarm: np.ndarray, subject_ids: np.ndarray, ratio: float, *, n_draws: int = N_DRAWS
) -> Interval:
    """ratio * misses + false alarms, per 100 stays and in false alarms, with the 95 % patient-bootstrap interval.

    Args: y, alarm, subject_ids: (N,), N > 0.
    """
    price = 100 * np.array([0.0, 1.0, ratio, 0.0])  # calm, false, miss, hit
    cell = 2 * (y == 1) + alarm.astype(int)
    drawn = drawn_counts(cell, subject_ids, 4, n_draws=n_draws)
    low, high = np.quantile(drawn @ price / drawn.sum(1), [0.025, 0.975])
    return float(price[cell].mean()), float(low), float(high)


def _costs(counts: CutCounts, ratio: float) -> np.ndarray:
    return np.asarray(ratio * (counts.long - counts.hits) + counts.false)


def _least(costs: np.ndarray, ratio: float) -> np.ndarray:
    """Return the place of the least cost (D,), of several the one nearest to the theoretical threshold."""
    ties = costs <= costs.min(1, keepdims=True) * (1 + 1e-12)
    away = np.abs(CUTS - threshold_in_theory(ratio))
    return np.asarray(np.where(ties, away, np.inf).argmin(1))

"""Outcomes and probabilities in, the confusion matrix at a threshold and its rates with Wilson intervals out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest


@dataclass(frozen=True)
class Rate:
    """k of n with its 95 % Wilson interval; value None where n is 0."""

    name: str
    meaning: str
    k: int
    n: int
    value: float | None
    lo: float | None
    hi: float | None


@dataclass(frozen=True)
class Confusion:
    """How many stays were long (label 1) or not, with and without an alarm (p >= threshold)."""

    hit: int
    false: int
    miss: int
    calm: int

    @property
    def n(self) -> int:
        """All stays counted."""
        return self.hit + self.false + self.miss + self.calm

    def rates(self) -> list[Rate]:
        """Sensitivity, specificity, PPV, NPV, and the share of stays with an alarm."""
        return [
            rate("Sensitivity", "of the long stays, with an alarm", self.hit, self.hit + self.miss),
            rate("Specificity", "of the other stays, without an alarm", self.calm, self.calm + self.false),
            rate("PPV", "of the alarms, long stays", self.hit, self.hit + self.false),
            rate("NPV", "of the stays without an alarm, not long", self.calm, self.calm + self.miss),
            rate("Alarms", "of all stays", self.hit + self.false, self.n),
        ]


def rate(name: str, meaning: str, k: int, n: int) -> Rate:
    """The rate k of n with its 95 % Wilson interval, taken over stays: one patient, one stay."""
    if n == 0:
        return Rate(name, meaning, 0, 0, None, None, None)
    interval = binomtest(k, n).proportion_ci(method="wilson")
    return Rate(name, meaning, k, n, k / n, float(interval.low), float(interval.high))


def confusion(y: np.ndarray, alarm: np.ndarray) -> Confusion:
    """The counts; y (N,) holds 0 and 1, alarm (N,) whether p reached the stay's threshold."""
    long = y == 1
    counts = ((alarm & long), (alarm & ~long), (~alarm & long), (~alarm & ~long))
    return Confusion(*(int(one.sum()) for one in counts))


def net_benefit(y: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Net benefit (T,) of acting on p >= t: TP/n - FP/n * t / (1 - t) (Vickers and Elkin 2006)."""
    alarm = p[None, :] >= thresholds[:, None]
    hits = (alarm & (y == 1)).mean(1)
    false = (alarm & (y == 0)).mean(1)
    return np.asarray(hits - false * thresholds / (1 - thresholds))


def net_benefit_of(y: np.ndarray, alarm: np.ndarray, thresholds: np.ndarray) -> float:
    """Net benefit of acting on these alarms; a false one weighs the odds of its stay's own threshold (N,), below 1."""
    return float(np.mean(alarm * np.where(y == 1, 1.0, -thresholds / (1 - thresholds))))

"""Outcomes and alarms in, the confusion matrix and its rates with 95 % intervals out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

Interval = tuple[float, float, float]  # a value with the two ends of its 95 % interval


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

    @property
    def long(self) -> int:
        """The long stays among them."""
        return self.hit + self.miss

    @property
    def alarms(self) -> int:
        """The stays with an alarm."""
        return self.hit + self.false

    def rates(self) -> list[Rate]:
        """Sensitivity, specificity, PPV, NPV, and the share of stays with an alarm."""
        return [
            rate("Sensitivity", "of the long stays, with an alarm", self.hit, self.long),
            rate("Specificity", "of the other stays, without an alarm", self.calm, self.calm + self.false),
            rate("PPV", "of the alarms, long stays", self.hit, self.alarms),
            rate("NPV", "of the stays without an alarm, not long", self.calm, self.calm + self.miss),
            rate("Alarms", "of all stays", self.alarms, self.n),
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

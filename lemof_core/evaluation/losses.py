"""Outcomes, probabilities and alarms in, what each prediction got wrong as a number, and means with intervals, out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from lemof_core.evaluation.metrics import MIN_EVENTS

LOSSES = {
    "log": "Log loss",
    "wrong": "Wrong at the threshold",
    "false": "False alarms",
    "miss": "Missed long stays",
}
_OF = {"log": "all stays", "wrong": "all stays", "false": "the stays that were not long", "miss": "the long stays"}
_SURE = 1e-6  # a probability nearer to 0 or 1 than this is taken as this: one such stay must not outweigh all others


@dataclass(frozen=True)
class Loss:
    """What is counted as an error, over the stays that can have it.

    kind: a key of LOSSES; counted (N,) bool: those stays; error (M,): the error of each of them, in order;
    expected (M,): the error that the probabilities themselves foretell, if they are right; None where that makes no
    sense, because only one outcome is looked at.
    """

    kind: str
    counted: np.ndarray
    error: np.ndarray
    expected: np.ndarray | None

    @property
    def words(self) -> str:
        """Its name."""
        return LOSSES[self.kind]

    @property
    def of(self) -> str:
        """The stays that are counted, in words."""
        return _OF[self.kind]


def loss(kind: str, y: np.ndarray, p: np.ndarray, alarm: np.ndarray) -> Loss:
    """The error of each prediction.

    "log": −log of the probability given to what happened (0 is best; 0.69 is a coin). "wrong": an alarm without a long
    stay, or the reverse. "false": an alarm, of the stays that were not long; "miss": none, of the long ones.
    Args:
        y (N,): 0 or 1; p (N,): probability of 1; alarm (N,) bool: whether p reached the threshold.
    Raises: KeyError for another kind.
    """
    long, sure = y == 1, np.clip(p, _SURE, 1 - _SURE)
    everybody = np.ones(len(y), dtype=bool)
    if kind == "log":
        entropy = -(sure * np.log(sure) + (1 - sure) * np.log(1 - sure))
        return Loss(kind, everybody, -np.log(np.where(long, sure, 1 - sure)), entropy)
    if kind == "wrong":
        return Loss(kind, everybody, (alarm != long).astype(float), np.where(alarm, 1 - p, p))
    counted = {"false": ~long, "miss": long}[kind]
    return Loss(kind, counted, (alarm if kind == "false" else ~alarm)[counted].astype(float), None)


@dataclass(frozen=True)
class Mean:
    """A mean error with its 95 % interval and n; the value is None below 5 stays."""

    value: float | None
    lo: float | None
    hi: float | None
    n: int


def mean_error(error: np.ndarray, subject_ids: np.ndarray) -> Mean:
    """The mean with its 95 % interval: Wilson's for a rate, else Student's.

    Stays of one patient count as one observation for the standard error (the sandwich over patients).
    Args:
        error (N,); subject_ids (N,): whose stay it is.
    """
    n = len(error)
    if n < MIN_EVENTS:
        return Mean(None, None, None, n)
    value = float(error.mean())
    patients, whose = np.unique(subject_ids, return_inverse=True)
    if len(patients) == n and np.isin(error, (0.0, 1.0)).all():
        low, high = proportion_confint(int(error.sum()), n, method="wilson")
        return Mean(value, float(low), float(high), n)
    if len(patients) < 2:
        return Mean(None, None, None, n)
    apart = np.bincount(whose, weights=error - value)
    spread = np.sqrt((apart**2).sum() * len(patients) / (len(patients) - 1)) / n
    half = float(student.ppf(0.975, len(patients) - 1) * spread)
    return Mean(value, max(0.0, value - half), value + half, n)

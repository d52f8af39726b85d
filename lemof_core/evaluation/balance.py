"""Counts of a characteristic in two groups of stays in, how far they differ with 95 % intervals out.

The standardised difference is that of Austin (Stat Med 2009; 28:3083): the difference in units of the pooled standard
deviation, which does not grow with n; beyond 0.1 a characteristic is usually called unbalanced. The intervals take the
groups for independent samples, which groups that share stays are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from statsmodels.stats.proportion import confint_proportions_2indep


@dataclass(frozen=True)
class Difference:
    """First minus second with its 95 % interval, and the standardised difference, which is infinite where groups that
    have no spread differ; None where not estimable."""

    value: float | None
    lo: float | None
    hi: float | None
    standardised: float | None


NOT_ESTIMABLE = Difference(None, None, None, None)


def of_shares(k_first: int, n_first: int, k_second: int, n_second: int) -> Difference:
    """The difference of two shares k / n, with Newcombe's interval; not estimable where a group is empty."""
    if not n_first or not n_second:
        return NOT_ESTIMABLE
    first, second = k_first / n_first, k_second / n_second
    low, high = confint_proportions_2indep(k_first, n_first, k_second, n_second, method="newcomb", compare="diff")
    spread = np.sqrt((first * (1 - first) + second * (1 - second)) / 2)
    standardised = 0.0
    if first != second:  # all of the one and none of the other group: no spread to measure by, and no larger difference
        standardised = float((first - second) / spread) if spread > 0 else float(np.copysign(np.inf, first - second))
    return Difference(first - second, float(low), float(high), standardised)


def of_means(first: Mapping[int, int], second: Mapping[int, int]) -> Difference:
    """The difference of two means, with Welch's interval; not estimable with fewer than two stays in a group.

    Args:
        first, second: value -> how many stays have it.
    """
    moments = [_moments(one) for one in (first, second)]
    (n_1, mean_1, var_1), (n_2, mean_2, var_2) = moments
    if min(n_1, n_2) < 2:
        return NOT_ESTIMABLE
    difference, squared = mean_1 - mean_2, var_1 / n_1 + var_2 / n_2
    pooled = np.sqrt((var_1 + var_2) / 2)
    standardised = float(difference / pooled) if pooled > 0 else 0.0 if difference == 0 else None
    if squared == 0:
        return Difference(difference, difference, difference, standardised)
    freedom = squared**2 / ((var_1 / n_1) ** 2 / (n_1 - 1) + (var_2 / n_2) ** 2 / (n_2 - 1))
    half = float(student.ppf(0.975, freedom) * np.sqrt(squared))
    return Difference(difference, difference - half, difference + half, standardised)


def mean_and_sd(counts: Mapping[int, int]) -> tuple[float, float] | None:
    """Mean and standard deviation of values that are given with their counts; None with fewer than two."""
    n, mean, variance = _moments(counts)
    return (mean, float(np.sqrt(variance))) if n >= 2 else None


def _moments(counts: Mapping[int, int]) -> tuple[int, float, float]:
    """n, mean and sample variance; the latter 0 where n is below 2."""
    values, times = np.array(list(counts), dtype=float), np.array(list(counts.values()), dtype=float)
    n = int(times.sum()) if len(times) else 0
    if n < 2:
        return n, float(values[0]) if len(values) else 0.0, 0.0
    mean = float((values * times).sum() / n)
    return n, mean, float((times * (values - mean) ** 2).sum() / (n - 1))

"""Conformal cut-offs: the promise holds for each class, and where it cannot be kept there is no set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import betabinom

from lemof_core.conformal import class_cutoffs, covered, rank_of


def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a model that is neither calibrated nor equally good for both classes."""
    y = (rng.random(n) < 0.3).astype(float)
    return y, expit(1.5 * rng.normal(size=n) + np.where(y == 1, 0.6, -0.4))


def coverage_interval(n_cal: int, n_test: int, alpha: float, *, level: float = 0.99) -> tuple[float, float]:
    """Return within which shares of n_test new patients of a class are covered with probability `level`.

    Of exchangeable patients without ties the covered number is Beta-binomial (n_test, k, n_cal + 1 - k).
    """
    k = rank_of(n_cal, alpha)
    low, high = betabinom.interval(level, n_test, k, n_cal + 1 - k)
    return float(low) / n_test, float(high) / n_test


def test_cutoffs_are_the_order_statistics_counted_by_hand() -> None:
    p = np.array([*np.linspace(0.05, 0.95, 19), *np.linspace(0.1, 0.9, 9)])
    y = np.r_[np.ones(19), np.zeros(9)]
    absent, present = class_cutoffs(y, p, alpha=0.1)
    assert (absent["label"], absent["n"]) == (0, 9) and absent["cutoff"] == pytest.approx(0.9)  # the 9th of 9
    assert (present["label"], present["n"]) == (1, 19) and present["cutoff"] == pytest.approx(0.9)  # the 18th of 19


@given(st.floats(0.02, 0.5), st.integers(0, 120))
def test_no_cutoff_with_fewer_than_the_promise_needs(alpha: float, n: int) -> None:
    found = class_cutoffs(np.ones(n), np.linspace(0.1, 0.9, n), alpha=alpha)[1]
    enough = rank_of(n, alpha) <= n
    assert (found["cutoff"] is not None) == enough
    if n < np.ceil(1 / alpha - 1e-9) - 1:
        assert not enough


def test_each_class_is_covered_within_the_law_of_its_coverage() -> None:
    # 99 % of the splits must lie in the interval; of 200 at most 7 may not (binomial, p < .001).
    rng = np.random.default_rng(0)
    outside, shares = {0: 0, 1: 0}, {0: [], 1: []}
    for _ in range(200):
        y, p = draw(700, rng)
        cal, test = np.arange(300), np.arange(300, 700)
        found = class_cutoffs(y[cal], p[cal])
        hit = covered(y[test], p[test], {one["label"]: one["cutoff"] for one in found})
        for label in (0, 1):
            own = hit[y[test] == label]
            low, high = coverage_interval(found[label]["n"], len(own), 0.1)
            outside[label] += not low <= own.mean() <= high
            shares[label].append(own.mean())
    for label in (0, 1):
        assert outside[label] <= 7
        assert np.mean(shares[label]) >= 0.9 - 0.005


def test_a_monotone_calibrator_fitted_on_the_same_patients_changes_no_set() -> None:
    rng = np.random.default_rng(1)
    y, p = draw(400, rng)
    cal, test = np.arange(200), np.arange(200, 400)
    squeezed = expit(0.4 * np.log(p / (1 - p)) - 0.7)

    def sets(q: np.ndarray) -> np.ndarray:
        cut = [one["cutoff"] for one in class_cutoffs(y[cal], q[cal])]
        return np.stack([q[test] <= cut[0], 1 - q[test] <= cut[1]])

    np.testing.assert_array_equal(sets(p), sets(squeezed))


def test_the_interval_of_coverage_is_that_of_simulated_ranks() -> None:
    # Coverage depends on ranks alone: simulated with uniform numbers.
    rng = np.random.default_rng(2)
    n_cal, n_test = 40, 60
    k = rank_of(n_cal, 0.1)
    cut = np.sort(rng.random((20_000, n_cal)), axis=1)[:, k - 1]
    shares = (rng.random((20_000, n_test)) <= cut[:, None]).mean(1)
    low, high = coverage_interval(n_cal, n_test, 0.1, level=0.9)
    assert np.mean((shares >= low) & (shares <= high)) >= 0.9 - 0.01


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_an_impossible_promise_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        class_cutoffs(np.ones(3), np.ones(3), alpha=alpha)

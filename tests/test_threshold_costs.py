"""Alarms at every threshold, cost, net benefit and other prevalences: brute force, published formulas, simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from performance_support import cost_per_100
from scipy.special import expit, logit
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from dashboard.threshold_controls import Asked
from lemof_core.evaluation.confusion import Confusion, confusion
from lemof_core.evaluation.cost import cheapest, cost_interval, ratio_in_use, threshold_in_theory
from lemof_core.evaluation.cuts import CUTS, cut_counts, drawn_cut_counts
from lemof_core.evaluation.draws import drawn_counts
from lemof_core.evaluation.metrics import bootstrap_weights
from lemof_core.evaluation.net_benefit import decision_curve, net_benefit, sure_range
from lemof_core.evaluation.prevalence import prior_shift, reweighted, reweighted_oe


def calibrated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(y, p) of n patients whose probabilities are true."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 2, n)
    return (rng.random(n) < p).astype(int), p


# Drawn patients


@given(seed=st.integers(0, 1000), n_patients=st.integers(1, 30), most=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_whole_patients_are_drawn_and_as_many_as_there_are(seed: int, n_patients: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_patients), rng.integers(1, most + 1, n_patients))
    # Each patient's samples lie in a cell of their own, so that a draw can be counted back to patients.
    drawn = drawn_counts(subjects, subjects, n_patients, n_draws=20, seed=seed)
    of_each = np.bincount(subjects)
    assert (drawn % of_each == 0).all()
    assert ((drawn / of_each).sum(1) == n_patients).all()


def test_cells_are_drawn_by_the_same_law_as_the_bootstrap_weights() -> None:
    rng = np.random.default_rng(1)
    subjects = np.repeat(np.arange(60), rng.integers(1, 4, 60))
    cells = rng.integers(0, 5, len(subjects))
    fast = drawn_counts(cells, subjects, 5, n_draws=4000)
    slow = bootstrap_weights(subjects, n_draws=4000, seed=9) @ np.eye(5)[cells]
    np.testing.assert_allclose(fast.mean(0), slow.mean(0), rtol=0.03)
    np.testing.assert_allclose(np.cov(fast.T), np.cov(slow.T), atol=0.12 * np.cov(slow.T).max())
    assert drawn_counts(np.empty(0, int), np.empty(0, int), 5, n_draws=3).sum() == 0


# Alarms at every hundredth


@given(seed=st.integers(0, 1000), n=st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_alarms_at_a_cut_are_those_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 101, n) / 100  # every p on a cut: the hardest case for rounding
    y = rng.integers(0, 2, n)
    found = cut_counts(y, p)
    for place, cut in enumerate(CUTS):
        (_, false), (_, hits) = confusion_matrix(y, p >= cut, labels=[0, 1])
        assert (found.hits[place], found.false[place]) == (hits, false), cut


def test_drawn_alarms_fall_with_the_threshold_and_hold_everybody_at_zero() -> None:
    y, p = calibrated(200)
    drawn = drawn_cut_counts(y, p, np.arange(200), n_draws=50)
    assert (np.diff(drawn.hits, axis=1) <= 0).all() and (np.diff(drawn.false, axis=1) <= 0).all()
    assert (drawn.n[:, 0] == 200).all()


# Net benefit


def test_the_decision_curve_is_net_benefit_and_its_gain_is_over_the_better_policy() -> None:
    y, p = calibrated(500)
    curve = decision_curve(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(500)))
    np.testing.assert_allclose(curve["model"], net_benefit(y, p, curve["cut"].to_numpy()))
    everybody = net_benefit(y, np.ones(500), curve["cut"].to_numpy())
    np.testing.assert_allclose(curve["everybody"], everybody)
    np.testing.assert_allclose(curve["gain"], curve["model"] - np.maximum(everybody, 0))
    assert ((curve["lo"] <= curve["gain"]) & (curve["gain"] <= curve["hi"])).mean() > 0.97
    low, high = sure_range(curve) or (1, 0)
    assert 0 < low < y.mean() < high < 1, "around the base rate neither all nor none is a good policy"


def test_noise_beats_neither_all_nor_none() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 400)
    p = np.clip(0.5 + rng.normal(0, 0.05, 400), 0, 1)
    assert sure_range(decision_curve(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(400)))) is None


def test_the_range_is_the_longest_unbroken_one() -> None:
    curve = decision_curve(cut_counts(*calibrated(50)), drawn_cut_counts(*calibrated(50), np.arange(50), n_draws=5))
    wins = np.zeros(99)
    wins[[3, 10, 11, 12, 50]] = 1
    assert sure_range(curve.assign(lo=wins - 0.5)) == pytest.approx((0.11, 0.13))
    assert sure_range(curve.assign(lo=1.0)) == pytest.approx((0.01, 0.99))


# Cost


@given(seed=st.integers(0, 500), ratio=st.floats(0.2, 20))
@settings(max_examples=30, deadline=None)
def test_the_cheapest_cut_costs_no_more_than_any_other(seed: int, ratio: float) -> None:
    y, p = calibrated(80, seed)
    found = cheapest(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(80), n_draws=50), ratio)
    assert found is not None
    costs = {cut: cost_per_100(confusion(y, p >= cut), ratio) for cut in CUTS}
    assert found.cost == pytest.approx(min(costs.values())) == pytest.approx(costs[found.cut])
    assert found.lo <= found.cut <= found.hi


def test_for_true_probabilities_the_cheapest_threshold_is_the_theoretical_one() -> None:
    y, p = calibrated(200_000)
    for ratio in (0.5, 1, 3, 9):
        found = cheapest(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(len(y))), ratio)
        assert found is not None
        assert found.cut == pytest.approx(threshold_in_theory(ratio), abs=0.04)
        assert found.lo - 0.02 <= threshold_in_theory(ratio) <= found.hi + 0.02
        assert ratio_in_use(threshold_in_theory(ratio)) == pytest.approx(ratio)
    assert ratio_in_use(0.0) == float("inf") and ratio_in_use(1.0) == 0


def test_ties_go_to_the_theory_and_too_few_of_a_class_to_nobody() -> None:
    y, p = np.array([0] * 6 + [1] * 6), np.array([0.1] * 6 + [0.9] * 6)
    here, drawn = cut_counts(y, p), drawn_cut_counts(y, p, np.arange(12), n_draws=50)
    found = cheapest(here, drawn, 1.0)
    assert found is not None and (found.cut, found.cost) == (0.5, 0.0), "from .11 to .90 nothing is wrong"
    for some in (y[:10], np.zeros(12, int)):
        few = cut_counts(some, p[: len(some)])
        assert cheapest(few, drawn_cut_counts(some, p[: len(some)], np.arange(len(some)), n_draws=5), 1.0) is None


def test_the_cost_of_alarms_is_counted_by_hand_and_holds_its_interval() -> None:
    y, alarm = np.array([1, 1, 0, 0, 0]), np.array([True, False, True, False, False])
    value, low, high = cost_interval(y, alarm, np.arange(5), 3.0)
    assert value == pytest.approx(100 * (3 + 1) / 5) == pytest.approx(cost_per_100(Confusion(1, 1, 1, 2), 3.0))
    assert low <= value <= high
    patients = np.arange(400)
    y, p = calibrated(400)
    value, low, high = cost_interval(y, p >= 0.3, patients, 2.0)
    loss = 100 * np.where(y == 1, 2.0 * (p < 0.3), p >= 0.3)
    half = 1.96 * loss.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((loss.mean() - half, loss.mean() + half), abs=0.15 * half)
    assert cost_interval(np.array([1]), np.array([False]), np.array([7]), 5.0) == (500.0, 500.0, 500.0)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_in_a_ward_with_another_share_the_cheapest_threshold_is_that_of_its_weighted_stays(share: float) -> None:
    y, p = calibrated(3000)
    asked = Asked({"both": 0.4}, 4.0, 100 * share)
    of_long, of_other = asked.class_weights(pd.Series(y))
    weights = np.where(y == 1, of_long, of_other)
    assert weights.sum() == pytest.approx(len(y)) and weights[y == 1].sum() == pytest.approx(share * len(y))
    costs = [(weights * np.where(y == 1, 4.0 * (p < cut), p >= cut)).sum() for cut in CUTS]
    ratio = asked.ratio_here(pd.Series(y))
    found = cheapest(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(len(y)), n_draws=5), ratio)
    assert found is not None
    assert costs[round(100 * found.cut)] == pytest.approx(min(costs))
    assert of_other * found.cost == pytest.approx(100 * min(costs) / len(y))
    corrected = expit(logit(threshold_in_theory(ratio)) + prior_shift(float(y.mean()), share))
    assert corrected == pytest.approx(threshold_in_theory(4.0)), "in theory where the corrected p is 1 / (1 + ratio)"
    assert Asked({}, 4.0, None).ratio_here(pd.Series(y)) == Asked({}, 4.0, 50.0).ratio_here(pd.Series([1, 1])) == 4.0


# Another prevalence


@given(
    cells=st.tuples(*[st.integers(0, 60)] * 4).filter(lambda one: one[0] + one[2] > 0 and one[1] + one[3] > 0),
    share=st.floats(0.01, 0.99),
)
def test_reweighted_rates_are_bayes_rule_and_lie_within_their_intervals(
    cells: tuple[int, int, int, int], share: float
) -> None:
    at = Confusion(*cells)
    found = reweighted(at, share)
    sensitivity, specificity = at.hit / at.long, at.calm / (at.n - at.long)
    true, false = share * sensitivity, (1 - share) * (1 - specificity)
    assert found["Alarms"][0] == pytest.approx(true + false)
    assert ("PPV" in found) == (at.alarms > 0) and ("NPV" in found) == (at.alarms < at.n)
    if at.alarms:
        assert found["PPV"][0] == pytest.approx(true / (true + false))
    if at.alarms < at.n:
        quiet = (1 - share) * specificity
        assert found["NPV"][0] == pytest.approx(quiet / (quiet + share * (1 - sensitivity)))
    for value, low, high in found.values():
        assert -1e-12 <= low <= value + 1e-12 and value <= high + 1e-12 <= 1 + 2e-12


def test_at_the_prevalence_of_the_sample_nothing_changes() -> None:
    at = Confusion(56, 38, 33, 73)
    found = reweighted(at, at.long / at.n)
    for one in at.rates():
        if one.name in found:
            assert found[one.name][0] == pytest.approx(one.value)
    assert set(found) == {"PPV", "NPV", "Alarms"}


def test_intervals_are_those_of_mercaldo_and_of_two_wilson_intervals() -> None:
    at, share = Confusion(80, 30, 20, 170), 0.1
    sens, spec = 0.8, 0.85
    half = 1.959963985 * np.sqrt(0.2 / 0.8 / 100 + spec / (1 - spec) / 200)  # Mercaldo 2007, equation 4
    ppv = share * sens / (share * sens + (1 - share) * (1 - spec))
    assert reweighted(at, share)["PPV"] == pytest.approx((ppv, expit(logit(ppv) - half), expit(logit(ppv) + half)))
    low_1, high_1 = proportion_confint(80, 100, method="wilson")
    low_0, high_0 = proportion_confint(30, 200, method="wilson")
    value = share * 0.8 + (1 - share) * 0.15
    low = value - np.hypot(share * (0.8 - low_1), (1 - share) * (0.15 - low_0))
    high = value + np.hypot(share * (high_1 - 0.8), (1 - share) * (high_0 - 0.15))
    assert reweighted(at, share)["Alarms"] == pytest.approx((value, low, high))


def test_a_ward_of_another_mix_sees_what_was_foretold() -> None:
    y, p = calibrated(300_000)
    share = 0.15
    rng = np.random.default_rng(5)
    long, other = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    ward = np.concatenate([rng.choice(long, 15_000), rng.choice(other, 85_000)])
    here, there = confusion(y, p >= 0.4), confusion(y[ward], p[ward] >= 0.4)
    found = reweighted(here, share)
    for one in there.rates():
        if one.name in found:
            assert one.value == pytest.approx(found[one.name][0], abs=0.01), one.name
    oe = reweighted_oe(y, p, share)
    assert oe is not None and oe[1] < oe[0] < oe[2]
    assert y[ward].sum() / p[ward].sum() == pytest.approx(oe[0], rel=0.01)
    moved = expit(logit(p[ward]) + prior_shift(y.mean(), share))
    assert moved.mean() == pytest.approx(share, abs=0.004), "the shift of the prior mends the mean"


def test_one_class_alone_foretells_nothing() -> None:
    assert reweighted(Confusion(3, 0, 2, 0), 0.2) == {}
    assert reweighted_oe(np.ones(5), np.linspace(0.1, 0.9, 5), 0.2) is None
    assert reweighted_oe(np.array([1]), np.array([0.3]), 0.2) is None

"""Metrics against scikit-learn, their weighted forms against resampling by hand, and small n said plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from lemof_core.evaluation.metrics import (
    bootstrap_weights,
    calibration_line,
    estimates,
    paired_difference,
    weighted_auprc,
    weighted_auroc,
)


def scores(n: int = 300, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(size=n), digits)
    return (rng.random(n) < p).astype(float), p


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_weighted_ranking_metrics_equal_scikit_learn_on_repeated_rows(seed: int, digits: int) -> None:
    y, p = scores(60, seed, digits)
    weights = np.random.default_rng(seed).integers(0, 4, (3, 60)).astype(float)
    for index, row in enumerate(weights.astype(int)):
        repeated_y, repeated_p = np.repeat(y, row), np.repeat(p, row)
        if 0 < repeated_y.sum() < len(repeated_y):
            assert weighted_auroc(y, p, weights)[index] == pytest.approx(
                roc_auc_score(repeated_y, repeated_p), abs=1e-6
            )
            expected = average_precision_score(repeated_y, repeated_p)
            assert weighted_auprc(y, p, weights)[index] == pytest.approx(expected, abs=1e-6)


def test_estimates_equal_scikit_learn_and_lie_within_their_interval() -> None:
    y, p = scores()
    found = {one.name: one for one in estimates(y, p, np.arange(300), thresholds=np.full(300, 0.4), n_draws=200)}
    assert found["auroc"].value == pytest.approx(roc_auc_score(y, p))
    assert found["acc_50"].value == pytest.approx(accuracy_score(y, p >= 0.5))
    assert found["f1_macro_tuned"].value == pytest.approx(f1_score(y, p >= 0.4, average="macro"))
    assert found["brier"].value == pytest.approx(np.mean((p - y) ** 2))
    for one in found.values():
        assert one.n == 300 and one.events == y.sum()
        assert one.lo is not None and one.hi is not None and one.value is not None
        assert one.lo <= one.value <= one.hi


def test_few_events_are_not_estimable_with_their_n() -> None:
    y, untuned = np.r_[np.ones(3), np.zeros(20)], np.full(23, np.nan)
    found = {
        one.name: one for one in estimates(y, np.linspace(0, 1, 23), np.arange(23), thresholds=untuned, n_draws=20)
    }
    assert found["auroc"].value is None and found["auroc"].note == "not estimable, n = 23, events = 3"
    assert found["acc_50"].value is not None
    assert found["acc_tuned"].value is None
    nobody = np.empty(0)
    assert all(one.n == 0 for one in estimates(nobody, nobody, nobody, thresholds=nobody))
    assert bootstrap_weights(nobody, n_draws=7).shape == (7, 0)
    right, cuts = np.array([1.0, 0.0, 1.0]), np.full(3, 0.5)
    three = estimates(right, right, np.arange(3), thresholds=cuts)
    assert {(one.value, one.note) for one in three} == {(None, "not estimable, n = 3")}, "no ACC of 1.000 [1.000-1.000]"


def test_each_sample_is_held_against_its_own_threshold() -> None:
    y, p = scores()
    cuts = np.where(np.arange(300) % 3 == 0, 0.2, 0.7)
    found = {one.name: one for one in estimates(y, p, np.arange(300), thresholds=cuts, n_draws=20)}
    assert found["acc_tuned"].value == pytest.approx(accuracy_score(y, p >= cuts))
    assert found["f1_macro_tuned"].value == pytest.approx(f1_score(y, p >= cuts, average="macro"))
    assert found["acc_tuned"].value != pytest.approx(accuracy_score(y, p >= 0.2))
    cuts[:4] = np.nan
    found = {one.name: one for one in estimates(y, p, np.arange(300), thresholds=cuts, n_draws=20)}
    for name in ("acc_tuned", "f1_macro_tuned"):
        assert found[name].value is None and "4 of 300 samples have no tuned threshold" in str(found[name].note)
    assert found["acc_50"].value is not None and found["auroc"].value is not None


def test_a_forecast_that_is_the_same_for_all_has_no_calibration_line() -> None:
    y, _ = scores()
    same = estimates(y, np.full(300, 0.3), np.arange(300), thresholds=np.full(300, np.nan), n_draws=20)
    found = {one.name: one for one in same}
    assert (found["auroc"].value, found["auprc"].value) == (0.5, pytest.approx(y.mean()))
    assert found["brier"].value == pytest.approx(np.mean((y - 0.3) ** 2))
    assert found["cal_slope"].value is None and "same forecast for all" in str(found["cal_slope"].note)


def test_patients_are_drawn_whole() -> None:
    subjects = np.array([7, 7, 7, 9, 9, 4])
    weights = bootstrap_weights(subjects, n_draws=50, seed=0)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 3, 5]].sum(1) == 3).all()


def test_calibration_line_finds_an_overconfident_score() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(float)
    slope, intercept = calibration_line(y, 1 / (1 + np.exp(-2 * truth - 0.5)))
    assert slope == pytest.approx(0.5, abs=0.03) and intercept == pytest.approx(-0.25, abs=0.05)


def test_a_score_differs_from_itself_by_nothing_and_swapping_flips_the_sign() -> None:
    y, p = scores()
    q = np.random.default_rng(1).uniform(size=300)
    assert paired_difference(y, p, p, np.arange(300), n_draws=50) == (0, 0, 0)
    d, low, high = paired_difference(y, p, q, np.arange(300), n_draws=50)
    e, low_e, high_e = paired_difference(y, q, p, np.arange(300), n_draws=50)
    assert (d, low, high) == pytest.approx((-e, -high_e, -low_e))

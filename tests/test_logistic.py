"""The meta-learner G against scikit-learn, and what its bounds and its prior promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from lemof_core.errors import ModelMistake
from lemof_core.logistic import Logistic, choose_penalty, cross_fit, fit_logistic


def rows(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    x = signal[:, None] + rng.normal(size=(n, 3)) * [0.5, 1.0, 1.5]
    return x, (rng.random(n) < expit(signal)).astype(float)


def test_unpenalised_g_on_probabilities_equals_scikit_learn() -> None:
    x, y = rows()
    ours = fit_logistic(x, y, inputs="abc", link="prob")
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(expit(x), y)
    np.testing.assert_allclose(ours.weights, theirs.coef_[0], atol=2e-3)
    np.testing.assert_allclose(expit(ours.logit(x)), theirs.predict_proba(expit(x))[:, 1], atol=1e-4)


def test_a_large_penalty_gives_the_mean_of_the_logits() -> None:
    x, y = rows()
    g = fit_logistic(x, y, inputs="abc", nonnegative=True, penalty=1e7)
    np.testing.assert_allclose(g.weights, g.weights[0], rtol=1e-3)
    # On equally spread inputs the prior is the plain mean.
    z = (x - x.mean(0)) / x.std(0)
    equal = fit_logistic(z, y, inputs="abc", nonnegative=True, penalty=1e7)
    np.testing.assert_allclose(equal.weights, 1 / 3, atol=1e-3)


def test_bounded_weights_are_never_negative() -> None:
    x, y = rows()
    x[:, 2] = -x[:, 0]
    assert fit_logistic(x, y, inputs="abc").weights.min() < 0
    assert fit_logistic(x, y, inputs="abc", nonnegative=True).weights.min() >= 0


def test_cross_fitted_rows_come_from_fits_that_never_saw_them() -> None:
    x, y = rows()
    folds = np.arange(len(y)) % 5
    held_out = cross_fit(x, y, folds, inputs="abc", penalty=1.0)
    assert held_out is not None
    without = folds != 2
    np.testing.assert_allclose(
        held_out[~without], fit_logistic(x[without], y[without], inputs="abc", penalty=1.0).logit(x[~without])
    )
    changed = y.copy()
    changed[~without] = 1 - changed[~without]
    again = cross_fit(x, changed, folds, inputs="abc", penalty=1.0)
    assert again is not None
    np.testing.assert_array_equal(again[~without], held_out[~without])


def test_one_class_is_a_mistake_with_n_and_events() -> None:
    x, _ = rows(10)
    with pytest.raises(ModelMistake, match="n = 10, events = 0"):
        fit_logistic(x, np.zeros(10), inputs="abc")


def test_folds_that_cannot_be_fitted_choose_the_strongest_penalty() -> None:
    x, _ = rows(10)
    y = np.array([1.0] + [0.0] * 9)
    folds = np.array([0] + [1] * 9)
    assert choose_penalty(x, y, folds, (1.0, 100.0), inputs="abc") == 100.0


def test_numpy_and_torch_agree_and_json_round_trips() -> None:
    torch = pytest.importorskip("torch")
    x, y = rows(50)
    for link in ("logit", "prob"):
        g = fit_logistic(x, y, inputs="abc", link=link)
        np.testing.assert_allclose(g.logit(torch.from_numpy(x)).numpy(), g.logit(x), atol=1e-12)
        assert Logistic.from_json(g.to_json()).logit(x).tolist() == g.logit(x).tolist()


def test_a_hand_computed_logit() -> None:
    g = Logistic(("a", "b"), np.array([2.0, -1.0]), 0.5, np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    # 2 * (3 - 1) / 2 - 1 * 4 + 0.5 = -1.5
    assert g.logit(np.array([3.0, 4.0])) == pytest.approx(-1.5)
    p = Logistic(("a",), np.array([3.0]), -1.0, np.zeros(1), np.ones(1), link="prob")
    assert p.logit(np.array([logit(0.25)])) == pytest.approx(3 * 0.25 - 1)

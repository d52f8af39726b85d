"""The meta-learner G against scikit-learn, and what its bounds and its prior promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from lemof_core.errors import ModelMistake
from lemof_core.logistic import Logistic, choose_penalty, corrected_loss, cross_fit, fit_logistic


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


def noisy_rows(n: int = 20_000, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return clean inputs (n, 2), the same with noise, their labels, and the noise's covariance."""
    rng = np.random.default_rng(seed)
    clean = rng.multivariate_normal([0, 0], [[1.0, 0.8], [0.8, 1.0]], n)
    noise = np.array([[0.05, 0.0], [0.0, 0.3]])
    y = (rng.random(n) < expit(0.2 * clean[:, 0] + 0.9 * clean[:, 1])).astype(float)
    return clean, clean + rng.multivariate_normal([0, 0], noise, n), y, noise


def test_a_fit_to_noisy_inputs_that_knows_their_noise_is_the_fit_to_clean_ones() -> None:
    clean, noisy, y, noise = noisy_rows()
    wanted, naive, mended = (
        g.weights / g.scale
        for g in (
            fit_logistic(clean, y, inputs="ab"),
            fit_logistic(noisy, y, inputs="ab"),
            fit_logistic(noisy, y, inputs="ab", noise=noise),
        )
    )
    assert np.abs(naive - wanted).max() > 0.2  # the noisier input is believed too little, the other too much
    np.testing.assert_allclose(mended, wanted, atol=0.08)


def test_no_noise_changes_nothing_and_too_much_still_has_an_answer() -> None:
    _, noisy, y, noise = noisy_rows(2_000)
    plain = fit_logistic(noisy, y, inputs="ab", nonnegative=True, penalty=1.0)
    same = fit_logistic(noisy, y, inputs="ab", nonnegative=True, penalty=1.0, noise=np.zeros((2, 2)))
    np.testing.assert_allclose(same.weights, plain.weights, atol=1e-4)
    assert choose_penalty(noisy, y, np.arange(len(y)) % 5, (1.0, 1e3), inputs="ab", noise=noise * 30) == 1.0
    for much in (noise * 1e3, np.full((2, 2), 1e9)):
        wild = fit_logistic(noisy, y, inputs="ab", nonnegative=True, noise=much)
        assert np.isfinite(wild.weights).all()
        assert wild.weights.min() >= 0 and wild.weights.max() < 10
    alone = fit_logistic(noisy[:, :1], y, inputs="a", noise=noise[:1, :1])
    assert alone.weights[0] > fit_logistic(noisy[:, :1], y, inputs="a").weights[0]


def test_the_ridge_draws_to_the_weights_that_are_asked_for() -> None:
    x, y = rows()
    g = fit_logistic(x, y, inputs="abc", nonnegative=True, penalty=1e7, prior=(0.0, 1.0, 2.0))
    np.testing.assert_allclose(g.weights / g.scale, [0, 1, 2], atol=1e-2)


def test_noise_takes_from_a_loss_what_it_had_added() -> None:
    clean, noisy, y, noise = noisy_rows()
    g = fit_logistic(clean, y, inputs="ab")
    wanted, seen = corrected_loss(g, clean, y, None), corrected_loss(g, noisy, y, None)
    assert abs(corrected_loss(g, noisy, y, noise) - wanted) < 0.2 * (seen - wanted)


def test_noise_of_near_duplicates_leaves_the_correction_of_others_alone() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    same, other = rng.normal(size=(2, n))
    spread = np.array([0.3, 0.3, 0.6])
    clean = np.column_stack([same, same, other])
    y = (rng.random(n) < expit(0.5 * same + 0.9 * other)).astype(float)
    noisy = clean + rng.normal(size=clean.shape) * spread
    g = fit_logistic(noisy, y, inputs="abc", nonnegative=True, noise=np.diag(spread**2))
    naive = fit_logistic(noisy, y, inputs="abc", nonnegative=True)
    assert (naive.weights / naive.scale)[2] < 0.7
    assert (g.weights / g.scale)[2] == pytest.approx(0.9, abs=0.07)


def test_noise_of_probabilities_is_refused() -> None:
    x, y = rows(50)
    with pytest.raises(ValueError, match="log-odds"):
        fit_logistic(x, y, inputs="abc", link="prob", noise=np.eye(3))

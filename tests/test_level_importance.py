"""selection_phi (eq. 5) against shap's exact explainer, enumeration and hand values; k* against planted levels."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import shap
from scipy.special import expit

from lemof_core.level_importance import (
    best_level,
    choice_frequency,
    mean_abs_phi,
    selection_phi_logit,
    selection_phi_prob,
)
from lemof_core.logistic import Logistic, fit_logistic

G = Logistic(("1", "2", "3"), np.array([0.8, 0.3, 1.1]), -0.2, np.array([0.1, 0.0, -0.3]), np.array([1.2, 0.9, 1.0]))
RNG = np.random.default_rng(3)
BACKGROUND, LEVELS = RNG.normal(size=(256, 3)), RNG.normal(size=(20, 3))


def test_phi_in_log_odds_is_closed_form_and_efficient() -> None:
    phi = selection_phi_logit(G, LEVELS, BACKGROUND)
    np.testing.assert_allclose(phi.sum(1), G.logit(LEVELS) - G.logit(BACKGROUND).mean(), atol=1e-12)
    first = G.weights[0] * ((LEVELS[:, 0] - BACKGROUND[:, 0].mean()) / G.scale[0])
    np.testing.assert_allclose(phi[:, 0], first, atol=1e-12)


@pytest.mark.parametrize("scale", ["logit", "prob"])
def test_phi_equals_shaps_exact_explainer(scale: str) -> None:
    def model(x: np.ndarray) -> np.ndarray:
        return G.logit(x) if scale == "logit" else expit(G.logit(x))

    # The masker would quietly sample 100 background rows unless told the number.
    masker = shap.maskers.Independent(BACKGROUND, max_samples=len(BACKGROUND))
    theirs = shap.explainers.Exact(model, masker)(LEVELS).values
    ours = (selection_phi_logit if scale == "logit" else selection_phi_prob)(G, LEVELS, BACKGROUND)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_phi_in_probability_equals_the_mean_over_all_orders() -> None:
    def value(coalition: set[int], x: np.ndarray) -> float:
        mixed = BACKGROUND.copy()
        mixed[:, sorted(coalition)] = x[sorted(coalition)]
        return float(expit(G.logit(mixed)).mean())

    expected = np.zeros(3)
    for order in permutations(range(3)):
        before: set[int] = set()
        for player in order:
            expected[player] += (value(before | {player}, LEVELS[0]) - value(before, LEVELS[0])) / 6
            before.add(player)
    np.testing.assert_allclose(selection_phi_prob(G, LEVELS[:1], BACKGROUND)[0], expected, atol=1e-12)


def test_ties_go_to_the_lower_level() -> None:
    assert best_level(np.array([0.2, 0.5, 0.5])) == 2


def planted_levels(
    rng: np.random.Generator, level: int, *, n: int = 450, decoy_correlation: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return level logits (n, 3) and labels: one level knows the label, decoys only correlate with it."""
    signal = rng.normal(size=n)
    y = (rng.random(n) < expit(0.55 * signal)).astype(float)
    levels = decoy_correlation * signal[:, None] + np.sqrt(1 - decoy_correlation**2) * rng.normal(size=(n, 3))
    levels[:, level - 1] = signal
    return levels * rng.uniform(0.5, 2.0, 3), y


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_planted_level_is_found_in_at_least_95_of_100_draws(level: int) -> None:
    rng = np.random.default_rng(10 + level)
    found = 0
    for _ in range(200):
        levels, y = planted_levels(rng, level)
        g = fit_logistic(levels, y, inputs="123", nonnegative=True, penalty=10.0)
        found += best_level(mean_abs_phi(g, levels)) == level
    assert found >= 190, f"found {found} of 200"


def test_choice_frequency_sums_to_one_and_is_unsure_where_levels_are_equal() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=400)
    y = (rng.random(400) < expit(signal)).astype(float)
    levels = signal[:, None] + 0.2 * rng.normal(size=(400, 3))

    def fit(x: np.ndarray, labels: np.ndarray) -> Logistic:
        return fit_logistic(x, labels, inputs="123", nonnegative=True, penalty=1.0)

    frequency = choice_frequency(levels, y, fit, n_draws=60, seed=0)
    assert frequency.sum() == pytest.approx(1)
    assert frequency.max() < 0.95

"""DeLong's test against its definition, against the bootstrap, and against what must hold whatever the data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from lemof_core.evaluation.delong import components, delong
from lemof_core.evaluation.metrics import bootstrap_weights, weighted_auroc


def by_definition(y: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The difference and its variance from all pairs, as DeLong, DeLong and Clarke-Pearson write them (eq. 4 to 8)."""
    wins, beaten = [], []
    for score in (first, second):
        psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in score[y == 0]] for a in score[y == 1]])
        wins.append(psi.mean(1))
        beaten.append(psi.mean(0))
    s10, s01 = np.cov(wins), np.cov(beaten)
    s = s10 / (y == 1).sum() + s01 / (y == 0).sum()
    return float(np.mean(wins[0]) - np.mean(wins[1])), float(s[0, 0] + s[1, 1] - 2 * s[0, 1])


def drawn(rng: np.random.Generator, n: int, *, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes and two correlated scores, the first better where gain > 1."""
    y = (rng.random(n) < 0.4).astype(int)
    shared = rng.normal(size=n)
    return y, gain * y + shared + rng.normal(size=n), y + shared + rng.normal(size=n)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_it_is_the_definition_with_and_without_ties(digits: int) -> None:
    rng = np.random.default_rng(digits)
    for n in (30, 60):
        y, first, second = (np.round(one, digits) for one in drawn(rng, n, gain=1.7))
        value, variance = by_definition(y, first, second)
        found = delong(y, first, second)
        assert found is not None
        assert found.value == pytest.approx(value, abs=1e-12)
        assert found.se == pytest.approx(np.sqrt(variance), abs=1e-12)
        assert found.first == pytest.approx(roc_auc_score(y, first))
        assert found.second == pytest.approx(roc_auc_score(y, second))


def test_a_case_that_can_be_done_by_hand() -> None:
    # Five 1s and five 0s. The first score ranks all right but one pair of the fifth 1; the second is right throughout.
    y = np.array([1] * 5 + [0] * 5)
    first = np.array([10.0, 9, 8, 7, 4.5, 5, 4, 3, 2, 1])
    second = np.array([10.0, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    wins, beaten = components(y, np.stack([first, second]))
    assert wins.tolist() == [[1, 1, 1, 1, 0.8], [1] * 5]
    np.testing.assert_allclose(beaten, [[0.8, 1, 1, 1, 1], [1] * 5])
    found = delong(y, first, second)
    assert found is not None
    # AUROC 24/25 against 1. Each part has variance 0.2^2 (1 - 1/5) / 4 = 0.008, and is divided by 5: 0.0032 in all.
    assert found.value == pytest.approx(-0.04)
    assert found.se == pytest.approx(np.sqrt(0.0032))
    assert found.p == pytest.approx(2 * stats.norm.sf(0.04 / np.sqrt(0.0032)))
    assert (found.n, found.events) == (10, 5)


def test_the_bootstrap_of_patients_has_the_same_spread() -> None:
    y, first, second = drawn(np.random.default_rng(5), 900, gain=1.3)
    found = delong(y, first, second)
    weights = bootstrap_weights(np.arange(len(y)), n_draws=1500)
    gaps = weighted_auroc(y, first, weights) - weighted_auroc(y, second, weights)
    assert found is not None
    assert found.se == pytest.approx(gaps.std(), rel=0.08)
    assert [found.lo, found.hi] == pytest.approx(np.quantile(gaps, [0.025, 0.975]).tolist(), abs=0.25 * found.se)


def test_where_nothing_differs_p_is_uniform() -> None:
    rng = np.random.default_rng(11)
    ps = [found.p for _ in range(600) if (found := delong(*drawn(rng, 120))) is not None]
    assert len(ps) == 600
    assert stats.kstest(ps, "uniform").pvalue > 0.01
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_a_real_difference_is_found() -> None:
    found = delong(*drawn(np.random.default_rng(2), 2000, gain=1.8))
    assert found is not None and found.p is not None
    assert found.p < 1e-6 and found.lo > 0


def test_copies_of_a_patients_sample_add_no_certainty() -> None:
    y, first, second = drawn(np.random.default_rng(3), 80, gain=1.5)
    patients = np.arange(80)
    alone, copied = delong(y, first, second), delong(*(np.repeat(one, 3) for one in (y, first, second, patients)))
    naive = delong(*(np.repeat(one, 3) for one in (y, first, second)))
    assert alone is not None and copied is not None and naive is not None
    assert copied.value == pytest.approx(alone.value)
    assert copied.se == pytest.approx(alone.se)
    assert naive.se < 0.6 * alone.se


def test_patients_with_samples_of_both_classes_agree_with_the_bootstrap() -> None:
    rng = np.random.default_rng(8)
    patients = np.repeat(np.arange(400), 3)
    own = np.repeat(rng.normal(size=400), 3)  # what a patient's samples share
    y = (rng.random(1200) < expit(own)).astype(int)
    first, second = y + own + rng.normal(size=1200), 0.6 * y + rng.normal(size=1200)
    found = delong(y, first, second, patients)
    weights = bootstrap_weights(patients, n_draws=1500)
    gaps = weighted_auroc(y, first, weights) - weighted_auroc(y, second, weights)
    assert found is not None
    assert found.se == pytest.approx(gaps.std(), rel=0.08)


def test_exchanging_the_models_flips_every_sign() -> None:
    y, first, second = drawn(np.random.default_rng(4), 100, gain=1.4)
    one, other = delong(y, first, second), delong(y, second, first)
    assert one is not None and other is not None and one.z is not None
    assert (other.value, other.lo, other.hi, other.z) == pytest.approx((-one.value, -one.hi, -one.lo, -one.z))
    assert (other.se, other.p) == pytest.approx((one.se, one.p))


def test_a_model_against_itself_or_a_stretched_self_is_nothing() -> None:
    y, first, _ = drawn(np.random.default_rng(6), 100)
    for same in (first, 3 * first + 1, np.exp(first)):
        found = delong(y, first, same)
        assert found is not None
        assert (found.value, found.se, found.z, found.p) == (0, 0, 0, 1)


def test_all_right_against_all_wrong_has_no_p() -> None:
    y = np.array([1] * 6 + [0] * 6)
    found = delong(y, y, -y)
    assert found is not None
    assert (found.value, found.z, found.p) == (1, None, None)


@pytest.mark.parametrize("events", [0, 1, 4, 26])
def test_few_of_a_class_are_not_estimable(events: int) -> None:
    y = np.zeros(30)
    y[:events] = 1
    assert delong(y, np.arange(30.0), np.arange(30.0)[::-1]) is None
    assert delong(np.zeros(0), np.zeros(0), np.zeros(0)) is None


def test_few_patients_with_many_samples_are_not_estimable() -> None:
    y, first, second = drawn(np.random.default_rng(1), 60)
    assert delong(y, first, second, np.arange(60) % 4) is None
    assert delong(y, first, second, np.arange(60) % 20) is not None

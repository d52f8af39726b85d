"""Paired comparison: every metric against a library, the intervals against the stored ones, and laws of exchange."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn import metrics as oracle

from lemof_core.evaluation.comparison import (
    METRICS,
    Paired,
    Scored,
    compare,
    draws,
)
from lemof_core.evaluation.metrics import bootstrap_weights, draws_while_waiting, estimates, paired_difference
from lemof_core.evaluation.net_benefit import net_benefit

CUT = 0.4


def people(seed: int = 0, n: int = 240) -> tuple[np.ndarray, Scored, Scored, np.ndarray]:
    """Outcomes, a better and a worse model at thresholds of their own, and patients of whom some have two samples."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < expit(1.5 * x - 0.5)).astype(int)
    p, q = expit(1.3 * x - 0.4 + 0.3 * rng.normal(size=n)), expit(0.7 * x + rng.normal(size=n))
    subjects = np.where(np.arange(n) < 200, np.arange(n), np.arange(n) - 200)
    return y, Scored(p, p >= 0.45), Scored(q, q >= 0.55), subjects


def by_name(found: list[Paired]) -> dict[str, Paired]:
    return {one.name: one for one in found}


def test_every_metric_is_what_the_libraries_say() -> None:
    y, first, second, subjects = people()
    found = by_name(compare(y, first, second, subjects, threshold=CUT, n_draws=40))
    assert tuple(found) == METRICS
    for said, which in ((first, "first"), (second, "second")):
        p, alarm = said.p, said.alarm
        line = sm.GLM(y, sm.add_constant(logit(p)), family=sm.families.Binomial()).fit().params
        wanted = {
            "auroc": oracle.roc_auc_score(y, p),
            "auprc": oracle.average_precision_score(y, p),
            "brier": oracle.brier_score_loss(y, p),
            "log_loss": oracle.log_loss(y, p),
            "cal_slope": line[1],
            "cal_intercept": line[0],
            "o_e": y.sum() / p.sum(),
            "acc": oracle.accuracy_score(y, alarm),
            "sensitivity": oracle.recall_score(y, alarm),
            "specificity": oracle.recall_score(y, alarm, pos_label=0),
            "ppv": oracle.precision_score(y, alarm),
            "npv": oracle.precision_score(y, alarm, pos_label=0),
            "alarms": alarm.mean(),
            "net_benefit": net_benefit(y, p, np.array([CUT]))[0],
        }
        assert {name: getattr(found[name], which).value for name in METRICS} == pytest.approx(wanted, abs=1e-5)
    for one in found.values():
        assert one.value == pytest.approx(one.first.value - one.second.value)
        assert one.lo <= one.hi
        assert (one.n, one.events) == (len(y), y.sum())


def test_one_models_intervals_are_the_stored_ones() -> None:
    y, first, second, subjects = people(1)
    found = by_name(compare(y, first, second, subjects, threshold=CUT))
    for one in estimates(y, first.p, subjects, thresholds=np.full(len(y), 0.45)):
        name = {"acc_tuned": "acc"}.get(one.name, one.name)
        if name in found:
            own = found[name].first
            assert (own.value, own.lo, own.hi) == pytest.approx((one.value, one.lo, one.hi), abs=1e-5), name


def test_the_difference_is_that_of_the_same_drawn_patients() -> None:
    y, first, second, subjects = people(2)
    found = by_name(compare(y, first, second, subjects, threshold=CUT))["auroc"]
    wanted = paired_difference(y, first.p, second.p, subjects)
    assert (found.value, found.lo, found.hi) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("n_draws", [1, 32, 70])
def test_draws_by_the_chunk_are_the_draws_at_once(n_draws: int) -> None:
    subjects = np.array([3, 3, 1, 7, 9, 9, 9])
    chunks = list(draws(subjects, n_draws))
    assert max(len(one) for one in chunks) <= 32
    np.testing.assert_array_equal(np.concatenate(chunks), bootstrap_weights(subjects, n_draws=n_draws))


def test_exchanging_the_models_flips_every_sign() -> None:
    y, first, second, subjects = people(3)
    forth = compare(y, first, second, subjects, threshold=CUT, n_draws=100)
    back = compare(y, second, first, subjects, threshold=CUT, n_draws=100)
    for one, other in zip(forth, back, strict=True):
        assert (other.value, other.lo, other.hi) == pytest.approx((-one.value, -one.hi, -one.lo), abs=1e-12), one.name
        assert other.first == one.second and other.second == one.first


def test_a_model_against_itself_is_alike_in_everything() -> None:
    y, first, _, subjects = people(4)
    for one in compare(y, first, first, subjects, threshold=CUT, n_draws=50):
        assert (one.value, one.lo, one.hi, one.alike) == (0, None, None, True)


def test_the_interval_covers_what_it_should() -> None:
    # Half right, half wrong by .2: (q - y)^2 has mean .25 + .04, where .5 for everybody has .25.
    rng, held, rounds = np.random.default_rng(9), 0, 120
    for _ in range(rounds):
        y = (rng.random(150) < 0.5).astype(int)
        p = np.full(150, 0.5)
        q = 0.5 + rng.choice([-0.2, 0.2], 150)
        found = by_name(compare(y, Scored(p, p > 0.6), Scored(q, q > 0.6), np.arange(150), threshold=CUT, n_draws=200))
        brier = found["brier"]
        held += brier.lo <= -0.04 <= brier.hi
    assert held / rounds == pytest.approx(0.95, abs=0.07)


def test_what_cannot_be_estimated_says_why() -> None:
    y, first, second, subjects = people(5, 30)
    none = np.zeros(30, dtype=bool)
    few = np.zeros(30, dtype=int)
    few[:3] = 1
    found = by_name(compare(few, Scored(first.p, none), second, subjects, threshold=CUT, n_draws=20))
    for name in ("auroc", "auprc", "cal_slope", "o_e"):
        assert found[name].value is None and found[name].note == "not estimable, n = 30, events = 3"
    assert found["sensitivity"].note == "not estimable, n = 3 long stays"
    assert found["ppv"].note == "not estimable, n = 0 alarms"
    assert found["brier"].value is not None and found["specificity"].value is not None
    flat = Scored(np.full(30, 0.4), none)
    same = by_name(compare(y, flat, second, subjects, threshold=CUT, n_draws=20))
    assert same["cal_slope"].note == "not estimable: the same forecast for all, n = 30"
    assert same["auroc"].first.value == 0.5


def test_a_rate_of_all_is_not_sure_of_itself() -> None:
    y = np.array([0, 1] * 8)
    caught, missed = Scored(0.2 + 0.6 * y, np.ones(16, dtype=bool)), Scored(0.3 + 0.1 * y, np.zeros(16, dtype=bool))
    found = by_name(compare(y, caught, missed, np.arange(16), threshold=CUT, n_draws=50))["sensitivity"]
    wilson = binomtest(8, 8).proportion_ci(method="wilson")
    assert (found.first.value, found.first.lo, found.first.hi) == pytest.approx((1, wilson.low, 1))
    assert (found.second.value, found.second.lo, found.second.hi) == pytest.approx((0, 0, 1 - wilson.low))
    assert (found.value, found.lo, found.hi, found.alike) == (1, None, None, False)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_next_to_nobody_is_not_estimable(n: int) -> None:
    said = Scored(np.full(n, 0.3), np.zeros(n, dtype=bool))
    found = compare(np.zeros(n), said, said, np.arange(n), threshold=CUT)
    assert {one.note for one in found} == {f"not estimable, n = {n}"}


def test_forecasts_of_0_and_1_have_a_finite_loss() -> None:
    y = np.array([0, 1] * 6)
    sure, wrong = Scored(y.astype(float), y == 1), Scored(1.0 - y, y == 0)
    found = by_name(compare(y, sure, wrong, np.arange(12), threshold=CUT, n_draws=20))
    assert found["log_loss"].first.value == pytest.approx(0, abs=1e-9)
    assert np.isfinite(found["log_loss"].value) and found["brier"].value == -1


@pytest.mark.parametrize("cut", [0.0, 1.0, -0.1, float("nan")])
def test_a_threshold_without_odds_is_refused(cut: float) -> None:
    y, first, second, subjects = people()
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare(y, first, second, subjects, threshold=cut)


def test_large_cohorts_get_fewer_draws() -> None:
    assert draws_while_waiting(10_000) == 1000 > draws_while_waiting(100_000) >= 200

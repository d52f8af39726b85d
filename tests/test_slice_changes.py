"""Changes by group: the paired t-test, clustered regression and Benjamini-Hochberg of the libraries as oracles."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from lemof_core.evaluation.delong import delong
from lemof_core.evaluation.slice_changes import SCORES, mean_difference, slice_changes

Groups = dict[tuple[str, str], np.ndarray]


def people(seed: int = 0, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Groups]:
    """Two models that are alike but in the planted third, where the second is much worse; one group is too small."""
    rng = np.random.default_rng(seed)
    x, third = rng.normal(size=n), np.arange(n) % 3
    y = (rng.random(n) < expit(1.5 * x)).astype(int)
    first = expit(1.5 * x + 0.3 * rng.normal(size=n))
    second = np.where(third == 1, expit(-1.5 * x), expit(1.5 * x + 0.3 * rng.normal(size=n)))
    groups = {("third", name): third == k for k, name in enumerate(("as it was", "planted", "as it was too"))}
    groups["rare", "four long"] = np.isin(np.arange(n), np.flatnonzero(y == 1)[:4]) | (
        np.isin(np.arange(n), np.flatnonzero(y == 0)[:50])
    )
    groups["nobody", "at all"] = np.zeros(n, dtype=bool)
    return y, first, second, np.arange(n), groups


@pytest.mark.parametrize("score", ["brier", "log_loss"])
def test_a_loss_is_compared_by_the_paired_t_test(score: str) -> None:
    y, p, q, subjects, groups = people()
    found = {one.name: one for one in slice_changes(y, p, q, subjects, groups, score=score)}
    of = groups["third", "planted"]
    each = {
        "brier": lambda forecast: (forecast[of] - y[of]) ** 2,
        "log_loss": lambda forecast: -np.log(np.where(y[of] == 1, forecast[of], 1 - forecast[of])),
    }[score]
    test = stats.ttest_rel(each(p), each(q))
    ends = test.confidence_interval()
    one = found["planted"]
    assert (one.lo, one.hi, one.p) == pytest.approx((ends.low, ends.high, test.pvalue))
    whole = {"brier": brier_score_loss, "log_loss": log_loss}[score]
    assert one.value == pytest.approx(whole(y[of], p[of]) - whole(y[of], q[of]))
    assert (one.n, one.events) == (of.sum(), y[of].sum())


def test_samples_of_one_patient_are_taken_together() -> None:
    rng = np.random.default_rng(4)
    patients = rng.integers(0, 60, 200)
    gap = rng.normal(size=200) + rng.normal(size=60)[patients]
    k = len(np.unique(patients))
    fit = sm.OLS(gap, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": patients, "use_correction": False})
    mean, low, high, _ = mean_difference(gap, patients)
    se = float(fit.bse[0]) * np.sqrt(k / (k - 1))
    assert mean == pytest.approx(fit.params[0])
    assert (high - low) / 2 == pytest.approx(se * stats.t.ppf(0.975, k - 1))


def test_auroc_is_compared_by_delong() -> None:
    y, p, q, subjects, groups = people()
    of = groups["third", "planted"]
    wanted = delong(y[of], p[of], q[of])
    one = slice_changes(y, p, q, subjects, {("third", "planted"): of}, score="auroc")[0]
    assert wanted is not None
    assert (one.value, one.lo, one.hi, one.p) == (wanted.value, wanted.lo, wanted.hi, wanted.p)


@pytest.mark.parametrize("score", SCORES)
def test_the_planted_group_comes_first_and_alone_is_clear(score: str) -> None:
    found = slice_changes(*people(2), score=score)
    assert found[0].name == "planted"
    assert [one.name for one in found if one.q is not None and one.q < 0.05] == ["planted"]
    assert (found[0].value or 0) * (1 if score == "auroc" else -1) > 0, "the first model is the better one there"


@pytest.mark.parametrize("score", SCORES)
def test_p_is_adjusted_for_all_groups_that_have_one(score: str) -> None:
    known = [one for one in slice_changes(*people(3), score=score) if one.p is not None]
    wanted = stats.false_discovery_control([one.p for one in known])
    assert [one.q for one in known] == pytest.approx(wanted.tolist())


def test_small_groups_have_their_n_and_no_number() -> None:
    last = slice_changes(*people())[-2:]
    assert [(one.name, one.n, one.events, one.value, one.q) for one in last] == [
        ("four long", 54, 4, None, None),
        ("at all", 0, 0, None, None),
    ]
    assert last[0].note == "not estimable, n = 54, events = 4"


@pytest.mark.parametrize("score", SCORES)
def test_exchanging_the_models_flips_every_sign_and_keeps_the_order(score: str) -> None:
    y, p, q, subjects, groups = people(5)
    forth, back = (slice_changes(y, *pair, subjects, groups, score=score) for pair in ((p, q), (q, p)))
    assert [one.name for one in forth] == [one.name for one in back]
    for one, other in zip(forth, back, strict=True):
        if one.value is not None and one.hi is not None and one.lo is not None:
            assert (other.value, other.lo, other.hi) == pytest.approx((-one.value, -one.hi, -one.lo))
            assert (other.p, other.q) == pytest.approx((one.p, one.q))


@pytest.mark.parametrize("score", SCORES)
def test_a_model_against_itself_differs_nowhere(score: str) -> None:
    y, p, _, subjects, groups = people(6)
    for one in slice_changes(y, p, p, subjects, groups, score=score):
        assert one.value is None or (one.value, one.lo, one.hi, one.q) == (0, 0, 0, 1)


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ValueError, match="no loss"):
        slice_changes(*people(), score="beauty")


def test_nothing_in_is_nothing_out() -> None:
    nobody = np.zeros(0)
    assert slice_changes(nobody, nobody, nobody, nobody, {}) == []

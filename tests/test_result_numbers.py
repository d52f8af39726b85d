"""AUROCs on drawn patients, the confusion matrix and its rates: laws, counts by hand and independent formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.threshold_paths import alarms, in_words_of, tuned_thresholds
from lemof_core.evaluation.confusion import confusion, rate
from lemof_core.evaluation.net_benefit import net_benefit, net_benefit_of
from lemof_core.evaluation.reachable import share_of_reachable

Y = np.array([1, 1, 1, 0, 0, 0, 0, 1])
P = np.array([0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.3, 0.6])


def _model(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, a true probability, another score) of n patients."""
    rng = np.random.default_rng(seed)
    p_x = rng.uniform(0, 1, n)
    return (rng.uniform(0, 1, n) < p_x).astype(float), p_x, rng.uniform(0, 1, n)


def test_too_few_of_a_class_have_no_share() -> None:
    y, p_x, noise = _model(8)
    y[:] = 0
    y[:4] = 1
    assert share_of_reachable(y, p_x, noise, np.arange(8)) is None


def test_the_truth_reaches_all_that_is_reachable_and_noise_has_no_share() -> None:
    y, p_x, noise = _model()
    share = share_of_reachable(y, p_x, p_x, np.arange(len(y)))
    assert share is not None
    assert (share.value, share.lo, share.hi, share.n) == (1.0, 1.0, 1.0, 300)
    assert share_of_reachable(y, p_x, noise, np.arange(len(y))) is None, "chance is nothing to have a share of"


def test_the_confusion_matrix_is_counted_by_hand() -> None:
    at = confusion(Y, P >= 0.5)
    assert (at.hit, at.false, at.miss, at.calm, at.n) == (3, 1, 1, 3, 8)
    by_name = {one.name: one for one in at.rates()}
    assert {name: one.value for name, one in by_name.items()} == {
        "Sensitivity": 0.75,
        "Specificity": 0.75,
        "PPV": 0.75,
        "NPV": 0.75,
        "Alarms": 0.5,
    }


@given(k=st.integers(0, 50), more=st.integers(0, 50))
def test_rates_have_wilsons_interval(k: int, more: int) -> None:
    n = k + more
    one = rate("x", "", k, n)
    if n == 0:
        assert one.value is None
        return
    z, share = 1.959963984540054, k / n  # Wilson 1927
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert (one.lo, one.hi) == pytest.approx((middle - half, middle + half), abs=1e-12)


def test_net_benefit_weighs_false_alarms_by_the_odds_of_the_threshold() -> None:
    low, high = net_benefit(Y, P, np.array([0.25, 0.5]))
    assert low == pytest.approx(4 / 8 - 2 / 8 * (0.25 / 0.75))
    assert high == pytest.approx(3 / 8 - 1 / 8)
    everybody = net_benefit(Y, np.ones(8), np.array([0.2]))
    assert everybody[0] == pytest.approx(0.5 - 0.5 * 0.25)


def test_net_benefit_at_each_stays_own_threshold_joins_the_parts() -> None:
    same = np.full(8, 0.25)
    assert net_benefit_of(Y, same <= P, same) == pytest.approx(net_benefit(Y, P, np.array([0.25]))[0])
    cuts = np.array([0.25] * 4 + [0.5] * 4)
    parts = [net_benefit(Y[:4], P[:4], np.array([0.25]))[0], net_benefit(Y[4:], P[4:], np.array([0.5]))[0]]
    assert net_benefit_of(Y, cuts <= P, cuts) == pytest.approx(np.mean(parts))


def test_each_stay_is_held_against_the_threshold_of_its_own_path() -> None:
    calibrations = pd.DataFrame({"path": ["both", "ehr"], "threshold": [0.4, 0.7]})
    tuned = tuned_thresholds(calibrations)
    stays = pd.DataFrame({"p": [0.4, 0.39, 0.69, 0.7, 0.9], "path": ["both", "both", "ehr", "ehr", None]})
    assert alarms(stays, tuned).tolist() == [True, False, False, True, False], "at the threshold there is an alarm"
    assert in_words_of(tuned) == "0.40 with ECG and 0.70 without"
    assert in_words_of({"ehr": 0.7}) == in_words_of({"both": 0.7, "ehr": 0.7}) == "0.70"
    assert tuned_thresholds(calibrations.assign(threshold=[0.4, None])) == {"both": 0.4}

"""What if: an altered case is the case with other data, the implausible is refused, and Reset is the case itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from core_support import fitted, made_up_cohort, parts
from scipy.special import expit

from lemof_core.batch import CohortArrays
from lemof_core.decision import unions_of
from lemof_core.ecg_signal import LEADS
from lemof_core.errors import ModelMistake
from lemof_core.live.answers import ANSWERS
from lemof_core.live.counterfactual import MOST_CHANGES, N_STEPS, counterfactual
from lemof_core.live.predict import LiveModel
from lemof_core.live.what_if import edited, observed, set_last, silenced

VARIABLES: list[dict[str, Any]] = [{"name": "series_0", "label": "Lactate", "unit": "mmol/L"}]


@pytest.fixture(scope="module")
def case() -> CohortArrays:
    arrays = made_up_cohort()
    test = parts()["test"]
    return arrays.take(test[arrays.ecg_present[test]][:1])


def logit_of(arrays: CohortArrays) -> float:
    model = fitted()
    return float(model.predict(model.scaler.transform(arrays), np.array([0])).logits[0, 0])


def test_nothing_altered_is_the_case_itself(case: CohortArrays) -> None:
    model = fitted()
    same = silenced(edited(case, model.scaler, VARIABLES, {}), (), ())
    assert logit_of(same) == logit_of(case)
    np.testing.assert_array_equal(same.series, case.series)


def test_an_edit_replaces_the_last_value_alone(case: CohortArrays) -> None:
    model = fitted()
    value = float(np.nanmedian(made_up_cohort().series[:, 0]))
    changed = edited(case, model.scaler, VARIABLES, {"series_0": value})
    known = np.flatnonzero(np.isfinite(case.series[0, 0]))
    expected = case.series.copy()
    expected[0, 0, known[-1]] = value
    np.testing.assert_array_equal(changed.series, expected)
    assert not np.shares_memory(changed.series, case.series)
    absent = np.full((6, 24), np.nan, dtype=np.float32)
    set_last(absent, 2, 1.5)
    assert absent[2, 23] == 1.5 and np.isfinite(absent).sum() == 1


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"series_0": 900.0}, "Lactate 900 mmol/L is outside what was observed"),
        ({"age": -1.0}, "known at admission and does not change"),
        ({"mood": 1.0}, "never measured"),
        ({"series_0": float("nan")}, "outside what was observed"),
    ],
)
def test_the_implausible_and_the_immutable_are_refused_with_the_reason(
    case: CohortArrays, edits: dict[str, float], said: str
) -> None:
    with pytest.raises(ModelMistake, match=said):
        edited(case, fitted().scaler, VARIABLES, edits)


def test_what_was_observed_is_of_the_training_patients(case: CohortArrays) -> None:
    own = made_up_cohort().series[parts()["train"], 0]
    span = observed(fitted().scaler)["series_0"]
    assert (span.low, span.high) == pytest.approx((np.nanmin(own), np.nanmax(own)))
    assert span.quantiles[50] == pytest.approx(np.nanmedian(own), abs=0.05)


def test_a_muted_lead_and_a_silenced_window_are_at_zero_and_nothing_else_is(case: CohortArrays) -> None:
    changed = silenced(case, ("V1",), ((2.0, 3.5, ""), (5.0, 6.0, "II")))
    expected = case.ecg_uv.copy()
    expected[0, LEADS.index("V1")] = 0
    expected[0, :, 200:350] = 0
    expected[0, LEADS.index("II"), 500:600] = 0
    np.testing.assert_array_equal(changed.ecg_uv, expected)
    assert logit_of(changed) != logit_of(case)


@pytest.mark.parametrize(
    ("muted", "windows", "said"),
    [
        (("V9",), (), "unknown lead V9"),
        ((), ((3.0, 2.0, ""),), "no window"),
        ((), ((0.0, 11.0, ""),), "no window"),
        ((), ((0.0, 1.0, "X"),), "unknown lead X"),
    ],
)
def test_what_cannot_be_silenced_is_refused(
    case: CohortArrays, muted: tuple[str, ...], windows: tuple[tuple[float, float, str], ...], said: str
) -> None:
    with pytest.raises(ModelMistake, match=said):
        silenced(case, muted, windows)
    with pytest.raises(ModelMistake, match="no ECG"):
        silenced(replace(case, ecg_present=np.array([False])), ("V1",), ())


@pytest.mark.parametrize("up", [True, False])
def test_the_changes_found_carry_the_prediction_across(case: CohortArrays, up: bool) -> None:
    model = fitted()
    now = float(expit(logit_of(case)))
    threshold = now + 0.02 if up else now - 0.02
    changes, crosses = counterfactual(model, case, threshold)
    assert crosses and 1 <= len(changes) <= MOST_CHANGES
    again = case
    for change in changes:
        series = again.series.copy()
        set_last(series[0], case.series_names.index(change.variable), change.after)
        again = replace(again, series=series)
        assert change.logit == pytest.approx(logit_of(again), abs=1e-4)
    assert (expit(logit_of(again)) >= threshold) == up


def test_a_single_change_is_the_nearest_of_all_that_cross(case: CohortArrays) -> None:
    model = fitted()
    threshold = float(expit(logit_of(case))) + 0.02
    changes, _ = counterfactual(model, case, threshold)
    if len(changes) > 1:
        pytest.skip("no single change crosses for this patient")
    nearest = np.inf
    for name, span in observed(model.scaler).items():
        index = case.series_names.index(name)
        known = np.flatnonzero(np.isfinite(case.series[0, index]))
        if not len(known):
            continue
        at = np.interp(case.series[0, index, known[-1]], span.quantiles, np.linspace(0, 1, 101))
        for share in np.linspace(0, 1, N_STEPS):
            series = case.series.copy()
            set_last(series[0], index, float(np.interp(share, np.linspace(0, 1, 101), span.quantiles)))
            if expit(logit_of(replace(case, series=series))) >= threshold:
                nearest = min(nearest, abs(share - at))
    assert changes[0].rank_distance == pytest.approx(nearest, abs=1e-6)


def test_a_threshold_out_of_reach_is_said_to_be(case: CohortArrays) -> None:
    changes, crosses = counterfactual(fitted(), case, 0.999999)
    assert not crosses and len(changes) <= MOST_CHANGES


def test_another_background_moves_the_base_and_keeps_the_sum() -> None:
    model = fitted()
    live = LiveModel(model, VARIABLES, 24.0)
    arrays = made_up_cohort()
    rows = parts()["test"][arrays.ecg_present[parts()["test"]]]
    ports = model.predict(model.scaler.transform(arrays), rows).intermediates["ports"]
    own, background = ports[0], ports[1:9]
    answer, _ = ANSWERS["rebase"](live, {"path": "both"}, {"ports": own, "background": background})
    decision = model.decisions["both"]
    total = sum(row["phi_logit"] for row in answer["rows"])
    assert answer["base_logit"] + total == pytest.approx(float(decision.logit(own)), abs=1e-9)
    probability = sum(row["phi_prob"] for row in answer["rows"])
    assert answer["base_p"] + probability == pytest.approx(float(expit(decision.logit(own))), abs=1e-9)
    # F is affine in the ports of `robust`: a port's value is its coefficient times its distance from the mean.
    for index, row in enumerate(answer["rows"]):
        one = np.zeros((2, 7))
        one[1, index] = 1.0
        coefficient = float(np.diff(decision.logit(one))[0])
        assert row["phi_logit"] == pytest.approx(coefficient * (own[index] - background[:, index].mean()), abs=1e-9)
    assert [row["port"] for row in answer["rows"]] == list(decision.ports)
    assert len(unions_of(decision.ports)) == 3
    with pytest.raises(ModelMistake, match="ports on the path"):
        ANSWERS["rebase"](live, {"path": "ehr"}, {"ports": own, "background": background})

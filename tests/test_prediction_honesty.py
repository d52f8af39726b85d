"""What stands around a probability: its set, its comparable stays, why it abstains, and what its checks say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dashboard.abstention import OUTSIDE, reasons_to_abstain
from dashboard.comparable import comparable
from dashboard.prediction_set import coverage_words, members, set_words
from dashboard.queries_case import Explained
from dashboard.risk_card import Risk, risk_markup
from dashboard.skill import Skill, skill_of
from dashboard.trust_badge import badge_markup, badge_words, verdicts
from dashboard.wording import Definition
from lemof_core import typicality

DEFINED = Definition(24, 72)
ABLE = Skill(True, "AUROC 0.73")


def cuts(absent: float | None, present: float | None) -> pd.DataFrame:
    rows = [(0, 0.1, 40, absent), (1, 0.1, 7, present)]
    return pd.DataFrame(rows, columns=["label", "alpha", "n", "cutoff"]).astype({"cutoff": float})


@pytest.mark.parametrize(
    ("p", "inside"), [(0.2, (0,)), (0.5, (1, 0)), (0.9, (1,)), (0.6, (1, 0)), (0.4, (1, 0)), (0.399, (0,))]
)
def test_the_set_holds_the_classes_below_their_cutoff(p: float, inside: tuple[int, ...]) -> None:
    assert members(p, cuts(0.6, 0.6)) == inside


def test_a_set_may_be_empty_or_hold_both_and_says_so() -> None:
    assert "both outcomes" in set_words(0.5, cuts(0.7, 0.7), DEFINED)
    assert "empty" in set_words(0.5, cuts(0.3, 0.3), DEFINED)
    assert set_words(0.9, cuts(0.6, 0.6), DEFINED) == "Set at 90 %: longer than 72 h."


def test_without_enough_patients_of_a_class_there_is_no_set_and_the_reason_is_given() -> None:
    assert members(0.5, cuts(0.6, None)) is None
    words = set_words(0.5, cuts(0.6, None), DEFINED)
    assert "7 calibration patients stayed longer than 72 h" in words and "9 are needed" in words


def test_coverage_is_told_by_class_with_n() -> None:
    rows = [
        ("path", "both", "coverage_1", 0.91, 0.88, 0.93, 4259, None),
        ("path", "both", "coverage_0", 0.9, 0.88, 0.92, 5741, None),
        ("path", "ehr", "coverage_1", 0.5, 0.4, 0.6, 10, None),
    ]
    measured = pd.DataFrame(rows, columns=["stratum_kind", "stratum", "name", "value", "lo", "hi", "n", "note"])
    words = coverage_words(measured, "both")
    assert "0.91 [0.88–0.93] of longer stays (n = 4,259)" in words and "n = 5,741" in words and "0.50" not in words
    assert coverage_words(measured.iloc[:0], "both") == ""


COUNTS = pd.DataFrame(
    {
        "first_careunit": ["Medical (MICU)", "Medical (MICU)", "Cardiac (CCU)"],
        "decade": [60, 70, 60],
        "n": [41, 30, 9],
        "events": [21, 10, 3],
        "deaths": [4, 2, 1],
    }
)


def test_comparable_stays_leave_the_patient_out() -> None:
    found = comparable(COUNTS, unit="Medical (MICU)", age=67, own_label=1, own_death=False)
    assert found is not None and (found.n, found.events, found.deaths) == (40, 20, 4)
    assert found.interval == pytest.approx((0.352, 0.648), abs=1e-3)  # Wilson, JASA 1927, by hand
    unknown = comparable(COUNTS, unit="Medical (MICU)", age=67, own_label=None, own_death=False)
    assert unknown is not None and (unknown.n, unknown.events) == (41, 21)


def test_where_few_are_comparable_the_group_widens_and_says_so() -> None:
    found = comparable(COUNTS, unit="Cardiac (CCU)", age=61, own_label=0, own_death=True)
    assert found is not None and (found.n, found.events, found.deaths) == (49, 24, 4) and found.words == "aged 60 to 69"
    oldest = comparable(COUNTS, unit="Cardiac (CCU)", age=91, own_label=0, own_death=False)
    assert oldest is not None and oldest.n == 79 and oldest.called == "all stays"
    assert found.called == "comparable stays"
    assert comparable(COUNTS.iloc[2:], unit="x", age=61, own_label=0, own_death=False) is None


def prediction(**changed: object) -> dict[str, object]:
    return {"path": "both", "typical_ecg": 0.5, "typical_ehr": 0.5, "unusual": None} | changed


def test_a_usual_case_does_not_abstain() -> None:
    assert reasons_to_abstain(prediction(), {"I": [], "II": ["noisy"]}, ABLE, {}) == []
    assert reasons_to_abstain(prediction(typical_ecg=None, typical_ehr=np.nan), None, ABLE, {}) == []


def test_every_reason_to_abstain_is_named() -> None:
    far = prediction(typical_ehr=0.004, unusual=[["ehr", "lactate", 0.61], ["ecg", "qrs_ms", 0.9]])
    (reason,) = reasons_to_abstain(far, None, ABLE, {"lactate": "Lactate"})
    assert "outside what the model was fitted on" in reason and "Lactate (61 % of the distance)" in reason
    assert "qrs" not in reason
    noisy = {lead: ["noisy"] for lead in ("I", "II", "III", "aVR", "V1", "V2")}
    (reason,) = reasons_to_abstain(prediction(), noisy, ABLE, {})
    assert "Poor signal: 6 of 12 leads" in reason
    (reason,) = reasons_to_abstain(prediction(), None, Skill(False, "AUROC 0.52 [0.41–0.63]"), {})
    assert "cannot tell patients apart" in reason
    # An ECG that was not read is no reason.
    assert reasons_to_abstain(prediction(path="ehr", typical_ecg=0.001), noisy, ABLE, {}) == []


def test_the_cut_is_the_one_of_the_fit() -> None:
    assert OUTSIDE == typicality.OUTSIDE


def auroc(value: float, lo: float, hi: float) -> pd.DataFrame:
    row = {"source": "final", "stratum_kind": "all", "deaths": "with", "name": "auroc", "value": value, "lo": lo}
    return pd.DataFrame([row | {"hi": hi, "n": 100, "note": None}])


def test_skill_is_an_interval_above_chance_here_or_in_the_runs_own_test() -> None:
    nothing = auroc(0.7, 0.6, 0.8).iloc[:0]
    assert skill_of(auroc(0.7, 0.6, 0.8), nothing).shown is True
    assert skill_of(auroc(0.6, 0.48, 0.7), auroc(0.73, 0.72, 0.74)).none, "what was measured here counts first"
    assert skill_of(auroc(np.nan, np.nan, np.nan), auroc(0.73, 0.72, 0.74)).shown is True
    unknown = skill_of(nothing, nothing)
    assert unknown.shown is None and not unknown.none


def explained(gap: float = 0.7, error: float = 0.02) -> Explained:
    return Explained({}, None, (), 0.0, gap, error, "")


def checks(**changed: object) -> pd.DataFrame:
    row = {"modality": "ehr", "deleted_salient": 0.4, "deleted_random": 0.05, "deleted_random_most": 0.1}
    good = row | {"n_random": 10, "rank_correlation": -0.1}
    return pd.DataFrame([good | {"modality": "ecg"}, good | changed])


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        ({"deleted_salient": 0.09}, ["Deletion"]),
        ({"rank_correlation": 0.97}, ["Weights"]),
        ({"rank_correlation": -0.9}, ["Weights"]),
        ({"rank_correlation": np.nan}, ["Weights"]),
    ],
)
def test_a_check_fails_where_either_modality_fails_it(changed: dict[str, float], failed: list[str]) -> None:
    found = verdicts(checks(**changed), explained())
    assert [one.name for one in found if one.passed is False] == failed
    assert badge_words(found).startswith(f"{3 - len(failed)} of 3")


def test_completeness_allows_a_twentieth_of_the_gap() -> None:
    assert verdicts(checks(), explained(gap=0.1, error=0.06))[2].passed is False
    assert verdicts(checks(), explained(gap=-2.0, error=0.09))[2].passed is True


def test_checks_that_were_not_made_are_not_passed() -> None:
    found = verdicts(checks().iloc[:0], explained())
    assert [one.passed for one in found] == [None, None, True]
    assert badge_words(found) == "1 of 3 checks passed; not made: deletion, weights"
    assert 'data-trust="holds"' in badge_markup(found)


def risk(**changed: object) -> Risk:
    given = {"p": 0.62, "low": 0.54, "high": 0.7, "threshold": 0.5, "base_rate": 0.43, "base_words": "b"}
    return Risk(**(given | {"set_words": "Set at 90 %: longer."} | changed))  # type: ignore[arg-type]


def test_an_abstaining_card_has_reasons_and_neither_scale_nor_large_number() -> None:
    shown = risk_markup(risk(abstains=("Too <far> out.",)))
    assert "No recommendation" in shown and "Too &lt;far&gt; out." in shown
    assert "risk-scale" not in shown and "case-p" not in shown and "Set at" not in shown
    plain = risk_markup(risk())
    assert "0.62" in plain and "[0.54–0.70]" in plain and "risk-scale" in plain and "Set at 90 %" in plain

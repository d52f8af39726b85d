"""Values, attributions and measurements of one patient in; the case page's sentences and orders are held to them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from case_support import INTIME, LEADS, T0_S, VARIABLES, charted, judge
from hypothesis import given, settings
from hypothesis import strategies as st
from mimic_support import MIMIC_LEADS

from dashboard.case_attention import chosen_sentences
from dashboard.case_branches import effect_sentence
from dashboard.case_overlay import Overlay, on_record
from dashboard.case_reasons import ecg_words, reasons_markup, static_words, strongest_reasons
from dashboard.case_risk import outcome_words
from dashboard.case_values import MODEL_WINDOW_H, SEEN, direction, flags_in_words, latest_seen, missing_hours
from dashboard.ecg_choice import record_labels, when
from dashboard.ecg_window import windowed
from dashboard.facts import FACTS as WEIGHED
from dashboard.facts import grouped, phi_ecg
from dashboard.queries_case import FEWEST_USUAL, Attention, Case, Explained, Waveform, against_usual
from lemof_core.ehr_series import N_HOURS, hourly_grid

MAPS = Attention(
    np.array([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1]]),
    np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]]),
    (0.0, 5.0, 10.0),
    ("CLS", "lactate", "map"),
    0.02,
)


# ---- what the model saw --------------------------------------------------------------------------------------------


def test_the_page_and_the_models_agree_on_the_window_before_the_prediction() -> None:
    assert MODEL_WINDOW_H == N_HOURS


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-7200, T0_S + 7200), st.one_of(st.none(), st.integers(-3600, T0_S + 7200))), min_size=1,
        max_size=30,
    )
)  # fmt: skip
def test_a_value_counts_as_seen_exactly_when_the_hourly_grid_of_the_models_takes_it(
    times: list[tuple[int, int | None]],
) -> None:
    for offset, stored in [*times, (0, None), (T0_S, T0_S), (T0_S + 1, None), (T0_S, T0_S + 1), (-1, None)]:
        measured = charted(("lactate", offset / 3600, 2.0))
        measured["stored_offset_s"] = pd.array([stored], dtype="Int64")
        arguments = measured.assign(row=0, column=0)
        grid = hourly_grid(arguments, n_samples=1, n_variables=1, t0_offset_s=np.array([T0_S]))
        assert (judge(measured)["unseen"].iloc[0] == SEEN) == bool(np.isfinite(grid).any())


def test_without_a_prediction_no_value_counts_as_seen() -> None:
    assert (judge(charted(("lactate", 1, 2.0)), t0_s=None)["unseen"] != SEEN).all()


def test_flags_follow_the_reference_range_of_the_patients_sex() -> None:
    # Haemoglobin: men 13.7 to 17.5, women 11.2 to 15.7 g/dL.
    measured = charted(("hemoglobin", 1, 13.0), ("hemoglobin", 2, 16.0), ("hemoglobin", 3, 14.0))
    assert judge(measured, "M")["flag"].tolist() == ["L", "", ""]
    assert judge(measured, "F")["flag"].tolist() == ["", "H", ""]


@pytest.mark.parametrize(
    ("potassium", "flag"),
    [
        (2.7, "LL"),
        (2.8, "LL"),
        (2.9, "L"),
        (3.2, "L"),
        (3.3, ""),
        (5.1, ""),
        (5.2, "H"),
        (6.1, "H"),
        (6.2, "HH"),
        (9, "HH"),
    ],
)
def test_a_value_at_a_critical_limit_is_critical_already(potassium: float, flag: str) -> None:
    assert judge(charted(("potassium", 1, potassium)))["flag"].tolist() == [flag]  # 3.3 to 5.1, critical 2.8 and 6.2


def test_flags_are_counted_in_words_worst_low_first() -> None:
    assert flags_in_words(pd.Series(["H", "", "LL", "H"])) == "3 of 4 values flagged: 1 LL, 2 H"
    assert flags_in_words(pd.Series(["", ""])) == "0 of 2 values flagged"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-7200, T0_S + 7200), st.booleans()), min_size=1, max_size=40))
def test_hours_counted_as_missing_are_those_that_the_models_grid_leaves_empty(times: list[tuple[int, bool]]) -> None:
    times = [*times, (T0_S, False), (0, False), (3600 * 5, True)]
    measured = charted(*(("lactate", 0, 2.0) for _ in times))
    measured["offset_s"] = [offset for offset, _ in times]
    measured["stored_offset_s"] = pd.array([T0_S + 1 if late else None for _, late in times], dtype="Int64")
    arguments = measured.assign(row=0, column=0)
    grid = hourly_grid(arguments, n_samples=1, n_variables=1, t0_offset_s=np.array([T0_S]))[0, 0]
    found = missing_hours(judge(measured), ["lactate", "crp"], T0_S)
    assert [hour + N_HOURS for hour in found["lactate"]] == np.flatnonzero(np.isnan(grid)).tolist()
    assert found["crp"] == list(range(-N_HOURS, 0))
    assert missing_hours(judge(measured, t0_s=None), ["lactate"], None) == {"lactate": []}


def test_a_variable_without_reference_range_is_never_flagged() -> None:
    assert judge(charted(("weight", 1, 300.0)))["flag"].tolist() == [""]


def test_the_clock_on_hover_is_the_time_of_admission_plus_the_offset() -> None:
    assert judge(charted(("lactate", 2.5, 1.0)))["clock"].iloc[0] == f"{INTIME + timedelta(hours=2.5):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0], ""),
        ([3.0, 1.0, 2.0, 4.1], "rising since hour 1"),
        ([4.1, 2.0, 1.0], "falling since hour 0"),
        ([2.0, 2.1, 2.05], "steady"),
        ([2.0, 2.0, 2.0, 9.0, 2.0, 2.0, 2.0], "steady"),  # one stray value is no trend
    ],
)
def test_the_direction_is_told_from_the_last_turn(values: list[float], words: str) -> None:
    assert direction(np.arange(len(values)), np.array(values), reference_width=1.5) == words


def test_the_last_value_in_words_is_the_last_one_that_the_model_saw() -> None:
    values = judge(charted(("lactate", 6, 1.0), ("lactate", 20, 4.1), ("lactate", 23, 9.0, 30), ("lactate", 30, 8.0)))
    last = latest_seen(values, VARIABLES, "M")["lactate"]
    assert last.words(VARIABLES.loc["lactate"]) == "4.1 mmol/L (HH, critical)"
    assert (last.hour, last.n, last.direction) == (20.0, 2, "rising since hour 6")


# ---- reasons -------------------------------------------------------------------------------------------------------


def explained(features: dict[str, float], saliency: np.ndarray | None = None) -> Explained:
    return Explained(features, saliency, LEADS, 0.04, 0.7, 0.02, "log-odds")


FACTS = {
    "sex": "F",
    "age_years": 67,
    "admission_type": "EW EMER.",
    "intime": INTIME,
    "admittime": INTIME - timedelta(hours=5),
    "first_careunit": "MICU",
}


def test_reasons_are_the_largest_attributions_with_the_summed_saliency_among_them() -> None:
    saliency = np.full((12, 250), 0.25 / 3000)
    found = explained({"lactate": -0.2, "age": 0.1, "crp": 0.3, "sodium": 0.01}, saliency)
    last = latest_seen(judge(charted(("lactate", 3, 4.1))), VARIABLES, "F")
    reasons = strongest_reasons(found, VARIABLES, last, static_words(FACTS), "rate 112 (fast)")
    assert [reason.words for reason in reasons] == [
        "C-reactive protein not measured in the 24 h before the prediction",
        "ECG: rate 112 (fast)",
        "Lactate 4.1 mmol/L (HH, critical)",
    ]
    assert [reason.attribution for reason in reasons] == pytest.approx([0.3, 0.25, -0.2])


def test_what_weighs_alike_for_everybody_is_no_reason_for_one() -> None:
    """Held by hand: the age counts +0.5 for the average patient and hardly differs here, the lactate stands out."""
    found = explained({"age": 0.52, "lactate": -0.1, "crp": 0.0})
    usual = np.array([0.5, 0.15, 0.0])
    against = against_usual(found, (usual, 40))
    assert against.features == pytest.approx({"age": 0.02, "lactate": -0.25, "crp": 0.0})
    assert (against.gap, against.error, against.n_usual) == (found.gap, found.error, 40)
    first, second = strongest_reasons(against, VARIABLES, {}, static_words(FACTS), "")
    assert (first.attribution, second.words) == (pytest.approx(-0.25), "Age 67 years")
    assert "less its mean over 40 stays" in reasons_markup(against, [first])
    few = against_usual(found, (usual, FEWEST_USUAL - 1))
    assert few == found and "less its mean" not in reasons_markup(few, [first])


def test_what_would_read_nought_is_no_reason() -> None:
    found = explained({"lactate": 0.004, "age": -0.3, "crp": 0.0})
    reasons = strongest_reasons(found, VARIABLES, {}, static_words(FACTS), "rate 112")
    assert [reason.words for reason in reasons] == ["Age 67 years"]
    assert strongest_reasons(explained({"age": 0.001}), VARIABLES, {}, {}, "rate 112") == []


def test_what_measures_one_thing_is_one_fact_and_named_by_its_strongest_variables() -> None:
    found = explained({"gcs_eye": -0.1, "gcs_motor": -0.3, "gcs_verbal": 0.05, "lactate": 0.2})
    values = judge(charted(("gcs_eye", 3, 3), ("gcs_motor", 3, 6), ("gcs_verbal", 3, 5), ("lactate", 3, 3.1)))
    reasons = strongest_reasons(found, VARIABLES, latest_seen(values, VARIABLES, "F"), {}, "")
    assert [reason.words for reason in reasons] == [
        "Glasgow coma scale: GCS motor response 6; GCS eye opening 3 (L)",
        "Lactate 3.1 mmol/L (H)",
    ]
    assert [reason.attribution for reason in reasons] == pytest.approx([-0.35, 0.2])
    (unknown,) = strongest_reasons(explained({"gcs_eye": 0.1, "gcs_motor": 0.2}), VARIABLES, {}, {}, "")
    assert unknown.words == "Glasgow coma scale not measured in the 24 h before the prediction"


def test_every_variable_of_a_fact_is_one_of_the_catalogue() -> None:
    named = {name for _, variables in WEIGHED.values() for name in variables}
    assert named <= set(VARIABLES.index)


def test_the_ecg_weighs_what_it_contributed_and_not_what_its_saliency_sums_to() -> None:
    effect = {"v_none": -0.15, "v_ecg": -0.38, "v_ehr": 0.34, "v_both": -0.10}
    found = explained({"lactate": 0.2}, np.full((12, 250), 0.61 / 3000))
    assert grouped(found)["ecg"] == pytest.approx(0.61)
    alone, together = -0.38 + 0.15, -0.10 - 0.34
    assert grouped(found, effect)["ecg"] == phi_ecg(effect) == pytest.approx((alone + together) / 2)


def test_the_columns_of_the_care_unit_are_one_fact() -> None:
    parts = grouped(explained({"unit_cardiac": 0.1, "unit_neuro": -0.3, "age": 0.05}))
    assert parts == pytest.approx({"age": 0.05, "unit": -0.2})


def test_the_ecg_in_words_names_only_what_stands_out() -> None:
    calm = {"heart_rate_bpm": 72.0, "rr_mean_ms": 833.0, "rr_rmssd_ms": 30.0, "pr_ms": 160.0, "qrs_ms": 90.0}
    wild = {"heart_rate_bpm": 132.0, "rr_mean_ms": 450.0, "rr_rmssd_ms": 90.0, "qrs_ms": 134.0, "st60_V2_mv": -0.21}
    assert ecg_words(calm, "F") == "rate 72"
    assert ecg_words(wild, "F") == "irregular rhythm, rate 132 (fast), QRS 134 ms (wide), ST −0.21 mV in V2"
    assert ecg_words({"heart_rate_bpm": 72.0, "qtcf_ms": 455.0}, "M").endswith("QTc 455 ms (long)")
    assert "QTc" not in ecg_words({"heart_rate_bpm": 72.0, "qtcf_ms": 455.0}, "F")
    assert ecg_words({}, "F") == "no rhythm could be measured"


def test_the_modalities_effects_are_differences_from_the_background() -> None:
    effect = {"v_none": -0.4, "v_ecg": -0.09, "v_ehr": -0.52, "v_both": -0.16, "n_background": 16}
    assert effect_sentence(effect) == (
        "The ECG contributed +0.31, the health record −0.12, together 0.05 more than each alone "
        "(log-odds; n = 16 background patients, ± is one standard error over them)."
    )
    with_errors = effect_sentence(effect | {"se_ecg": 0.04, "se_ehr": 0.1, "se_joint": 0.02})
    assert "contributed +0.31 ± 0.04, the health record −0.12 ± 0.10, together 0.05 ± 0.02 more" in with_errors


def test_a_death_before_the_cut_is_told_as_such() -> None:
    facts = {"death_offset_s": 40 * 3600, "died_in_icu": True, "los_hours": 40.0, "deathtime": INTIME, "intime": INTIME}
    words = outcome_words(Case({"stay_id": 1, **facts}, died_before_cut=True))
    assert words == "died in ICU at 40 h, before the cut (counted as not long)"
    alive = facts | {"death_offset_s": None, "died_in_icu": False, "los_hours": 53.2, "deathtime": None}
    assert outcome_words(Case({"stay_id": 1, **alive})) == "left ICU after 53 h"


# ---- ECG -----------------------------------------------------------------------------------------------------------


def test_saliency_rows_find_their_lead_by_name_in_a_file_that_has_avf_before_avl() -> None:
    bins = np.arange(12)[:, None] * np.ones((12, 250))
    record = Waveform(np.zeros((12, 5000), np.float32), 500.0, tuple(MIMIC_LEADS))
    placed = on_record(bins, 0.04, LEADS, record)
    assert placed.shape == (12, 250)
    assert [LEADS[int(value)] for value in placed[:, 0]] == MIMIC_LEADS


def test_of_a_longer_record_the_middle_ten_seconds_carry_the_saliency() -> None:
    record = Waveform(np.zeros((1, 10_000), np.float32), 500.0, ("II",))
    placed = on_record(np.ones((1, 250)), 0.04, ["II"], record)[0]
    assert placed.shape == (500,) and placed[125:375].all() and not placed[:125].any() and not placed[375:].any()


def test_a_window_of_a_long_record_holds_the_samples_and_the_overlay_of_its_seconds() -> None:
    fs, duration_s = 100, 60
    seconds = np.arange(fs * duration_s) / fs
    record = Waveform(np.tile(seconds, (2, 1)), float(fs), ("I", "II"))
    bins = np.arange(duration_s * 25) / 25  # the time at which each bin begins
    overlay = Overlay(np.tile(bins, (2, 1)), np.arange(duration_s * 2) / 2, (24.5, 40.0))
    shown, lies = windowed(record, overlay, 20.0)
    assert shown.ecg_mv.shape == (2, 1000) and shown.ecg_mv[1, 0] == 20.0
    assert lies.saliency is not None and lies.saliency.shape == (2, 250) and lies.saliency[0, 0] == 20.0
    assert lies.attention is not None and lies.attention.tolist() == [20 + half / 2 for half in range(20)]
    assert lies.highlight == (4.5, 10.0)
    assert windowed(record, Overlay(highlight=(1.0, 2.0)), 20.0)[1].highlight is None
    short = Waveform(record.ecg_mv[:, :1000], float(fs), record.leads)
    assert windowed(short, overlay, 0.0) == (short, overlay)


def test_the_list_of_ecgs_marks_the_one_that_the_model_saw() -> None:
    records = pd.DataFrame(
        {
            "study_id": [7, 8],
            "ecg_time": [INTIME - timedelta(hours=1.5), INTIME + timedelta(days=400)],
            "readable": [True, False],
        }
    )
    case = Case({"stay_id": 1, "intime": INTIME}, sample_id="los-1", study_id=7, prediction={"path": "both"})
    labels = record_labels(records, case)
    assert labels[7].endswith("1.5 h before admission · the model saw this one")
    assert labels[8].endswith("400 days after admission · unreadable")
    assert when(INTIME, INTIME) == "at admission"


# ---- attention ----
def test_the_chosen_token_and_window_are_told_beside_an_even_look() -> None:
    words = chosen_sentences(MAPS, ["Summary token", "Lactate", "MAP"], 1, 0)
    assert words == (
        "Lactate looked most at 5.00-10.00 s of the ECG: weight 0.900, an even look would be 0.500. "
        "0.00-5.00 s of the ECG looked most at Lactate 0.600, MAP 0.300, Summary token 0.100; "
        "an even look would be 0.333."
    )

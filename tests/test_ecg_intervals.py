"""Numbers, lead quality and readings in; intervals, their reasons and corrections are held to hand-computed values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from cohort_db.ecg_leads import LEADS, is_good
from cohort_db.ecg_readings import Reading
from dashboard.ecg_interval_row import in_words, interval_row
from dashboard.ecg_intervals import (
    AUTOMATED,
    FORMULAS,
    QTC,
    Interval,
    Quality,
    corrected_qt,
    counted,
    differences,
    intervals_of,
)
from lemof_core.ecg_signal import FLAGS, good_leads

CLEAN = Quality(dict.fromkeys(LEADS, ()), usable=True)
NUMBERS = {"heart_rate_bpm": 75.0, "rr_mean_ms": 800.0, "rr_rmssd_ms": 20.0, "pr_ms": 160.0, "qrs_ms": 98.0,
           "qt_ms": 380.0, "qtcf_ms": 409.3, "r_V5_mv": 1.2}  # fmt: skip


def by_name(intervals: Sequence[Interval]) -> dict[str, Interval]:
    return {interval.name: interval for interval in intervals}


def reading(name: str, value: float | None, second: int = 0) -> dict[str, Reading]:
    return {name: Reading(name, value, False, "A. Reader", datetime(2026, 11, 20, 8, 30, second))}


def flagged(**flags: tuple[str, ...]) -> Quality:
    return Quality({lead: flags.get(lead, ()) for lead in LEADS}, usable=True)


@pytest.mark.parametrize(
    ("formula", "expected"),
    # RR 0.64 s: its square root is 0.8, its cube root 0.861774.
    [("Bazett", 450.0), ("Fridericia", 417.743), ("Framingham", 415.44), ("Hodges", 360 + 1.75 * 33.75)],
)
def test_qt_of_360_ms_at_an_rr_of_640_ms_is_corrected_by_hand(formula: str, expected: float) -> None:
    assert corrected_qt(360.0, 60 / 0.64, formula) == pytest.approx(expected, abs=0.01)


@given(qt=some.floats(200, 700), formula=some.sampled_from(FORMULAS))
def test_at_sixty_beats_a_minute_nothing_is_corrected(qt: float, formula: str) -> None:
    assert corrected_qt(qt, 60.0, formula) == pytest.approx(qt)


@given(qt=some.floats(200, 700), rate=some.floats(61, 200), formula=some.sampled_from(FORMULAS))
def test_a_faster_heart_has_a_longer_corrected_qt(qt: float, rate: float, formula: str) -> None:
    assert corrected_qt(qt, rate, formula) > qt
    assert corrected_qt(qt, 3600 / rate, formula) < qt


def test_an_unknown_formula_is_refused() -> None:
    with pytest.raises(ValueError, match="Fridericia, Bazett"):
        corrected_qt(380, 75, "Sagie")


def test_a_clean_record_has_five_values_each_marked_automated_and_unconfirmed() -> None:
    found = intervals_of(NUMBERS, CLEAN, {}, "Bazett")
    assert [interval.shown for interval in found] == ["75/min", "160 ms", "98 ms", "380 ms", "425 ms"]
    assert {interval.source for interval in found} == {AUTOMATED}
    assert found[-1].label == "QTc (Bazett)"
    row = interval_row(found, CLEAN)
    assert row.count(AUTOMATED) == 5
    assert "12 of 12" in row
    assert in_words(found).count(AUTOMATED) == 1


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("pr_ms", "no P wave recurs before QRS"),
        ("qt_ms", "no T wave with a clear end"),
        ("qrs_ms", "QRS has no clear beginning and end"),
        ("heart_rate_bpm", "no heartbeat of one shape recurs"),
    ],
)
def test_what_was_not_measured_has_a_reason_and_no_number(missing: str, reason: str) -> None:
    numbers = {name: value for name, value in NUMBERS.items() if name != missing}
    found = by_name(intervals_of(numbers, CLEAN, {}, "Fridericia"))[missing]
    assert (found.value, found.shown, found.source) == (None, "not measurable", reason)


def test_without_qt_or_rate_there_is_no_qtc() -> None:
    for missing, told in (("qt_ms", "needs QT"), ("heart_rate_bpm", "needs HR")):
        numbers = {name: value for name, value in NUMBERS.items() if name != missing}
        qtc = by_name(intervals_of(numbers, CLEAN, {}, "Hodges"))[QTC]
        assert (qtc.value, qtc.source) == (None, told)


def test_a_stored_number_is_not_shown_where_its_leads_are_bad() -> None:
    chest = dict.fromkeys(LEADS[6:], ("noisy",))
    found = by_name(intervals_of(NUMBERS, flagged(**chest), {}, "Fridericia"))
    assert found["qrs_ms"].reason == "none of the leads V1, V2, V3, V4, V5, V6 is good enough"
    assert found["heart_rate_bpm"].value == 75.0 and found["qt_ms"].value == 380.0  # II is good
    lost_p = flagged(I=("flat",), II=("noisy",), aVF=("missing",), V1=("saturated",))
    assert by_name(intervals_of(NUMBERS, lost_p, {}, "Fridericia"))["pr_ms"].value is None


def test_an_unusable_record_shows_the_rate_alone_and_a_record_of_noise_nothing() -> None:
    few = Quality({lead: () if lead in ("I", "II", "V1") else ("noisy",) for lead in LEADS}, usable=False)
    found = by_name(intervals_of(NUMBERS, few, {}, "Fridericia"))
    assert [name for name, interval in found.items() if interval.value is not None] == ["heart_rate_bpm"]
    assert found["qt_ms"].reason.startswith("only 3 of 12 leads are good enough (noisy: III, aVR")
    short = Quality(dict.fromkeys(LEADS, ("short",)), usable=False)
    assert by_name(intervals_of(NUMBERS, short, {}, "Fridericia"))["pr_ms"].reason == "the record is too short"
    noise = Quality(dict.fromkeys(LEADS, ("noisy",)), usable=False)
    found = by_name(intervals_of(NUMBERS, noise, {}, "Fridericia"))
    assert {interval.value for interval in found.values()} == {None}
    assert found["heart_rate_bpm"].reason == "no lead is good enough (noisy: all leads)"
    assert by_name(intervals_of({}, Quality(), {}, "Hodges"))["qrs_ms"].reason == "this ECG was not prepared"


def test_the_page_and_the_measurement_agree_on_what_a_good_lead_is() -> None:
    for size in (0, 1, 2, 3):
        for flags in combinations(FLAGS, size):
            measured = good_leads(dict.fromkeys(LEADS, flags))
            assert measured.all() if is_good(flags) else not np.any(measured)


def test_what_is_said_of_the_whole_record_is_no_fault_of_a_lead() -> None:
    quality = Quality({lead: ("cropped", "noisy") if lead == "V1" else ("cropped",) for lead in LEADS}, usable=True)
    assert quality.faults() == {"V1": "noisy"}
    assert quality.words() == "cropped: all leads; noisy: V1"


def test_a_reading_counts_before_the_automated_value_which_stays_beside_it() -> None:
    found = by_name(intervals_of(NUMBERS, CLEAN, reading("qrs_ms", 120.0), "Fridericia"))
    qrs = found["qrs_ms"]
    assert qrs.shown == "120 ms"
    assert qrs.source == "measured by A. Reader, 2026-11-20 08:30 UTC; automated: 98 ms"
    assert found["pr_ms"].source == AUTOMATED


def test_a_reading_of_qt_or_rate_moves_qtc_and_says_whose_it_is() -> None:
    by_qt = by_name(intervals_of(NUMBERS, CLEAN, reading("qt_ms", 400.0), "Framingham"))[QTC]
    assert by_qt.value == pytest.approx(400 + 154 * 0.2)
    assert by_qt.source == "from a reading by A. Reader, 2026-11-20 08:30 UTC; automated: 411 ms"
    by_rate = by_name(intervals_of(NUMBERS, CLEAN, reading("heart_rate_bpm", 60.0), "Bazett"))[QTC]
    assert by_rate.value == pytest.approx(380)


def test_a_reader_may_say_not_measurable_and_may_measure_what_the_program_could_not() -> None:
    denied = by_name(intervals_of(NUMBERS, CLEAN, reading("qt_ms", None), "Bazett"))
    assert denied["qt_ms"].shown == "not measurable"
    assert denied["qt_ms"].source == "said so by A. Reader, 2026-11-20 08:30 UTC; automated: 380 ms"
    assert denied[QTC].value is None
    noise = Quality(dict.fromkeys(LEADS, ("noisy",)), usable=False)
    added = by_name(intervals_of({}, noise, reading("pr_ms", 180.0), "Bazett"))["pr_ms"]
    assert (added.value, added.source.rpartition("; ")[2]) == (180.0, "automated: none")


def test_what_counts_replaces_what_was_measured_and_leaves_the_rest() -> None:
    found = counted(NUMBERS, intervals_of(NUMBERS, CLEAN, reading("qt_ms", 400.0), "Bazett"))
    assert found["qtcf_ms"] == pytest.approx(400 / 0.8 ** (1 / 3))
    assert (found["qrs_ms"], found["r_V5_mv"]) == (98.0, 1.2)
    assert QTC not in found
    denied = counted(NUMBERS, intervals_of(NUMBERS, CLEAN, reading("qt_ms", None), "Bazett"))
    assert "qt_ms" not in denied and "qtcf_ms" not in denied


@pytest.mark.parametrize(
    ("changes", "formula", "told"),
    [
        ({"qrs_ms": 140.0}, "Fridericia", "QRS 140 ms: a wide QRS prolongs QT by itself"),
        ({"rr_rmssd_ms": 160.0}, "Fridericia", "irregular rhythm: QTc of a mean RR is unreliable"),
        ({"heart_rate_bpm": 120.0}, "Bazett", "at 120/min Bazett reads too long"),
        ({"heart_rate_bpm": 45.0}, "Bazett", "at 45/min Bazett reads too short"),
        ({"heart_rate_bpm": 120.0}, "Fridericia", ""),
        ({}, "Bazett", ""),
    ],
)
def test_a_qtc_that_misleads_says_so(changes: dict[str, float], formula: str, told: str) -> None:
    assert by_name(intervals_of(NUMBERS | changes, CLEAN, {}, formula))[QTC].remark == told


def test_differences_of_two_ecgs_are_told_in_words() -> None:
    earlier = {**NUMBERS, "qrs_ms": 98.2}
    later = {name: value for name, value in NUMBERS.items() if name != "pr_ms"} | {"qrs_ms": 134.0, "qt_ms": 380.3}
    words = differences(
        intervals_of(earlier, CLEAN, {}, "Bazett"), intervals_of(later | {"heart_rate_bpm": 75.2}, CLEAN, {}, "Bazett")
    )
    assert words == (
        "PR 160 ms → not measurable, QRS 98 → 134 ms, QTc (Bazett) 425 → 426 ms; unchanged: HR 75/min, QT 380 ms"
    )
    same = intervals_of({}, CLEAN, {}, "Bazett")
    assert differences(same, same).startswith("no interval changed; not measurable in either: HR, PR")


def test_a_readers_name_is_never_markup() -> None:
    named = Reading("qrs_ms", 120.0, False, "<img src=x onerror=alert(1)>", datetime(2026, 11, 20))
    row = interval_row(intervals_of(NUMBERS, CLEAN, {"qrs_ms": named}, "Bazett"), CLEAN)
    assert "<img" not in row and "&lt;img" in row

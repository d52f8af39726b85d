"""The ten seconds that are read of a recording, what is said of them before they are, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from live_support import LEADS, csv_file, heart, read_all, wfdb_files

from cohort_db.errors import InputMistake
from dashboard.charts.ecg_strip import ecg_strip, envelope
from dashboard.live_preview import facts
from dashboard.live_raw_ecg import Recording
from dashboard.live_window import checked, last_s, middle_s, window_of
from lemof_core.ecg_signal import prepare_ecg


def recording(seconds: float = 10.0, *, fs: int = 500, scale: float = 1.0, unit: str = "mV") -> Recording:
    (found,) = read_all({"a.csv": csv_file(heart(seconds, fs) * scale)}, fs=fs, unit=unit)
    return found


@pytest.mark.parametrize("seconds", [10.0, 10.05, 10.5, 25.0, 61.3, 600.0])
@pytest.mark.parametrize("fs", [250, 500])
def test_the_middle_is_the_window_that_is_read_of_a_stored_record(seconds: float, fs: int) -> None:
    whole = recording(seconds, fs=fs)
    window = window_of(whole, middle_s(whole) if last_s(whole) else 0.0)
    read, expected = (prepare_ecg(mv, fs=fs, sig_name=whole.leads) for mv in (window, whole.signal_mv))
    np.testing.assert_array_equal(read.ecg_mv, expected.ecg_mv)


def test_any_whole_window_can_be_chosen_to_the_end() -> None:
    whole = recording(31.0)
    for start_s in (0.0, 3.7, last_s(whole)):
        window = window_of(whole, start_s)
        first = round(start_s * 500)
        np.testing.assert_array_equal(window, whole.signal_mv[first : first + 5000])
    assert last_s(whole) == pytest.approx(21.0)


def test_a_short_record_is_said_to_be_short_or_refused() -> None:
    assert "has 7.0 s; the model reads ten" in " ".join(checked(recording(7.0).signal_mv, recording(7.0)))
    with pytest.raises(InputMistake, match=r"has 4\.0 s: 5 s or more are needed"):
        window_of(recording(4.0), 0.0)


@pytest.mark.parametrize("scale", [1000.0, 1e6])
def test_microvolts_named_millivolts_are_refused(scale: float) -> None:
    wrong = recording(scale=scale)
    with pytest.raises(InputMistake, match="are these microvolts or raw counts, read as mV"):
        checked(wrong.signal_mv, wrong)
    right = recording(scale=1000.0, unit="uV")
    assert checked(right.signal_mv, right) == []


def test_millivolts_named_microvolts_are_warned_of() -> None:
    wrong = recording(unit="uV")
    assert "are these millivolts, read as uV" in " ".join(checked(wrong.signal_mv, wrong))


def test_an_artefact_elsewhere_in_the_record_refuses_no_other_window() -> None:
    whole = recording(60.0)
    whole.signal_mv[:2000] *= 1e5
    assert checked(window_of(whole, 30.0), whole) == []
    with pytest.raises(InputMistake, match="which no heart makes"):
        checked(window_of(whole, 0.0), whole)
    whole.signal_mv[20_000:] = np.nan
    with pytest.raises(InputMistake, match="no valid sample: choose another"):
        checked(window_of(whole, 45.0), whole)


@pytest.mark.parametrize("value", [2000.0, -1e308])
def test_one_wild_lead_is_refused_by_name(value: float) -> None:
    whole = recording()
    whole.signal_mv[77, whole.leads.index("V3")] = value
    with pytest.raises(InputMistake, match="Lead V3 holds values beyond 1000 mV"):
        checked(whole.signal_mv, whole)


def test_exchanged_arms_are_warned_of_whatever_the_files_order() -> None:
    signal = heart()
    arms = signal.copy()
    named = {lead: column for column, lead in enumerate(LEADS)}
    arms[:, named["I"]] = -signal[:, named["I"]]
    for one, other in (("II", "III"), ("aVR", "aVL")):
        arms[:, [named[one], named[other]]] = signal[:, [named[other], named[one]]]
    for swapped, warned in ((signal, False), (arms, True)):
        (found,) = read_all(wfdb_files(swapped))
        assert any(
            "exchanged, most likely with the left arm's" in words for words in checked(found.signal_mv, found)
        ) is (warned)


def test_the_facts_say_unit_rate_resampling_and_window() -> None:
    (found,) = read_all({"a.csv": csv_file(heart(30.0, 1000) * 1000, extra=[1] * 30_000)}, fs=1000, unit="uV")
    said = facts(found, 4.0)
    assert said["Rate"] == "1000 Hz (as you say), resampled to the model's 100 Hz"
    assert said["Unit"] == "uV, read as mV (as you say)"
    assert said["Length"] == "30.0 s, of which seconds 4.0 to 14.0 are read"
    assert said["Leads"] == "12 of 12" and said["Not read"] == "extra"
    (own,) = read_all(wfdb_files(heart(fs=100), fs=100))
    assert facts(own, 0.0)["Rate"] == "100 Hz (by the file), the model's own" and "Not read" not in facts(own, 0.0)


def test_the_strip_loses_no_peak_and_marks_the_window_at_its_seconds() -> None:
    signal = np.zeros(300_000)
    signal[[17, 123_456]] = 3.0, -2.0
    parts = envelope(signal)
    assert parts.max() == 3.0 and parts.min() == -2.0 and len(parts) == 700
    svg = ecg_strip(heart(60.0)[:, 1], 500.0, "II", (15.0, 25.0))
    rect = re.search(r'x="([\d.]+)" y="0" width="([\d.]+)"', svg)
    assert rect and [float(number) for number in rect.groups()] == pytest.approx([250.0, 166.7], abs=0.1)
    assert "seconds 15.0 to 25.0 are read" in svg
    gap = np.full(1000, np.nan)
    gap[500:] = 1.0
    assert "nan" not in ecg_strip(gap, 100.0, "II", (0.0, 10.0))

"""ECGs, saliency and names come in; the paper's payload is held to its definition, sample by sample."""

from __future__ import annotations

import base64
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from dashboard.ecg_paper import EcgPaperResult, read_state
from dashboard.ecg_payload import GAP, LEADS, ROWS_PER_LAYOUT, ecg_payload

SHARED = Path(__file__).resolve().parents[2] / "shared"
CINC = SHARED / "data" / "ecg-12lead" / "cinc2021"
MIMIC_ORDER = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def payload(ecg_mv: np.ndarray, lead_names: tuple[str, ...] = LEADS, fs: int = 500, **options: Any) -> dict[str, Any]:
    return ecg_payload(ecg_mv, fs, lead_names, stay_id=1, run_id="r", **options)


def drawn_uv(sent: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read step by step, as the script reads it, and apart from how it was written."""
    coded, at, level, microvolts = base64.b64decode(sent["steps"]), 0, 0, []
    while at < len(coded):
        if coded[at] == 0x80:
            level += int.from_bytes(coded[at + 1 : at + 3], "little", signed=True)
            at += 3
        else:
            level += int.from_bytes(coded[at : at + 1], "little", signed=True)
            at += 1
        level = (level + 0x8000) % 0x10000 - 0x8000
        microvolts.append(level)
    return dict(zip(sent["leads"], np.array(microvolts).reshape(12, sent["sig_len"]), strict=True))


def levels(sent: dict[str, Any]) -> dict[str, np.ndarray]:
    level = np.frombuffer(base64.b64decode(sent["saliency"]["level"]), dtype=np.int8).reshape(12, -1)
    return dict(zip(sent["leads"], level, strict=True))


def noise(sig_len: int = 1000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (12, sig_len))


@given(
    some.lists(some.sampled_from([np.nan, -40.0, -32.767, -0.128, -0.127, 0.0, 0.127, 0.128, 32.767, 40.0]), min_size=2)
)
def test_steps_of_any_size_and_gaps_are_read_as_they_were_written(millivolts: list[float]) -> None:
    """Held to the microvolts themselves: between gaps and both ends of the range lie steps beyond an int16."""
    ecg_mv = np.tile(millivolts, (12, 1))
    wanted = [GAP if np.isnan(value) else round(np.clip(value * 1000, -32767, 32767)) for value in millivolts]
    drawn = drawn_uv(payload(ecg_mv))
    assert all(drawn[lead].tolist() == wanted for lead in LEADS)


def test_a_quiet_trace_costs_a_byte_a_sample() -> None:
    ramp = np.tile(np.cumsum(np.full(5000, 0.005)) % 10, (12, 1))
    assert len(base64.b64decode(payload(ramp)["steps"])) < 1.01 * ramp.size


def test_every_lead_is_drawn_under_its_own_name_whatever_the_order_of_the_record() -> None:
    ecg_mv = noise()
    sent = drawn_uv(payload(ecg_mv, MIMIC_ORDER))
    for row, name in enumerate(MIMIC_ORDER):
        np.testing.assert_allclose(sent[name] / 1000, ecg_mv[row], atol=0.0005)


def test_saliency_follows_its_lead_through_the_reordering() -> None:
    saliency = np.zeros((12, 10))
    saliency[4, 3] = -2.0  # row 4 of a MIMIC record is aVF
    level = levels(payload(noise(), MIMIC_ORDER, saliency=saliency))
    assert level["aVF"][3] == -127
    assert sum(int(lead.sum()) for lead in level.values()) == -127


def test_names_may_differ_in_case_and_blanks_but_not_in_lead() -> None:
    assert payload(noise(), tuple(f" {lead.upper()}" for lead in LEADS))["no_signal"] == []
    with pytest.raises(ValueError, match="'V7' is not a lead"):
        payload(noise(), (*LEADS[:11], "V7"))
    with pytest.raises(ValueError, match="named once"):
        payload(noise(), (*LEADS[:11], "V1"))
    with pytest.raises(ValueError, match=r"11 leads, samples"):
        payload(noise(), LEADS[:11])
    with pytest.raises(ValueError, match="'' is not a lead"):
        payload(noise(), (*LEADS[:11], ""))


def test_a_lead_that_is_absent_or_all_gaps_has_no_signal() -> None:
    ecg_mv = noise()[:11]
    ecg_mv[0] = np.nan
    sent = payload(ecg_mv, LEADS[:11])
    assert sent["no_signal"] == ["I", "V6"]
    assert (drawn_uv(sent)["V6"] == GAP).all()


def test_gaps_stay_gaps_and_values_beyond_int16_are_held_and_counted() -> None:
    ecg_mv = np.zeros((12, 100))
    ecg_mv[0, 10] = np.nan
    ecg_mv[0, 20:23] = [40.0, -32.768, -np.inf]
    sent = payload(ecg_mv)
    lead = drawn_uv(sent)["I"]
    assert np.flatnonzero(lead == GAP).tolist() == [10]
    assert lead[20:23].tolist() == [32767, -32767, -32767]
    assert sent["n_saturated"] == 3


@pytest.mark.parametrize("layout", list(ROWS_PER_LAYOUT))
@settings(max_examples=25, deadline=None)
@given(sig_len=some.integers(12, 6000))
def test_each_layout_holds_each_lead_once_in_windows_that_tile_the_record(layout: str, sig_len: int) -> None:
    rows = payload(np.zeros((12, sig_len)), layout=layout)["rows"]
    segments = [segment for row in rows for segment in row["segments"]]
    leads = [LEADS[segment["lead"]] for segment in segments if not segment["rhythm"]]
    assert sorted(leads) == sorted(LEADS)
    assert [LEADS[s["lead"]] for s in segments if s["rhythm"]] == (["II"] if layout == "3x4+II" else [])
    for row in rows:
        edges = [(segment["i0"], segment["i1"]) for segment in row["segments"]]
        assert edges[0][0] == 0
        assert edges[-1][1] == sig_len
        assert all(left[1] == right[0] for left, right in pairwise(edges))


def test_the_3x4_rows_are_the_printed_ones() -> None:
    rows = payload(noise(), layout="3x4")["rows"]
    named = [[LEADS[segment["lead"]] for segment in row["segments"]] for row in rows]
    assert named == [["I", "aVR", "V1", "V4"], ["II", "aVL", "V2", "V5"], ["III", "aVF", "V3", "V6"]]


def test_cabrera_turns_from_avl_to_iii_in_steps_of_30_degrees_and_gives_room_to_what_it_draws() -> None:
    ecg_mv = np.zeros((12, 1000))
    ecg_mv[LEADS.index("aVR"), 100] = -3.6  # drawn upwards
    rows = payload(ecg_mv, layout="Cabrera")["rows"]
    named = [[LEADS[segment["lead"]] for segment in row["segments"]] for row in rows]
    assert named == [["aVL", "V1"], ["I", "V2"], ["aVR", "V3"], ["II", "V4"], ["aVF", "V5"], ["III", "V6"]]
    assert [s["lead"] for row in rows for s in row["segments"] if s["inverted"]] == [LEADS.index("aVR")]
    assert (rows[2]["above_mm"], rows[2]["below_mm"]) == (40, 10)
    assert not any(s["inverted"] for row in payload(ecg_mv, layout="6x2")["rows"] for s in row["segments"])


def test_times_of_a_window_count_from_the_beginning_of_the_recording() -> None:
    caliper = {"t0": 1.0, "t1": 1.4, "mv": 0.5, "lead": "II", "of": "x"}
    found = read_state(caliper, {"t0": 2.0, "t1": 3.0, "of": "x"}, "x", start_s=85.0)
    assert found == EcgPaperResult((86.0, 86.4, "II"), 0.5, (87.0, 88.0))
    assert payload(noise(), start_s=85.0)["start_s"] == 85.0


@pytest.mark.parametrize("gain", [5, 10, 20])
def test_rows_grow_in_large_squares_until_the_tallest_qrs_fits(gain: int) -> None:
    ecg_mv = np.zeros((12, 1000))
    ecg_mv[LEADS.index("V4"), 800] = 3.6
    ecg_mv[LEADS.index("V3"), 600] = -4.1
    first, _, third, _ = payload(ecg_mv, gain=gain)["rows"]
    for height, peak in ((first["above_mm"], 3.6), (third["below_mm"], 4.1)):
        assert height % 5 == 0
        assert peak * gain < height < peak * gain + 7
    assert first["below_mm"] == 10
    assert not any(segment["clipped"] for segment in first["segments"] + third["segments"])


def test_an_artefact_beyond_any_qrs_is_clipped_and_said_so_only_where_it_is_shown() -> None:
    ecg_mv = np.zeros((12, 1000))
    ecg_mv[LEADS.index("V4"), 800] = 12.0
    ecg_mv[LEADS.index("V5"), 100] = 12.0  # outside V5's printed window
    rows = payload(ecg_mv)["rows"]
    assert [LEADS[s["lead"]] for row in rows for s in row["segments"] if s["clipped"]] == ["V4"]
    assert rows[0]["above_mm"] == 55


def test_only_the_top_share_of_bins_over_all_leads_is_coloured() -> None:
    saliency = np.arange(1, 1201, dtype=float).reshape(12, 100) * np.where(np.arange(100) % 2, 1, -1)
    level = levels(payload(noise(), saliency=saliency, saliency_top=0.10))
    coloured = {lead: int((values != 0).sum()) for lead, values in level.items()}
    assert coloured == {**dict.fromkeys(LEADS, 0), "V5": 20, "V6": 100}
    assert (level["V6"].max(), level["V6"].min()) == (127, -127)


def test_the_share_of_saliency_that_the_layout_hides_is_counted() -> None:
    saliency = np.zeros((12, 40))
    saliency[LEADS.index("V1"), 20:24] = 1  # 5.0 to 6.0 s: V1's window in 3x4 is 5.0 to 7.5 s
    saliency[LEADS.index("V6"), 0:4] = 1  # V6 is printed from 7.5 s
    saliency[LEADS.index("II"), 36:40] = 1  # only the rhythm strip shows it
    shown = {
        layout: payload(noise(), fs=100, layout=layout, saliency=saliency)["saliency"]["unseen"]
        for layout in ROWS_PER_LAYOUT
    }
    assert shown == pytest.approx({"3x4+II": 4 / 12, "3x4": 8 / 12, "6x2": 8 / 12, "12x1": 0, "Cabrera": 8 / 12})


def test_fine_saliency_is_pooled_without_losing_its_peak() -> None:
    saliency = np.zeros((12, 5003))
    saliency[0, 2500] = 7.0
    sent = payload(noise(5003), saliency=saliency)
    (bin_,) = np.flatnonzero(levels(sent)["I"])
    width = sent["saliency"]["bin_share"]
    assert sent["saliency"]["n_bins"] <= 500
    assert bin_ * width <= 2500.5 / 5003 < (bin_ + 1) * width


def test_saliency_of_zeros_and_of_gaps_colours_nothing() -> None:
    assert not np.any(list(levels(payload(noise(), saliency=np.zeros((12, 50)))).values()))
    assert not np.any(list(levels(payload(noise(), saliency=np.full((12, 50), np.nan))).values()))


def test_ten_seconds_with_every_overlay_stay_under_110_kb() -> None:
    moving = np.cumsum(noise(5000) * 0.1, axis=1)  # by some 40 uV in 2 ms, more than most of a heartbeat
    sent = payload(moving, saliency=noise(5000, seed=1), attention=np.ones(64), highlight=(1.0, 2.0))
    assert len(json.dumps(sent)) < 110_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layout": "4x3"}, "layout must be one of 3x4"),
        ({"speed": 100}, "speed"),
        ({"gain": 15}, "gain"),
        ({"px_per_mm": 0}, "px_per_mm"),
        ({"fs": 0}, "fs"),
        ({"highlight": (1.5, 1.0)}, "highlight"),
        ({"highlight": (1.0, 3.0)}, "highlight"),
        ({"highlight": (math.nan, 1.0)}, "highlight"),
        ({"saliency": np.zeros((3, 5))}, "saliency"),
        ({"saliency": np.full((12, 5), np.inf)}, "saliency"),
        ({"saliency": np.zeros((12, 5)), "saliency_top": 0}, "saliency_top"),
        ({"attention": np.array([0.5, -0.1])}, "attention"),
        ({"attention": np.array([])}, "attention"),
        ({"quality": {"V9": "flat"}}, "'V9' is not a lead"),
    ],
)
def test_what_cannot_be_drawn_truly_is_refused_in_one_sentence(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        payload(noise(), **options)


def test_what_the_browser_sends_is_believed_only_where_it_is_a_measurement() -> None:
    caliper = {"t0": 1, "t1": 1.8, "mv": 0.5, "lead": "II", "of": "me"}
    good = read_state(caliper, {"t0": 2.0, "t1": 3.0, "of": "me"}, "me")
    assert (good.caliper, good.caliper_mv, good.window) == ((1.0, 1.8, "II"), 0.5, (2.0, 3.0))
    for broken in (None, "x", {}, {**caliper, "t1": "2"}, {**caliper, "t1": math.inf}, {**caliper, "lead": "<b>"}):
        assert read_state(broken, {"t0": 1, "of": "me"}, "me") == EcgPaperResult()
    assert read_state({**caliper, "mv": None}, None, "me").caliper_mv is None


def test_a_measurement_belongs_to_one_record_of_one_stay_and_run_only() -> None:
    ecg_mv, other_mv = noise(), noise(seed=1)
    mine = payload(ecg_mv)["identity"]
    caliper = {"t0": 1, "t1": 2, "mv": 0, "lead": "I", "of": mine}
    assert read_state(caliper, caliper, mine).caliper == (1.0, 2.0, "I")
    assert payload(ecg_mv, speed=50, gain=20, layout="12x1")["identity"] == mine
    others = [ecg_payload(ecg_mv, 500, LEADS, stay_id=stay, run_id=run) for stay, run in ((2, "r"), (1, "s"))]
    for other in (*others, payload(other_mv)):  # another stay, another run, another ECG of the same stay
        assert read_state(caliper, caliper, other["identity"]) == EcgPaperResult()


@pytest.mark.skipif(not CINC.exists(), reason="the real 12-lead ECGs of shared/data are not here")
def test_a_real_record_is_sent_to_the_microvolt_in_its_own_units() -> None:
    wfdb = pytest.importorskip("wfdb")
    for header in sorted(CINC.glob("*.hea"))[::10]:
        record = wfdb.rdrecord(str(header.with_suffix("")))
        assert {unit.lower() for unit in record.units} == {"mv"}
        sent = drawn_uv(payload(record.p_signal.T, tuple(record.sig_name), record.fs))
        for name, lead_mv in zip(record.sig_name, record.p_signal.T, strict=True):
            np.testing.assert_allclose(sent[name] / 1000, lead_mv, atol=0.00051)


def test_the_component_mounts_in_a_script_and_has_nothing_measured_yet() -> None:
    def script() -> None:
        import numpy as np
        import streamlit as st

        from dashboard.ecg_paper import ecg_paper
        from dashboard.ecg_payload import LEADS

        result = ecg_paper(np.zeros((12, 1000)), 100, LEADS, stay_id=7, run_id="r", key="ecg")
        st.text(repr(result))

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.text[0].value == "EcgPaperResult(caliper=None, caliper_mv=None, window=None, cleared=None)"

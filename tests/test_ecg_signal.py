"""The model's view of an ECG: lead order by name, resampling, gaps, flags, and whole microvolts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lemof_core.ecg_signal import (
    CLIP_MV,
    FLAGS,
    LEADS,
    PreparedEcg,
    from_int16_uv,
    good_leads,
    prepare_ecg,
    remove_mains,
    to_int16_uv,
)
from lemof_core.errors import ModelMistake

MIMIC_ORDER = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
SHARED_ECGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "ecg-12lead" / "cinc2021"


def heartlike(*, fs: float = 500.0, seconds: float = 10.0, seed: int = 0) -> np.ndarray:
    """(sig_len, 12) in the order of LEADS: narrow and broad bumps at 72 a minute, consistent limb leads, some noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(fs * seconds)) / fs
    phase = (t * 1.2) % 1.0
    qrs, t_wave = np.exp(-0.5 * ((phase - 0.4) / 0.012) ** 2), np.exp(-0.5 * ((phase - 0.7) / 0.05) ** 2)
    gains = np.array([0.8, 1.1, -0.6, -1.0, 0.5, 1.2, 1.4, 1.1])
    eight = np.outer(qrs, gains) + 0.25 * np.outer(t_wave, np.abs(gains)) + 0.005 * rng.standard_normal((t.size, 8))
    one, two = eight[:, 0], eight[:, 1]
    limbs = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=1)
    return np.concatenate([limbs, eight[:, 2:]], axis=1)


def sine(frequency_hz: float, *, fs: float = 500.0) -> np.ndarray:
    t = np.arange(round(10 * fs)) / fs
    return np.repeat(np.sin(2 * np.pi * frequency_hz * t + 0.7)[:, None], 12, axis=1)


def middle_amplitude(prepared: PreparedEcg) -> float:
    return float(prepared.ecg_mv[0, 200:800].std() * np.sqrt(2))


def test_two_files_with_avf_and_avl_swapped_give_the_same_array(tmp_path: Path) -> None:
    signal = heartlike()
    prepared = []
    for record, order in (("ptb", LEADS), ("mimic", MIMIC_ORDER)):
        columns = [LEADS.index(lead) for lead in order]
        wfdb.wrsamp(
            record, fs=500, units=["mV"] * 12, sig_name=list(order), p_signal=signal[:, columns], fmt=["16"] * 12,
            adc_gain=[200.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path),
        )  # fmt: skip
        read = wfdb.rdrecord(str(tmp_path / record))
        assert tuple(read.sig_name) == order
        prepared.append(prepare_ecg(read.p_signal, fs=read.fs, sig_name=read.sig_name))
    np.testing.assert_array_equal(prepared[0].ecg_mv, prepared[1].ecg_mv)
    assert np.abs(prepared[0].ecg_mv[LEADS.index("aVL")] - prepared[0].ecg_mv[LEADS.index("aVF")]).max() > 0.1


def test_a_clean_record_is_usable_and_carries_no_flag() -> None:
    prepared = prepare_ecg(heartlike(), fs=500, sig_name=LEADS)
    assert prepared.usable
    assert prepared.quality == dict.fromkeys(LEADS, ())
    assert prepared.ecg_mv.shape == (12, 1000)
    assert prepared.ecg_mv.dtype == np.float32


def test_names_are_read_without_regard_to_case_and_foreign_signals_are_left_out() -> None:
    signal = heartlike()
    names = [lead.upper() for lead in LEADS]
    with_pleth = np.concatenate([np.full((len(signal), 1), 7.0), signal], axis=1)
    np.testing.assert_array_equal(
        prepare_ecg(with_pleth, fs=500, sig_name=["PLETH", *names]).ecg_mv,
        prepare_ecg(signal, fs=500, sig_name=LEADS).ecg_mv,
    )


@pytest.mark.parametrize("fs", [250.0, 257.0, 500.0, 1000.0])
def test_a_sine_of_5_hz_keeps_its_amplitude_at_any_sampling_frequency(fs: float) -> None:
    assert middle_amplitude(prepare_ecg(sine(5.0, fs=fs), fs=fs, sig_name=LEADS)) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("frequency_hz", [50.0, 60.0, 180.0, 220.0])
def test_what_100_hz_cannot_carry_and_mains_are_gone_and_do_not_alias(frequency_hz: float) -> None:
    assert middle_amplitude(prepare_ecg(sine(frequency_hz), fs=500, sig_name=LEADS)) < 0.005


def test_resampling_puts_each_heartbeat_where_it_was() -> None:
    signal = np.zeros((5000, 12))
    signal[2500] = 1.0
    signal[1000] = 1.0
    prepared = prepare_ecg(signal, fs=500, sig_name=LEADS)
    assert set(np.argsort(prepared.ecg_mv[0])[-2:]) == {200, 500}


def test_breathing_and_offset_are_removed_and_a_heartbeat_is_not_bent_by_it() -> None:
    signal = heartlike()
    t = np.arange(5000) / 500
    wander = 40.0 + 1.5 * np.sin(2 * np.pi * 0.15 * t)[:, None]
    still = prepare_ecg(signal, fs=500, sig_name=LEADS).ecg_mv
    moved = prepare_ecg(signal + wander, fs=500, sig_name=LEADS).ecg_mv
    assert np.abs(moved - still)[:, 150:850].max() < 0.03


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int16, hnp.array_shapes(max_dims=2), elements=st.integers(-32767, 32767)))
def test_int16_microvolts_come_back_bit_equal(ecg_uv: np.ndarray) -> None:
    back = to_int16_uv(from_int16_uv(ecg_uv))
    assert back.dtype == np.int16
    np.testing.assert_array_equal(back, ecg_uv)


def test_what_the_store_keeps_is_what_the_model_saw_to_the_last_bit() -> None:
    prepared = prepare_ecg(heartlike(seed=3), fs=500, sig_name=LEADS)
    stored = from_int16_uv(to_int16_uv(prepared.ecg_mv))
    assert stored.tobytes() == prepared.ecg_mv.tobytes()


def test_nan_cannot_be_stored_as_an_integer() -> None:
    with pytest.raises(ModelMistake, match="prepare it first"):
        to_int16_uv(np.array([0.0, np.nan]))


def test_preparing_twice_gives_the_same_bytes_and_leaves_the_record_alone() -> None:
    signal = heartlike()
    signal[100:200, 3] = np.nan
    before = signal.copy()
    first, second = (prepare_ecg(signal, fs=500, sig_name=LEADS) for _ in range(2))
    assert first.ecg_mv.tobytes() == second.ecg_mv.tobytes()
    np.testing.assert_array_equal(signal, before)


def test_a_short_gap_is_bridged_by_a_straight_line_and_flagged() -> None:
    signal = heartlike()
    t = np.arange(5000) / 500
    signal[:, 7] = np.sin(2 * np.pi * 1.0 * t)
    gapped = signal.copy()
    gapped[2600:2610, 7] = np.nan
    prepared = prepare_ecg(gapped, fs=500, sig_name=LEADS)
    assert prepared.quality["V2"] == ("nan",)
    assert prepared.usable
    np.testing.assert_allclose(prepared.ecg_mv[7], prepare_ecg(signal, fs=500, sig_name=LEADS).ecg_mv[7], atol=2e-3)


def test_a_chest_lead_with_a_long_gap_is_zero_and_missing() -> None:
    signal = heartlike()
    signal[:1500, 7] = np.nan
    prepared = prepare_ecg(signal, fs=500, sig_name=LEADS)
    assert prepared.quality["V2"] == ("nan", "missing")
    assert not prepared.ecg_mv[7].any()
    assert np.isfinite(prepared.ecg_mv).all()


@pytest.mark.parametrize("kept", [("I", "II"), ("I", "III"), ("II", "III")])
def test_limb_leads_follow_from_any_two_of_the_first_three(kept: tuple[str, str]) -> None:
    signal = heartlike()
    names = [*kept, *LEADS[6:]]
    prepared = prepare_ecg(signal[:, [LEADS.index(name) for name in names]], fs=500, sig_name=names)
    full = prepare_ecg(signal, fs=500, sig_name=LEADS)
    np.testing.assert_allclose(prepared.ecg_mv, full.ecg_mv, atol=1.01e-3)
    for lead in LEADS[:6]:
        assert prepared.quality[lead] == (() if lead in kept else ("missing", "derived"))
    assert prepared.usable


def test_a_flat_limb_lead_is_derived_but_still_said_to_have_been_flat() -> None:
    signal = heartlike()
    broken = signal.copy()
    broken[:, 1] = 0.0
    prepared = prepare_ecg(broken, fs=500, sig_name=LEADS)
    assert prepared.quality["II"] == ("flat", "derived")
    np.testing.assert_allclose(prepared.ecg_mv[1], prepare_ecg(signal, fs=500, sig_name=LEADS).ecg_mv[1], atol=1.01e-3)


def test_a_record_of_one_lead_is_kept_but_not_usable() -> None:
    prepared = prepare_ecg(heartlike()[:, 1:2], fs=500, sig_name=["II"])
    assert not prepared.usable
    assert prepared.ecg_mv[1].any()
    assert not np.delete(prepared.ecg_mv, 1, axis=0).any()
    assert [lead for lead in LEADS if "missing" in prepared.quality[lead]] == [lead for lead in LEADS if lead != "II"]


def test_a_record_that_is_nan_throughout_is_not_usable_and_raises_nothing() -> None:
    prepared = prepare_ecg(np.full((5000, 12), np.nan), fs=500, sig_name=LEADS)
    assert not prepared.usable
    assert not prepared.ecg_mv.any()


def test_each_flaw_gets_its_own_flag() -> None:
    rng = np.random.default_rng(1)
    signal = heartlike()
    signal[:, 8] = 0.3
    signal[:, 9] += 0.3 * rng.standard_normal(5000)
    signal[:, 10] = np.clip(signal[:, 10] * 4.0, None, 3.0)
    signal[1000:1040, 10] = 3.0
    signal[2000:3500, 11] = signal[2000, 11]
    prepared = prepare_ecg(signal, fs=500, sig_name=LEADS)
    assert {lead: flags for lead, flags in prepared.quality.items() if flags} == {
        "V3": ("flat",),
        "V4": ("noisy",),
        "V5": ("saturated",),
        "V6": ("flat",),
    }
    assert good_leads(prepared.quality).sum() == 8
    assert prepared.usable
    assert set(FLAGS) >= {flag for flags in prepared.quality.values() for flag in flags}


def test_an_artefact_is_bounded_and_flagged() -> None:
    signal = heartlike()
    signal[2500:2600, 6] += 80.0
    prepared = prepare_ecg(signal, fs=500, sig_name=LEADS)
    assert prepared.quality["V1"] == ("saturated",)
    assert np.abs(prepared.ecg_mv).max() == pytest.approx(CLIP_MV)


def test_a_short_record_is_followed_by_zeros_and_below_five_seconds_not_usable() -> None:
    six, four = (prepare_ecg(heartlike(seconds=seconds), fs=500, sig_name=LEADS) for seconds in (6.0, 4.0))
    assert six.usable
    assert not four.usable
    assert set(six.quality.values()) == {("short",)}
    assert six.ecg_mv[:, :600].any()
    assert not six.ecg_mv[:, 600:].any()


@pytest.mark.parametrize("sig_len", [2, 3, 7, 40])
def test_even_a_handful_of_samples_makes_an_array(sig_len: int) -> None:
    prepared = prepare_ecg(heartlike()[:sig_len], fs=500, sig_name=LEADS)
    assert prepared.ecg_mv.shape == (12, 1000)
    assert not prepared.usable


def test_a_long_record_is_cropped_to_its_middle_and_says_from_where() -> None:
    signal = heartlike(seconds=20.0)
    prepared = prepare_ecg(signal, fs=500, sig_name=LEADS)
    assert prepared.start_s == 5.0
    assert set(prepared.quality.values()) == {("cropped",)}
    np.testing.assert_array_equal(prepared.ecg_mv, prepare_ecg(signal[2500:7500], fs=500, sig_name=LEADS).ecg_mv)


def test_mains_are_notched_only_where_there_are_mains() -> None:
    signal = heartlike().T
    t = np.arange(5000) / 500
    assert remove_mains(signal, fs=500) is signal
    cleaned = remove_mains(signal + 0.15 * np.sin(2 * np.pi * 60 * t), fs=500)
    assert np.abs(cleaned - signal)[:, 500:4500].max() < 0.02


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sig_name": ["I", *LEADS[:11]]}, "Lead I occurs twice"),
        ({"sig_name": [f"EEG{k}" for k in range(12)]}, "None of the signals"),
        ({"sig_name": ["I"]}, "needs one name"),
        ({"fs": 50.0}, "100 Hz or more"),
        ({"fs": float("nan")}, "100 Hz or more"),
        ({"signal_mv": np.zeros(5000)}, "signal_mv must be"),
        ({"signal_mv": np.zeros((1, 12))}, "signal_mv must be"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_sentence(changed: dict, message: str) -> None:
    call = {"signal_mv": heartlike(), "fs": 500.0, "sig_name": list(LEADS)} | changed
    with pytest.raises(ModelMistake, match=message) as caught:
        prepare_ecg(call.pop("signal_mv"), **call)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not SHARED_ECGS.is_dir(), reason="the 50 public recordings are not beside this checkout")
def test_real_recordings_obey_einthoven_after_preparation_and_zeroed_leads_are_found() -> None:
    flat = {}
    for header in sorted(SHARED_ECGS.glob("*.hea")):
        read = wfdb.rdrecord(str(header.with_suffix("")))
        prepared = prepare_ecg(read.p_signal, fs=read.fs, sig_name=read.sig_name)
        assert prepared.usable
        one, two, three = prepared.ecg_mv[:3]
        assert np.percentile(np.abs(three - (two - one)), 99) < 0.03
        if lost := [lead for lead, flags in prepared.quality.items() if "flat" in flags]:
            flat[read.record_name] = lost
    # Seen in the files: these two recordings hold nothing but zeros in three chest leads.
    assert flat == {"JS20004": ["V2", "V4", "V6"], "JS20008": ["V2", "V4", "V6"]}

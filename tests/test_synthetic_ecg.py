"""The synthetic ECGs obey the laws of the leads, and each pathology shows what a cardiologist would look for.

Signatures are measured from the samples by short detectors of this file, which know nothing of the generator's waves.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.signal import butter, find_peaks, sosfiltfilt
from synthetic_ecg_support import parameters

from cohort_db.synthetic.ecg_dipole import FS, SIG_NAMES
from cohort_db.synthetic.ecg_record import synthesise_records
from cohort_db.synthetic.write_wfdb import record_path, write_record

QRS_ONSET, NORMAL_J = -0.042, 0.050  # seconds from the R time of a normal beat


def records(*, noise: bool = False, seed: int = 1, **changed: float) -> np.ndarray:
    """(N, 5000, 12) in mV. The same seed gives the same patients, whatever is changed."""
    return synthesise_records(parameters(**changed), np.random.default_rng(seed), noise=noise).adu / 200.0


def lead(x: np.ndarray, name: str) -> np.ndarray:
    return x[..., SIG_NAMES.index(name)]


def r_peaks(record: np.ndarray, above_hz: float = 6.0) -> np.ndarray:
    """Sample numbers of QRS complexes: peaks of what all leads together have between `above_hz` and 40 Hz.

    Broad complexes need a low bound, tall narrow T waves a high one.
    """
    fast = np.abs(sosfiltfilt(butter(3, (above_hz, 40), "bandpass", fs=FS, output="sos"), record, axis=0)).sum(1)
    smooth = np.convolve(fast, np.ones(50) / 50, "same")
    peaks, _ = find_peaks(smooth, distance=int(0.25 * FS), height=0.3 * np.quantile(smooth, 0.995))
    return peaks


def mean_beat(record: np.ndarray, above_hz: float) -> np.ndarray:
    """(450, 12): median beat from 0.3 s before to 0.6 s after the middle of QRS, baseline at 60 ms before it."""
    peaks = r_peaks(record, above_hz)
    inside = peaks[(peaks > 150) & (peaks < len(record) - 300)]
    beat = np.median([record[p - 150 : p + 300] for p in inside], axis=0)
    return np.asarray(beat - beat[115:122].mean(0))


def mean_beats(x: np.ndarray, above_hz: float = 6.0) -> np.ndarray:
    return np.stack([mean_beat(record, above_hz) for record in x])


def qrs_width_ms(x: np.ndarray, above_hz: float = 6.0) -> np.ndarray:
    """Time for which the leads together are steeper than 15 % of their steepest, around QRS."""
    widths = []
    for beat in mean_beats(x, above_hz):
        steepness = np.abs(np.diff(beat[90:230], axis=0)).sum(1)
        above = np.flatnonzero(steepness > 0.15 * steepness.max())
        widths.append(1000 * (above[-1] - above[0] + 1) / FS)
    return np.array(widths)


# --- laws of the leads, and the files -------------------------------------------------------------------------------


def test_leads_obey_einthoven_and_goldberger_within_one_unit() -> None:
    adu = synthesise_records(parameters(pvc=1.0, lbbb=1.0, qrs_ms=140.0), np.random.default_rng(0)).adu.astype(int)
    by_name = {name: adu[..., k] for k, name in enumerate(SIG_NAMES)}
    assert np.abs(by_name["I"] + by_name["III"] - by_name["II"]).max() <= 1
    assert np.abs(2 * by_name["aVR"] + by_name["I"] + by_name["II"]).max() <= 2
    assert np.abs(2 * by_name["aVL"] - by_name["I"] + by_name["III"]).max() <= 2
    assert np.abs(2 * by_name["aVF"] - by_name["II"] - by_name["III"]).max() <= 2
    assert np.abs(by_name["aVR"] + by_name["aVL"] + by_name["aVF"]).max() <= 1
    assert all(np.abs(values).max() > 20 for values in by_name.values())


def test_wfdb_reads_back_what_was_written(tmp_path: Path) -> None:
    adu = synthesise_records(parameters(n=1), np.random.default_rng(0)).adu[0]
    write_record(tmp_path, 10000032, 40689238, datetime(2180, 7, 23, 8, 44, 24), adu)
    path = str(tmp_path / record_path(10000032, 40689238))
    assert path.endswith("files/p1000/p10000032/s40689238/40689238")
    record = wfdb.rdrecord(path, physical=False)
    assert np.array_equal(record.d_signal, adu)
    assert record.sig_name == ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert (record.fs, record.sig_len, set(record.adc_gain), set(record.units)) == (500, 5000, {200.0}, {"mV"})
    assert [value % 65536 for value in record.checksum] == record.calc_checksum()
    assert record.init_value == adu[0].tolist()
    assert record.base_datetime == datetime(2180, 7, 23, 8, 44, 24)
    assert record.comments == ["<subject_id>: 10000032", "SYNTHETIC WAVEFORM"]
    assert np.allclose(wfdb.rdrecord(path).p_signal, adu / 200.0)


def test_checksum_of_extreme_samples_is_a_signed_16_bit_number(tmp_path: Path) -> None:
    adu = np.tile(np.array([32767, -32768, 1, 0, 12, -7] * 2, dtype=np.int16), (5000, 1))
    write_record(tmp_path, 10000001, 40000001, datetime(2150, 1, 1), adu)
    record = wfdb.rdrecord(str(tmp_path / record_path(10000001, 40000001)), physical=False)
    assert [value % 65536 for value in record.checksum] == record.calc_checksum()
    assert all(-32768 <= value <= 32767 for value in record.checksum)


def test_too_large_voltages_are_clipped_and_never_wrap_around() -> None:
    adu = synthesise_records(parameters(n=2, voltage=400.0), np.random.default_rng(0), noise=False).adu
    assert lead(adu, "V5").max() == 32767
    assert lead(adu, "V2").min() == -32768
    # R in V5 stays the upward wave it is: a wrap-around would turn its top negative.
    top = lead(adu, "V5")[0]
    assert (np.diff(top[top > 30000].astype(int)) >= -2768).all()


def test_same_seed_gives_the_same_records_and_another_seed_others() -> None:
    assert np.array_equal(records(noise=True, seed=5), records(noise=True, seed=5))
    assert not np.array_equal(records(noise=True, seed=5), records(noise=True, seed=6))


# --- the normal ECG -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [45.0, 72.0, 130.0])
def test_measured_rate_is_the_drawn_rate(rate: float) -> None:
    for record in records(noise=True, rate_bpm=rate):
        assert 60 * FS / np.diff(r_peaks(record)).mean() == pytest.approx(rate, rel=0.06)


def test_r_grows_and_s_shrinks_from_v1_to_v5() -> None:
    beats = mean_beats(records())
    r = [np.median(lead(beats, name).max(1)) for name in ("V1", "V2", "V4", "V5")]
    s = [np.median(-lead(beats, name)[:, 130:190].min(1)) for name in ("V2", "V3", "V4", "V5")]
    ratio = [np.median(lead(beats, name)[:, 130:190].max(1) / -lead(beats, name)[:, 130:190].min(1)) for name in
             ("V1", "V2", "V3", "V4", "V5")]  # fmt: skip
    assert r[0] < r[1] < r[2]
    assert s[0] > s[1] > s[2] > s[3]
    assert ratio == sorted(ratio) and ratio[0] < 0.5 and ratio[-1] > 3


@pytest.mark.parametrize("axis", [-30.0, 0.0, 45.0, 85.0])
def test_frontal_axis_of_the_qrs_area_is_the_drawn_axis(axis: float) -> None:
    beats = mean_beats(records(axis_deg=axis))
    area_i, area_avf = (lead(beats, name)[:, 125:182].sum(1) for name in ("I", "aVF"))
    measured = np.rad2deg(np.arctan2(2 / np.sqrt(3) * area_avf, area_i))
    assert np.abs(measured - axis).max() < 6


def test_pr_and_qt_are_found_where_they_were_put() -> None:
    # P and T of lead II by their tops: 28 ms after P begins, and two thirds of the way from J to the end of T.
    short, long = (mean_beats(records(pr_ms=pr)) for pr in (130.0, 190.0))
    p_top = [lead(beats, "II")[:, :122].argmax(1).mean() for beats in (short, long)]
    assert (p_top[0] - p_top[1]) * 1000 / FS == pytest.approx(60, abs=8)
    beats = {qtc: lead(mean_beats(records(qtc_ms=qtc)), "II")[:, 190:].argmax(1).mean() for qtc in (415.0, 515.0)}
    assert 50 < (beats[515.0] - beats[415.0]) * 1000 / FS < 110


def test_true_st_is_what_one_measures_at_j_plus_60() -> None:
    e = parameters(ste_ant=1.0, st_mv=0.25, rr_cv=0.001)
    made = synthesise_records(e, np.random.default_rng(3), noise=False)
    for record, truth in zip(made.adu / 200.0, made.st_mv, strict=True):
        beats = []
        for middle in r_peaks(record)[1:-1]:
            # R of lead V5 lies near the R time; onset and J follow from it.
            r = middle - 15 + lead(record, "V5")[middle - 15 : middle + 15].argmax()
            beats.append(record[r + int(1000 * 0.110 / 2) - 2] - record[r - 27])
        assert np.abs(np.median(beats, axis=0) - truth).max() < 0.06


# --- pathologies ----------------------------------------------------------------------------------------------------


def test_atrial_fibrillation_is_irregular_and_has_f_waves_instead_of_p() -> None:
    af, sinus = (records(noise=True, af=flag, rr_cv=cv) for flag, cv in ((1.0, 0.21), (0.0, 0.03)))
    spread = [[np.std(rr) / rr.mean() for rr in map(np.diff, map(r_peaks, x))] for x in (af, sinus)]
    assert min(spread[0]) > 0.09 > max(spread[1])
    p_height = [np.median(lead(mean_beats(x), "II")[:, 50:122].max(1)) for x in (af, sinus)]
    assert p_height[0] < 0.5 * p_height[1]
    in_f_band = [np.abs(np.fft.rfft(lead(x, "V1"), axis=1))[:, 52:72].mean() for x in (af, sinus)]
    assert in_f_band[0] > 1.2 * in_f_band[1]


def test_bundle_branch_blocks_widen_qrs_by_about_50_ms() -> None:
    normal, left = qrs_width_ms(records()), qrs_width_ms(records(lbbb=1.0, qrs_ms=142.0))
    right = qrs_width_ms(records(rbbb=1.0, qrs_ms=136.0))
    assert 70 < np.median(normal) < 115
    assert 35 < np.median(left) - np.median(normal) < 80
    assert 25 < np.median(right) - np.median(normal) < 80


def test_left_bundle_branch_block_is_negative_in_v1_broad_in_v6_and_st_t_opposes_qrs() -> None:
    beats = mean_beats(records(lbbb=1.0, qrs_ms=142.0))
    v1, v6 = lead(beats, "V1"), lead(beats, "V6")
    assert (v1[:, 120:200].max(1) < 0.2).all() and (v1.min(1) < -0.6).all()
    assert (v6[:, 120:200].min(1) > -0.2).all() and (v6.max(1) > 0.5).all()
    assert (v1[:, 215:].max(1) > 0.2).all() and (v6[:, 215:330].min(1) < -0.1).all()


def test_right_bundle_branch_block_ends_upward_in_v1_and_slurred_downward_in_i_and_v6() -> None:
    beats, normal = mean_beats(records(rbbb=1.0, qrs_ms=136.0)), mean_beats(records())
    late = slice(170, 190)
    assert (lead(beats, "V1")[:, late].max(1) > 0.3).all()
    assert (lead(normal, "V1")[:, late].max(1) < 0.1).all()
    for name in ("I", "V6"):
        assert (lead(beats, name)[:, 155:195].min(1) < -0.15).all()
    assert (lead(beats, "V1")[:, 215:320].min(1) < -0.05).all()


@pytest.mark.parametrize(
    ("flag", "st_mv", "raised", "lowered"),
    [
        ("ste_ant", 0.25, ("V2", "V3", "V4"), ()),
        ("ste_inf", 0.22, ("II", "III", "aVF"), ("aVL", "I")),
        ("std", -0.16, ("aVR",), ("V4", "V5", "V6", "II")),
    ],
)
def test_st_moves_in_the_leads_of_its_territory(
    flag: str, st_mv: float, raised: tuple[str, ...], lowered: tuple[str, ...]
) -> None:
    changed, own_normal = mean_beats(records(**{flag: 1.0, "st_mv": st_mv})), mean_beats(records())
    j60 = slice(198, 206)
    shift = changed[:, j60].mean(1) - own_normal[:, j60].mean(1)
    for name in raised:
        assert (lead(shift, name) > 0.3 * abs(st_mv)).all(), name
    for name in lowered:
        assert (lead(shift, name) < -0.1 * abs(st_mv)).all(), name


def test_hypertrophy_fulfils_sokolow_and_strains_the_lateral_leads() -> None:
    beats, normal = mean_beats(records(lvh=1.0)), mean_beats(records())

    def sokolow(b: np.ndarray) -> np.ndarray:
        return np.asarray(lead(b, "V5").max(1) - lead(b, "V1").min(1))

    assert (sokolow(beats) > 3.0).all() and np.median(sokolow(beats)) > 3.5 > np.median(sokolow(normal)) + 0.5
    assert (lead(beats, "V6")[:, 215:320].min(1) < -0.1).all()
    assert (lead(normal, "V6")[:, 215:320].max(1) > 0.1).all()


def test_hyperkalaemia_raises_and_narrows_t_and_flattens_p() -> None:
    beats, normal = (mean_beats(records(**changed), 12.0) for changed in ({"hyperk": 1.0, "qrs_ms": 118.0}, {}))
    t = [lead(b, "V4")[:, 215:] for b in (beats, normal)]
    assert (t[0].max(1) > 1.4 * t[1].max(1)).all()
    width = [(wave > 0.5 * wave.max(1, keepdims=True)).sum(1) for wave in t]
    assert (width[0] < width[1]).all()
    p = [lead(b, "II")[:, 50:122].max(1) for b in (beats, normal)]
    assert (p[0] < 0.6 * p[1]).all()
    assert np.median(qrs_width_ms(records(hyperk=1.0, qrs_ms=118.0), 12.0)) > np.median(qrs_width_ms(records())) + 10


def test_extrasystole_is_early_wide_and_followed_by_a_compensatory_pause() -> None:
    for record in records(pvc=1.0, rr_cv=0.005):
        peaks = r_peaks(record)
        rr = np.diff(peaks) / FS
        usual = np.median(rr)
        early = np.flatnonzero(rr[:-1] < 0.78 * usual)
        assert len(early)
        # Early beat and pause together last two cycles.
        assert np.abs(rr[early] + rr[early + 1] - 2 * usual).max() < 0.1 * usual
        assert (rr[early + 1] > 1.15 * usual).all()


def test_notch_adds_fast_detail_to_qrs_in_proportion_to_its_size() -> None:
    fast = []
    for notch_mv in (0.02, 0.15, 0.4):
        qrs = mean_beats(records(notch_mv=notch_mv))[:, 118:182]
        # Above 30 Hz: bins of 7.8 Hz over 128 ms.
        fast.append(np.abs(np.fft.rfft(qrs * np.hanning(64)[:, None], axis=1))[:, 5:10].sum((1, 2)))
    assert (fast[0] < fast[1]).mean() > 0.9 and (fast[1] < fast[2]).all()


def test_notch_changes_nothing_outside_qrs() -> None:
    plain, notched = (mean_beats(records(notch_mv=mv)) for mv in (0.02, 0.4))
    assert np.abs(plain - notched)[:, 195:].max() < 0.03
    assert np.abs(plain - notched)[:, 130:180].max() > 0.1

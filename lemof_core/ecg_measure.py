"""In: twelve leads in mV at their native fs. Out: rate, intervals, axes, ST and amplitudes, NaN where not measurable.

Own code, because NeuroKit's delineation works lead by lead and no method of it can be trusted with all intervals: of
400 synthetic ECGs (benchmarks/ecg_interval_error.py) dwt makes QRS 112 ms too long, cwt measures a third, prominence is
right on PR and QRS (3 and 2 ms off, where we are 7 and 10) but ends QT 30 ms late, and each of them gives a PR in nine
of ten atrial fibrillations or more, we in one of 58. Global intervals from a representative beat of all leads are what
electrocardiographs measure (CSE Working Party, Eur Heart J 1985;6:815). R peaks do come from NeuroKit (ecg_beats.py);
where waves begin and end is in ecg_fiducials.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from lemof_core.ecg_beats import BEFORE_R_S, Beats, RepresentativeBeat, find_beats, level_on_pq, representative_beat
from lemof_core.ecg_fiducials import T_AFTER_J_S, Wave, find_p, find_qrs, find_t
from lemof_core.ecg_signal import (
    LEADS,
    MODEL_FS,
    NOISY_MV,
    check_fs,
    good_leads,
    noise_level_mv,
    remove_baseline,
    remove_mains,
    repair_leads,
)
from lemof_core.errors import ModelMistake

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SHORTEST_S = 3.0
# At 100 Hz a sample is 10 ms: such records are interpolated first, so that intervals are not counted in tens.
LOWEST_MEASURING_FS = 250.0
# Narrower is a pacing spike or a switch, wider an oscillation.
QRS_RANGE_S = (0.04, 0.26)
ST_AFTER_J_S = 0.06
LARGEST_ST_ERROR_MV = 0.05
# A net area below this mean height has no direction worth an angle.
SMALLEST_AXIS_MV = 0.01
HIGH_FREQUENCY_HZ = 40.0
HIGH_FREQUENCY_FS = 400.0

_I, _II = LEADS.index("I"), LEADS.index("II")


@dataclass(frozen=True)
class Measurement:
    """One row of MEASUREMENTS. aux: what ECG encoders learn beside the label, and trees read."""

    name: str
    label: str
    unit: str
    aux: bool


@dataclass(frozen=True)
class MeasuredEcg:
    """values: every name of MEASUREMENTS, NaN where not measurable. reasons: why something is not, in words."""

    values: dict[str, float]
    reasons: tuple[str, ...]


def _per_lead(prefix: str, label: str, aux_leads: tuple[str, ...]) -> list[Measurement]:
    return [Measurement(f"{prefix}_{lead}_mv", f"{label} {lead}", "mV", lead in aux_leads) for lead in LEADS]


MEASUREMENTS: tuple[Measurement, ...] = (
    Measurement("heart_rate_bpm", "Heart rate", "/min", True),
    Measurement("rr_mean_ms", "Mean RR", "ms", False),
    Measurement("rr_sd_ms", "SD of RR", "ms", True),
    Measurement("rr_rmssd_ms", "RMSSD of RR", "ms", True),
    Measurement("n_beats", "Beats", "", False),
    Measurement("pr_ms", "PR", "ms", True),
    Measurement("p_amp_mv", "P amplitude II", "mV", True),
    Measurement("qrs_ms", "QRS", "ms", True),
    Measurement("qt_ms", "QT", "ms", True),
    Measurement("qtcf_ms", "QTc (Fridericia)", "ms", True),
    Measurement("qtcb_ms", "QTc (Bazett)", "ms", False),
    Measurement("qrs_axis_deg", "QRS axis", "deg", False),
    Measurement("qrs_axis_cos", "Cosine of QRS axis", "", True),
    Measurement("qrs_axis_sin", "Sine of QRS axis", "", True),
    Measurement("t_axis_deg", "T axis", "deg", False),
    Measurement("t_axis_cos", "Cosine of T axis", "", True),
    Measurement("t_axis_sin", "Sine of T axis", "", True),
    Measurement("qrs_hf_mv", "QRS content above 40 Hz", "mV", True),
    *_per_lead("st60", "ST at J + 60 ms", LEADS),
    *_per_lead("r", "R", ("I", "II", "aVL", "V1", "V5", "V6")),
    *_per_lead("s", "S or Q", ("III", "V1", "V2", "V3")),
    *_per_lead("t", "T", ("I", "II", "V2", "V5")),
)


def measure_ecg(p_signal_mv: NDArray[np.floating], fs: float) -> dict[str, float]:
    """Every name of MEASUREMENTS has its value, NaN where the record does not show it; nothing is invented.

    Args:
        p_signal_mv: (12, sig_len) mV in the order of LEADS, NaN where nothing was recorded; 500 Hz is best.

    Raises:
        ModelMistake: not twelve leads, or fs below 100 Hz.
    """
    return examine_ecg(p_signal_mv, fs).values


def examine_ecg(p_signal_mv: NDArray[np.floating], fs: float) -> MeasuredEcg:
    """measure_ecg, with the reasons in words for whatever could not be measured.

    Conventions. RR: all beats, ectopic ones too. Everything else: the median of the beats of the commonest shape.
    Amplitudes: from the PQ level. R and S: the highest and the deepest point of QRS, whatever the letter (in rSR' the
    deepest is not the last). T: the largest deflection either way. Axes: by net areas, from I and II.
    """
    ecg_mv = np.asarray(p_signal_mv, dtype=np.float64)
    if ecg_mv.ndim != 2 or ecg_mv.shape[0] != len(LEADS):
        raise ModelMistake(f"p_signal_mv must be (12, sig_len), leads in the order of LEADS, however: {ecg_mv.shape=}.")
    check_fs(fs)
    values = dict.fromkeys((row.name for row in MEASUREMENTS), float("nan"))
    if ecg_mv.shape[1] < SHORTEST_S * fs:
        return MeasuredEcg(values, (f"the record is shorter than {SHORTEST_S:g} s",))
    native_fs = fs
    ecg_mv, flags = repair_leads(ecg_mv, fs=fs)
    if fs < LOWEST_MEASURING_FS:
        ecg_mv, fs = resample_poly(ecg_mv, 5, 1, axis=1, padtype="line"), 5 * fs
    ecg_mv = remove_mains(ecg_mv, fs=fs)
    filtered_mv = remove_baseline(ecg_mv, fs=fs)
    good = good_leads(flags) & (noise_level_mv(filtered_mv[:, :: round(fs / MODEL_FS)]) < NOISY_MV)
    if not good.any():
        return MeasuredEcg(values, ("no lead is good enough",))
    beats = find_beats(filtered_mv[good], fs=fs)
    if beats is None:
        return MeasuredEcg(values, ("fewer than three heartbeats of one shape",))
    qrs = find_qrs(representative_beat(filtered_mv, beats, fs=fs), good, fs=fs)
    if qrs and not QRS_RANGE_S[0] <= (qrs[1] - qrs[0]) / fs <= QRS_RANGE_S[1]:
        return MeasuredEcg(values, ("what recurs is too short or too long for a heartbeat",))
    values |= _rhythm(beats, fs)
    if qrs is None:
        return MeasuredEcg(values, ("QRS has no clear beginning and end",))
    beat = _beat_on_pq(filtered_mv, beats, qrs[0], fs=fs)
    rr_s = values["rr_mean_ms"] / 1000.0
    t_wave = find_t(beat, good, qrs, rr_s=rr_s, fs=fs)
    p_wave = find_p(beat, good, qrs, t_wave.edge if t_wave else None, rr_s=rr_s, fs=fs)
    values |= _qrs_and_st(beat, good, qrs, fs=fs)
    reasons = []
    if t_wave:
        values |= _t_values(beat, good, qrs, t_wave, rr_s=rr_s, fs=fs)
    else:
        reasons.append("no T wave with a clear end")
    if p_wave:
        values |= _p_values(beat, good, qrs, p_wave, fs=fs)
    else:
        reasons.append("no P wave recurs before QRS")
    if native_fs >= HIGH_FREQUENCY_FS:
        values["qrs_hf_mv"] = _high_frequency_mv(beat, good, qrs, fs=fs)
    else:
        reasons.append(f"QRS content above {HIGH_FREQUENCY_HZ:g} Hz needs {HIGH_FREQUENCY_FS:g} samples a second")
    return MeasuredEcg(values, tuple(reasons))


def _rhythm(beats: Beats, fs: float) -> dict[str, float]:
    rr_ms = np.diff(beats.r_samples) / fs * 1000.0
    return {
        "heart_rate_bpm": 60000.0 / float(rr_ms.mean()),
        "rr_mean_ms": float(rr_ms.mean()),
        "rr_sd_ms": float(rr_ms.std(ddof=1)),
        "rr_rmssd_ms": float(np.sqrt(np.mean(np.diff(rr_ms) ** 2))),
        "n_beats": float(beats.r_samples.size),
    }


def _beat_on_pq(filtered_mv: FloatArray, beats: Beats, qrs_onset: int, *, fs: float) -> RepresentativeBeat:
    """The representative beat with its PQ level at zero in every lead."""
    r_index = round(BEFORE_R_S * fs)
    pq = slice(qrs_onset - round(0.024 * fs), qrs_onset - round(0.004 * fs))
    pq_s = ((pq.start - r_index) / fs, (pq.stop - r_index) / fs)
    beat = representative_beat(level_on_pq(filtered_mv, beats, pq_s, fs=fs), beats, fs=fs)
    level_mv = np.median(beat.beat_mv[:, pq], axis=1, keepdims=True)
    return replace(beat, beat_mv=beat.beat_mv - level_mv, windows_mv=beat.windows_mv - level_mv)


def _qrs_and_st(beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], *, fs: float) -> dict[str, float]:
    """QRS and its axis; R, S and ST of the good leads, ST only where the beats agree within LARGEST_ST_ERROR_MV."""
    found = {"qrs_ms": (qrs[1] - qrs[0]) / fs * 1000.0}
    found |= _axis("qrs", beat.beat_mv[:, qrs[0] : qrs[1] + 1], good)
    middle, half = qrs[1] + round(ST_AFTER_J_S * fs), round(0.004 * fs)
    st = slice(middle - half, middle + half + 1)
    for index in np.flatnonzero(good):
        lead, complex_mv = LEADS[index], beat.beat_mv[index, qrs[0] : qrs[1] + 1]
        found[f"r_{lead}_mv"] = max(0.0, float(complex_mv.max()))
        found[f"s_{lead}_mv"] = min(0.0, float(complex_mv.min()))
        if beat.standard_error_mv(np.eye(len(LEADS))[index], st) <= LARGEST_ST_ERROR_MV:
            found[f"st60_{lead}_mv"] = float(beat.beat_mv[index, st].mean())
    return found


def _t_values(
    beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], t_wave: Wave, *, rr_s: float, fs: float
) -> dict[str, float]:
    qt_ms = (t_wave.edge - qrs[0]) / fs * 1000.0
    found = {"qt_ms": qt_ms, "qtcf_ms": qt_ms / rr_s ** (1 / 3), "qtcb_ms": qt_ms / rr_s**0.5}
    t_mv = beat.beat_mv[:, qrs[1] + round(T_AFTER_J_S * fs) : t_wave.edge]
    found |= _axis("t", t_mv, good)
    highest = np.argmax(np.abs(t_mv), axis=1)
    return found | {f"t_{LEADS[index]}_mv": float(t_mv[index, highest[index]]) for index in np.flatnonzero(good)}


def _p_values(
    beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], p_wave: Wave, *, fs: float
) -> dict[str, float]:
    found = {"pr_ms": (qrs[0] - p_wave.edge) / fs * 1000.0}
    if good[_II]:
        p_mv = beat.beat_mv[_II, p_wave.edge : min(qrs[0], 2 * p_wave.peak - p_wave.edge + 1)]
        # From the line between onset and PQ level (which is zero): what remains of the T before is no part of P.
        p_mv = p_mv - np.linspace(p_mv[0], 0.0, num=qrs[0] - p_wave.edge)[: p_mv.size]
        found["p_amp_mv"] = float(p_mv[np.argmax(np.abs(p_mv))])
    return found


def _axis(wave: str, span_mv: FloatArray, good: BoolArray) -> dict[str, float]:
    """Frontal axis of a wave, 0 towards the left arm and 90 towards the feet; {} when it has no direction there.

    From I = E cos(a) and II = E cos(a - 60 deg) follows E sin(a) = (2 II - I) / sqrt(3).
    """
    if not (good[_I] and good[_II]):
        return {}
    across, down = span_mv[_I].sum(), (2.0 * span_mv[_II].sum() - span_mv[_I].sum()) / np.sqrt(3.0)
    length = float(np.hypot(across, down))
    if length < SMALLEST_AXIS_MV * span_mv.shape[1]:
        return {}
    return {
        f"{wave}_axis_deg": float(np.degrees(np.arctan2(down, across))),
        f"{wave}_axis_cos": float(across / length),
        f"{wave}_axis_sin": float(down / length),
    }


def _high_frequency_mv(beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], *, fs: float) -> float:
    """RMS above 40 Hz in QRS over the good leads, less the power found beside QRS, which is noise."""
    high_pass = butter(4, HIGH_FREQUENCY_HZ, "highpass", fs=fs, output="sos")
    power = np.mean(sosfiltfilt(high_pass, beat.windows_mv.mean(axis=0)[good], axis=1) ** 2, axis=0)
    aside = qrs[1] + round(0.06 * fs)
    noise = float(power[aside : aside + round(0.1 * fs)].mean())
    return float(np.sqrt(max(0.0, float(power[qrs[0] : qrs[1] + 1].mean()) - noise)))

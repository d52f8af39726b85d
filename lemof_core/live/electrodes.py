"""Twelve leads in mV in, what is wrong with leads or electrodes out, in sentences: seen before a model is asked.

Exchanged electrodes leave a clean ECG of another heart, which no quality flag sees. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks, resample_poly

from lemof_core.ecg_beats import REFRACTORY_S, Beats, beats_at, qrs_magnitude, representative_beat
from lemof_core.ecg_fiducials import find_p, find_qrs, find_t
from lemof_core.ecg_measure import LOWEST_MEASURING_FS, SHORTEST_S
from lemof_core.ecg_signal import LEADS, arrange_leads, check_fs, good_leads, remove_baseline, repair_leads

FloatArray = NDArray[np.float64]

# What the six limb leads owe each other at every instant, as weights of (I, II, III, aVR, aVL, aVF) that sum to zero.
LAWS: dict[str, tuple[float, ...]] = {
    "I + III = II": (1, -1, 1, 0, 0, 0),
    "aVR = -(I + II) / 2": (0.5, 0.5, 0, 1, 0, 0),
    "aVL = I - II / 2": (-1, 0.5, 0, 0, 1, 0),
    "aVF = II - I / 2": (0.5, -1, 0, 0, 0, 1),
}
# Rounding leaves at most 0.0013 mV in 50 public recordings; the rest is room for scaling and late filters.
LARGEST_GAP_MV, LARGEST_GAP_SHARE = 0.03, 0.1
# A limb lead whose QRS is this low beside the others measures one place twice: a leg against a leg.
LEG_QRS_MV, LEG_QRS_SHARE = 0.06, 0.06
SMALLEST_P_MV = 0.008  # below, a P wave has no direction in the frontal plane to rely on
SINUS_P_DEG = 50.0  # amid where P points in sinus rhythm, 0 to 75 or a little beyond
SMALLEST_CHEST_QRS_MV = 0.1
# By how much undoing a swap must make the ECG more like a heart's (of -4 to 4). On 50 public recordings: no false alarm
# (the 95 % interval is 0 to 7 %), and 49 of 50 seen with the right arm's electrode in exchange with the left arm's, 49
# with the left leg's. The margin was set on the same 50; on 274 synthetic ECGs 2 false alarms, 268 and 274 seen.
MARGIN = 1.5
PEAK_SHARE = 0.35  # of the highest QRS; what passes and is no beat is unlike the others and drops out

_V5, _V6 = LEADS.index("V5"), LEADS.index("V6")
# What stands where RA, LA and LL should, when the right arm's electrode was exchanged with that of ...
_SWAPS = {"left arm": (1, 0, 2), "left leg": (2, 1, 0)}
_SIGNS = {
    "left arm": "lead I points the other way than V5 and V6",
    "left leg": "lead II points the other way than V5 and V6, and aVR does not point away from them",
}
_LEG_OF = {"I": "both arms' electrodes on the legs", "II": "the right arm's electrode on the right leg"} | {
    "III": "the left arm's electrode on the right leg"
}


@dataclass(frozen=True)
class _Waves:
    """qrs_mv (12, n) of the representative beat; p_mv (12,) the mean of its P wave, None where none recurs."""

    qrs_mv: FloatArray
    p_mv: FloatArray | None


def electrode_warnings(signal_mv: NDArray[np.floating], *, fs: float, sig_name: Sequence[str]) -> list[str]:
    """Return a sentence for each thing that is wrong; [] where nothing is seen, or too little to judge by.

    A swap of left arm and left leg is never warned of: what it makes of a heart is another heart as common.

    Args:
        signal_mv: (sig_len, n_sig) mV, NaN where nothing was recorded.
    Raises: ModelMistake for names, shapes or fs that cannot be understood.
    """
    check_fs(fs)
    ecg_mv, flags = repair_leads(arrange_leads(signal_mv, sig_name=sig_name), fs=fs)
    if ecg_mv.shape[1] < SHORTEST_S * fs:
        return []
    if fs < LOWEST_MEASURING_FS:
        ecg_mv, fs = resample_poly(ecg_mv, 5, 1, axis=1, padtype="line"), 5 * fs
    ecg_mv = remove_baseline(ecg_mv, fs=fs)
    given = np.array([not {"missing", "flat"} & set(flags[lead]) for lead in LEADS])
    good = good_leads(flags)
    found = _broken_laws(ecg_mv, given)
    if found or not good[:2].all():
        return found
    waves = _waves(ecg_mv, good, fs)
    if waves is None:
        return found
    return _on_a_leg(waves) or _swapped(waves, [lead for lead in (_V5, _V6) if good[lead]])


def exchanged(limb_mv: FloatArray, places: Sequence[int]) -> FloatArray:
    """Return (12, ...) leads as they are when the electrode `places[i]` of (RA, LA, LL) stands at place i.

    Chest leads are measured against the mean of the three, which no exchange among them changes.
    """
    at = np.array([np.zeros_like(limb_mv[0]), limb_mv[0], limb_mv[1]])[list(places)]
    lead_1, lead_2 = at[1] - at[0], at[2] - at[0]
    limbs = [lead_1, lead_2, lead_2 - lead_1, -(lead_1 + lead_2) / 2, lead_1 - lead_2 / 2, lead_2 - lead_1 / 2]
    return np.concatenate([np.array(limbs), limb_mv[6:]])


def _broken_laws(ecg_mv: FloatArray, given: NDArray[np.bool_]) -> list[str]:
    broken = []
    for law, weights in LAWS.items():
        used = np.flatnonzero(weights)
        if given[used].all():
            gap = float(np.sqrt(np.mean((np.array(weights) @ ecg_mv[:6]) ** 2)))
            size = float(np.sqrt(np.mean(ecg_mv[used] ** 2)))
            if gap > max(LARGEST_GAP_MV, LARGEST_GAP_SHARE * size):
                broken.append(f"{law} fails by {gap:.2g} mV")
    if not broken:
        return []
    return [
        f"The limb leads do not belong together ({'; '.join(broken)}): a lead may be misnamed, inverted, from another "
        "time or another patient."
    ]


def _waves(ecg_mv: FloatArray, good: NDArray[np.bool_], fs: float) -> _Waves | None:
    """QRS and P of the beat that recurs; None where none does."""
    beats = _beats(ecg_mv[good], fs)
    if beats is None or beats.r_samples.size < 2:
        return None
    beat = representative_beat(ecg_mv, beats, fs=fs)
    qrs = find_qrs(beat, good, fs=fs)
    if qrs is None:
        return None
    rr_s = float(np.diff(beats.r_samples).mean()) / fs
    t_wave = find_t(beat, good, qrs, rr_s=rr_s, fs=fs)
    p_wave = find_p(beat, good, qrs, t_wave.edge if t_wave else None, rr_s=rr_s, fs=fs)
    qrs_mv = beat.beat_mv[:, qrs[0] : qrs[1] + 1] - beat.beat_mv[:, qrs[0], None]
    if p_wave is None:
        return _Waves(qrs_mv, None)
    p_mv = beat.beat_mv[:, p_wave.edge : qrs[0] + 1]
    line = np.linspace(0.0, 1.0, p_mv.shape[1])
    p_mv = p_mv - p_mv[:, :1] - line * (p_mv[:, -1:] - p_mv[:, :1])
    return _Waves(qrs_mv, p_mv.mean(axis=1))


def _beats(ecg_mv: FloatArray, fs: float) -> Beats | None:
    """Where QRS is strong, by scipy alone: NeuroKit would cost the server 90 MB, and only alike beats count below."""
    magnitude = qrs_magnitude(ecg_mv, fs=fs)
    smooth = uniform_filter1d(magnitude, round(0.08 * fs))
    peaks, _ = find_peaks(smooth, height=PEAK_SHARE * np.percentile(smooth, 98), distance=round(REFRACTORY_S * fs))
    return beats_at(ecg_mv, magnitude, peaks, fs=fs)


def _on_a_leg(waves: _Waves) -> list[str]:
    height = np.ptp(waves.qrs_mv[:3], axis=1)
    lowest = int(np.argmin(height))
    if height[lowest] > LEG_QRS_MV or height[lowest] > LEG_QRS_SHARE * height.max():
        return []
    lead = LEADS[lowest]
    return [
        f"Lead {lead} is nearly flat ({height[lowest]:.2f} mV) beside the other limb leads ({height.max():.2f} mV), as "
        f"with {_LEG_OF[lead]}."
    ]


def _swapped(waves: _Waves, chest: list[int]) -> list[str]:
    """The right arm's electrode is at another limb when putting it back makes the ECG much more like a heart's."""
    chest = [lead for lead in chest if np.ptp(waves.qrs_mv[lead]) > SMALLEST_CHEST_QRS_MV]
    if not chest:
        return []
    as_is = _likeness(waves, (0, 1, 2), chest)
    undone = {limb: _likeness(waves, places, chest) for limb, places in _SWAPS.items()}
    limb = max(undone, key=lambda name: undone[name])
    if undone[limb] - as_is < MARGIN:
        return []
    p_wave = ""
    if waves.p_mv is not None:
        negative = [lead for lead in (0, 1) if waves.p_mv[lead] < 0]
        named = " and ".join(LEADS[lead] for lead in negative)
        p_wave = f", and P is negative in {named}" if negative else ""
    return [
        f"The right arm's electrode looks exchanged, most likely with the {limb}'s: {_SIGNS[limb]}{p_wave}. "
        "(Dextrocardia and rare rhythms look alike.)"
    ]


def _likeness(waves: _Waves, places: Sequence[int], chest: list[int]) -> float:
    """How much the limb leads are those of a heart that points to the left and is driven from the sinus node, -4 to 4.

    QRS of I and II goes with that of V5 and V6, that of aVR against it; P points down to the left.
    """
    qrs_mv = exchanged(waves.qrs_mv, places)
    alike = [
        _cosine(qrs_mv[0], qrs_mv[k]) + _cosine(qrs_mv[1], qrs_mv[k]) - _cosine(qrs_mv[3], qrs_mv[k]) for k in chest
    ]
    likeness = float(np.mean(alike))
    if waves.p_mv is not None:
        p_mv = exchanged(waves.p_mv, places)
        across, down = p_mv[0], (2 * p_mv[1] - p_mv[0]) / np.sqrt(3.0)
        if np.hypot(across, down) > SMALLEST_P_MV:
            likeness += float(np.cos(np.arctan2(down, across) - np.radians(SINUS_P_DEG)))
    return likeness


def _cosine(one: FloatArray, other: FloatArray) -> float:
    return float(one @ other) / max(1e-12, float(np.linalg.norm(one) * np.linalg.norm(other)))

"""In: a raw ECG record in mV, leads in any order. Out: the (12, 1000) mV at 100 Hz that models see, with flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, firwin, iirnotch, resample_poly, sosfiltfilt, tf2sos

from lemof_core.errors import ModelMistake

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MODEL_FS = 100
MODEL_SIG_LEN = 1000
FLAGS = ("missing", "flat", "nan", "saturated", "noisy", "derived", "short", "cropped")

LOWEST_FS = 100.0
BASELINE_HZ = 0.5
CLIP_MV = 10.0
# Half-amplitude point of the anti-alias filter. scipy's own is 6 dB down at the Nyquist frequency, which is where
# 50 Hz mains lie; this one passes 35 Hz whole and lets less than 0.3 % of 50 and 60 Hz through.
ANTI_ALIAS_HZ = 42.0
ANTI_ALIAS_HALF_PERIODS = 12
MAINS_HZ = (50.0, 60.0)
MAINS_Q = 20.0
MAINS_MV = 0.01
MAINS_TIMES = 5.0
LONGEST_NAN_SHARE = 0.2
FLAT_RANGE_MV = 0.02
FLAT_RUN_S = 2.0
ROUNDING_MV = 5e-4
SATURATED_RUN_S = 0.04
SATURATED_MV = 1.0
# White noise per sample. On 50 public recordings the median lead has 0.015 mV, the 99th percentile 0.13 mV.
NOISY_MV = 0.1
SHORTEST_USABLE_S = 5.0
# Half of the eight voltages a 12-lead ECG is made of: two limb leads (the other four follow), V1 to V6.
FEWEST_INDEPENDENT_LEADS = 4
INT16_LIMIT_UV = 32767

_BY_NAME = {lead.upper(): index for index, lead in enumerate(LEADS)}
_LOST = frozenset({"missing", "flat"})
_SPOILT = frozenset({"saturated", "noisy"})
# Einthoven and Goldberger: every limb lead is a weighted sum of any two of I, II, III.
_LIMB_FROM = {
    ("I", "II"): ((1, 0), (0, 1), (-1, 1), (-0.5, -0.5), (1, -0.5), (-0.5, 1)),
    ("I", "III"): ((1, 0), (1, 1), (0, 1), (-1, -0.5), (0.5, -0.5), (0.5, 1)),
    ("II", "III"): ((1, -1), (1, 0), (0, 1), (-1, 0.5), (0.5, -1), (0.5, 0.5)),
}

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PreparedEcg:
    """One ECG as a model sees it.

    ecg_mv: (12, 1000) float32 mV at 100 Hz, leads in the order of LEADS, whole microvolts, lost leads zero.
    quality: for each lead its flags, a subset of FLAGS; () is a clean lead.
    usable: enough good leads, and long enough, to predict from.
    start_s: where in the record the array begins; above 0 only when the record was cropped.
    """

    ecg_mv: NDArray[np.float32]
    quality: dict[str, tuple[str, ...]]
    usable: bool
    start_s: float = 0.0


def prepare_ecg(signal_mv: NDArray[np.floating], *, fs: float, sig_name: Sequence[str]) -> PreparedEcg:
    """The record stands in model order, at 100 Hz, free of baseline wander, on whole microvolts, each flaw flagged.

    The slow part is removed by a Butterworth high-pass at 0.5 Hz run forwards and backwards: without phase shift up
    to 0.67 Hz leaves the ST segment alone (Kligfield et al., Circulation 2007;115:1306, section on low-frequency
    filtering). It is zero phase or nothing: the same cut-off run one way bends ST.
    The clip at 10 mV cuts no heartbeat; it bounds artefacts.

    Args:
        signal_mv: (sig_len, n_sig) mV, NaN where nothing was recorded.

    Raises:
        ModelMistake: names, shape or fs cannot be understood.
    """
    ecg_mv = arrange_leads(signal_mv, sig_name=sig_name)
    check_fs(fs)
    sig_len = ecg_mv.shape[1]
    wanted_len = round(MODEL_SIG_LEN / MODEL_FS * fs)
    first = max(0, (sig_len - wanted_len) // 2)
    ecg_mv, flags = repair_leads(ecg_mv[:, first : first + wanted_len], fs=fs)
    ecg_mv = remove_baseline(_resample(ecg_mv, fs), fs=MODEL_FS)
    for lead, noise_mv, peak_mv in zip(LEADS, noise_level_mv(ecg_mv), np.abs(ecg_mv).max(axis=1), strict=True):
        if noise_mv > NOISY_MV:
            flags[lead].append("noisy")
        if peak_mv > CLIP_MV and "saturated" not in flags[lead]:
            flags[lead].append("saturated")
        if sig_len < wanted_len - fs / MODEL_FS:
            flags[lead].append("short")
        if first > 0:
            flags[lead].append("cropped")
    good = good_leads(flags)
    n_independent = min(2, int(good[:6].sum())) + int(good[6:].sum())
    fitted = np.zeros((len(LEADS), MODEL_SIG_LEN))
    kept = min(MODEL_SIG_LEN, ecg_mv.shape[1])
    fitted[:, :kept] = np.clip(ecg_mv[:, :kept], -CLIP_MV, CLIP_MV)
    return PreparedEcg(
        ecg_mv=from_int16_uv(to_int16_uv(fitted)),
        quality={lead: tuple(lead_flags) for lead, lead_flags in flags.items()},
        usable=sig_len / fs >= SHORTEST_USABLE_S and n_independent >= FEWEST_INDEPENDENT_LEADS,
        start_s=first / fs,
    )


def arrange_leads(signal_mv: NDArray[np.floating], *, sig_name: Sequence[str]) -> FloatArray:
    """The twelve leads stand in the order of LEADS, sampled as they were; a lead the record lacks is NaN.

    By name and never by position: MIMIC-IV-ECG has aVF before aVL, PTB-XL after it. Other columns are left out.

    Returns:
        (12, sig_len) float64.
    """
    signal = np.asarray(signal_mv, dtype=np.float64)
    if signal.ndim != 2 or signal.shape[0] < 2:
        raise ModelMistake(f"signal_mv must be (sig_len, n_sig) with two samples or more, however: {signal.shape=}.")
    if signal.shape[1] != len(sig_name):
        raise ModelMistake(
            f"Each column of signal_mv needs one name, however there are {signal.shape[1]} columns and "
            f"{len(sig_name)} names."
        )
    arranged = np.full((len(LEADS), signal.shape[0]), np.nan)
    seen: set[int] = set()
    for column, name in enumerate(sig_name):
        index = _BY_NAME.get(name.strip().upper())
        if index is None:
            continue
        if index in seen:
            raise ModelMistake(f"Lead {LEADS[index]} occurs twice among {list(sig_name)}; keep one of them.")
        seen.add(index)
        arranged[index] = signal[:, column]
    if not seen:
        raise ModelMistake(f"None of the signals {list(sig_name)} is an ECG lead; expected some of {', '.join(LEADS)}.")
    return arranged


def check_fs(fs: float) -> None:
    """fs is a sampling frequency from which 100 Hz can be made."""
    if not (np.isfinite(fs) and fs >= LOWEST_FS):
        raise ModelMistake(f"An ECG must be sampled at {LOWEST_FS:g} Hz or more, however: {fs=}.")


def repair_leads(ecg_mv: FloatArray, *, fs: float) -> tuple[FloatArray, dict[str, list[str]]]:
    """No sample is NaN: short gaps are bridged by straight lines, lost limb leads derived, other lost leads zero.

    Returns:
        (12, sig_len) mV and for each lead its flags.
    """
    ecg_mv = ecg_mv.copy()
    flags: dict[str, list[str]] = {lead: [] for lead in LEADS}
    _bridge_gaps(ecg_mv, flags)
    lowest, highest = ecg_mv.min(axis=1, keepdims=True), ecg_mv.max(axis=1, keepdims=True)
    still_s = _longest_run(np.abs(np.diff(ecg_mv, axis=1, prepend=np.nan)) < ROUNDING_MV) / fs
    # A signal at the stop of its converter stays at its own extreme, far from the middle.
    middle = np.median(ecg_mv, axis=1, keepdims=True)
    at_top = (ecg_mv > highest - ROUNDING_MV) & (highest - middle > SATURATED_MV)
    at_bottom = (ecg_mv < lowest + ROUNDING_MV) & (middle - lowest > SATURATED_MV)
    at_stop_s = _longest_run(at_top | at_bottom) / fs
    for index, lead in enumerate(LEADS):
        if "missing" in flags[lead]:
            continue
        if highest[index, 0] - lowest[index, 0] < FLAT_RANGE_MV or still_s[index] > FLAT_RUN_S:
            flags[lead].append("flat")
        elif at_stop_s[index] > SATURATED_RUN_S:
            flags[lead].append("saturated")
    _derive_limb_leads(ecg_mv, flags)
    return ecg_mv, flags


def good_leads(flags: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(12,) True where the lead carries its voltage: never lost, or derived since, and neither saturated nor noisy."""
    spoilt = [_SPOILT if "derived" in flags[lead] else _SPOILT | _LOST for lead in LEADS]
    return np.array([spoils.isdisjoint(flags[lead]) for lead, spoils in zip(LEADS, spoilt, strict=True)])


def remove_baseline(ecg_mv: FloatArray, *, fs: float) -> FloatArray:
    """What is slower than 0.5 Hz is gone, without phase shift; two seconds are mirrored at each end."""
    pad = min(ecg_mv.shape[-1] - 1, round(2 * fs))
    return np.asarray(sosfiltfilt(_high_pass(float(fs)), ecg_mv, axis=-1, padlen=pad))


def remove_mains(ecg_mv: FloatArray, *, fs: float) -> FloatArray:
    """A 50 or 60 Hz line that stands out of the spectrum is notched out of all leads; other records are as before.

    Only where there is one, because a notch rings after QRS. The model needs none: the anti-alias filter takes both.
    """
    spectrum = np.abs(np.fft.rfft(ecg_mv, axis=1)).mean(axis=0) * 2.0 / ecg_mv.shape[1]
    frequencies = np.fft.rfftfreq(ecg_mv.shape[1], 1.0 / fs)
    for mains_hz in MAINS_HZ:
        away = np.abs(frequencies - mains_hz)
        line, beside = spectrum[away <= 0.5], spectrum[(away > 1.0) & (away <= 5.0)]
        if line.size and beside.size and line.max() > max(MAINS_MV, MAINS_TIMES * np.median(beside)):
            notch = tf2sos(*iirnotch(mains_hz, MAINS_Q, fs=fs))
            ecg_mv = np.asarray(sosfiltfilt(notch, ecg_mv, axis=1, padlen=min(ecg_mv.shape[1] - 1, round(fs))))
    return ecg_mv


def noise_level_mv(ecg_mv_at_100hz: FloatArray) -> FloatArray:
    """(12, n) -> (12,) standard deviation of the white noise in each lead.

    From the median of the absolute second difference: QRS complexes are the few large ones and do not move a median.
    """
    if ecg_mv_at_100hz.shape[1] < 3:
        return np.zeros(ecg_mv_at_100hz.shape[0])
    second_difference = np.diff(ecg_mv_at_100hz, n=2, axis=1)
    return np.asarray(1.4826 * np.median(np.abs(second_difference), axis=1) / np.sqrt(6.0))


def to_int16_uv(ecg_mv: NDArray[np.floating]) -> NDArray[np.int16]:
    """Millivolts stand as whole microvolts in int16, as the store keeps them; beyond +-32.767 mV they are clipped."""
    if not np.isfinite(ecg_mv).all():
        raise ModelMistake("An ECG with NaN or infinite samples cannot be stored as int16; prepare it first.")
    return np.clip(np.rint(np.asarray(ecg_mv) * 1000.0), -INT16_LIMIT_UV, INT16_LIMIT_UV).astype(np.int16)


def from_int16_uv(ecg_uv: NDArray[np.int16]) -> NDArray[np.float32]:
    """Whole microvolts stand as float32 millivolts; to_int16_uv gives the same integers back."""
    return np.asarray(ecg_uv, dtype=np.float32) / np.float32(1000.0)


def _resample(ecg_mv: FloatArray, fs: float) -> FloatArray:
    ratio = Fraction(MODEL_FS / fs).limit_denominator(1000)
    if ratio == 1:
        return ecg_mv
    # A line through both ends is taken off, so that the zeros assumed outside make no step and no ringing.
    return np.asarray(
        resample_poly(ecg_mv, ratio.numerator, ratio.denominator, axis=1, window=_anti_alias(float(fs)), padtype="line")
    )


@lru_cache(maxsize=32)
def _anti_alias(fs: float) -> FloatArray:
    ratio = Fraction(MODEL_FS / fs).limit_denominator(1000)
    half_len = ANTI_ALIAS_HALF_PERIODS * max(ratio.numerator, ratio.denominator)
    return np.asarray(firwin(2 * half_len + 1, ANTI_ALIAS_HZ, window=("kaiser", 5.0), fs=fs * ratio.numerator))


@lru_cache(maxsize=32)
def _high_pass(fs: float) -> FloatArray:
    return np.asarray(butter(2, BASELINE_HZ, "highpass", fs=fs, output="sos"))


def _bridge_gaps(ecg_mv: FloatArray, flags: dict[str, list[str]]) -> None:
    finite = np.isfinite(ecg_mv)
    for index in np.flatnonzero(~finite.all(axis=1)):
        known = finite[index]
        if known.any():
            flags[LEADS[index]].append("nan")
        if 1.0 - known.mean() < LONGEST_NAN_SHARE:
            ecg_mv[index, ~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), ecg_mv[index, known])
        else:
            flags[LEADS[index]].append("missing")
            ecg_mv[index] = 0.0


def _derive_limb_leads(ecg_mv: FloatArray, flags: dict[str, list[str]]) -> None:
    lost = [index for index in range(6) if _LOST & set(flags[LEADS[index]])]
    pairs = [pair for pair in _LIMB_FROM if not any(_LOST & set(flags[lead]) for lead in pair)]
    if not lost or not pairs:
        return
    sources = ecg_mv[[LEADS.index(lead) for lead in pairs[0]]].copy()
    for index in lost:
        ecg_mv[index] = np.asarray(_LIMB_FROM[pairs[0]][index]) @ sources
        flags[LEADS[index]].append("derived")


def _longest_run(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    positions = np.arange(mask.shape[1])
    last_false = np.maximum.accumulate(np.where(mask, -1, positions), axis=1)
    return np.asarray((positions - last_false).max(axis=1))

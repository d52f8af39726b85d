"""In: a representative beat. Out: where in it P begins, QRS begins and ends, T ends; None for what is not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from lemof_core.ecg_beats import RepresentativeBeat

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

QRS_REACH_S = (-0.14, 0.18)
# Shares of the highest spatial velocity at which QRS is taken to begin and to end. Half as much reaches into P waves
# and ST slopes of real recordings, twice as much cuts q waves and slow S waves.
ONSET_SHARE = 0.045
OFFSET_SHARE = 0.055
QUIET_S = 0.014
SMOOTHING_S = 0.006
# One period of 50 Hz: a moving average of this length takes mains out, for records where the short one finds no rest.
MAINS_SMOOTHING_S = 0.02
T_AFTER_J_S = 0.04
SMALLEST_QRS_MV = 0.15
SMALLEST_T_MV = 0.05
SMALLEST_P_MV = 0.03
# A wave counts when it stands this many standard errors above what differs from beat to beat.
TIMES_NOISE = 5.0
# A P wave is there in nearly every beat; the f waves of atrial fibrillation, which a median of ten beats does not quite
# cancel, are not. Share of beats alike: 0.9 to 1 in sinus rhythm, below 0.7 in 95 of 100 synthesised fibrillations.
ALIKE_P_CORRELATION = 0.5
ALIKE_P_SHARE = 0.75
PR_RANGE_S = (0.07, 0.36)
QT_RANGE_S = (0.2, 0.7)


@dataclass(frozen=True)
class Wave:
    """A P or T wave: samples of its peak and of the end that matters (P: onset, T: end)."""

    peak: int
    edge: int


def find_qrs(beat: RepresentativeBeat, good: BoolArray, *, fs: float) -> tuple[int, int] | None:
    """Samples of global QRS onset and offset: where the spatial velocity falls to a small share of its peak, and rests.

    Args:
        good: (12,) leads that may be looked at.
    """
    first, last = (beat.r_index + round(limit * fs) for limit in QRS_REACH_S)
    if np.ptp(beat.beat_mv[good, first:last], axis=1).max() < SMALLEST_QRS_MV:
        return None
    for smoothing_s in (SMOOTHING_S, MAINS_SMOOTHING_S):
        velocity = _spatial_velocity(beat.beat_mv[good], smoothing_s, fs)[first:last]
        peak = int(np.argmax(velocity))
        # Each side has its own floor: in bundle branch block QRS runs into ST-T and never comes to rest.
        floors = np.percentile(velocity[: peak + 1], 10), np.percentile(velocity[peak:], 10)
        quiet_len = max(2, round(QUIET_S * fs))
        back = _first_rest(_below(velocity[peak::-1], floors[0], ONSET_SHARE), quiet_len)
        forth = _first_rest(_below(velocity[peak:], floors[1], OFFSET_SHARE), quiet_len)
        if back is not None and forth is not None:
            return first + peak - back, first + peak + forth
    return None


def find_t(beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], *, rr_s: float, fs: float) -> Wave | None:
    """The T wave, its end by the tangent at the steepest return to the PQ level (Lepeschkin & Surawicz 1952).

    On the first principal component of ST-T over the good leads, one trace in which all of them speak.

    Args:
        beat: levelled on PQ.
    """
    begin = qrs[1] + round(T_AFTER_J_S * fs)
    end = min(beat.beat_mv.shape[1], beat.r_index + round(0.62 * rr_s * fs))
    if end - begin < round(0.06 * fs):
        return None
    weights = _first_component(beat.beat_mv, good, slice(begin, end))
    trace = uniform_filter1d(weights @ beat.beat_mv, max(1, round(0.02 * fs)))
    smallest = max(SMALLEST_T_MV, TIMES_NOISE * beat.standard_error_mv(weights, slice(begin, end)))
    peaks, _ = find_peaks(np.abs(trace[begin:end]), height=smallest)
    if peaks.size == 0:
        return None
    heights = np.abs(trace[begin + peaks])
    # The last of nearly equal humps: a biphasic T ends with its second phase.
    peak = begin + int(peaks[heights >= 0.6 * heights.max()][-1])
    edge = _tangent_foot(np.sign(trace[peak]) * trace[peak : peak + round(0.2 * fs)])
    if edge is None or not QT_RANGE_S[0] <= (peak + edge - qrs[0]) / fs <= QT_RANGE_S[1]:
        return None
    return Wave(peak=peak, edge=peak + edge)


def find_p(
    beat: RepresentativeBeat, good: BoolArray, qrs: tuple[int, int], t_end: int | None, *, rr_s: float, fs: float
) -> Wave | None:
    """The P wave and its onset by the tangent, or None: nothing before QRS recurs from beat to beat.

    Args:
        beat: levelled on PQ.
        t_end: keeps the T wave of the beat before out of the search.
    """
    t_before = qrs[0] - round(0.45 * rr_s * fs) if t_end is None else t_end - round((rr_s - 0.01) * fs)
    begin = max(0, qrs[0] - round(PR_RANGE_S[1] * fs), t_before)
    end = qrs[0] - round(0.006 * fs)
    if end - begin < round(PR_RANGE_S[0] * fs):
        return None
    edge_len = max(2, round(0.012 * fs))
    levelled = _between_ends(beat.beat_mv[:, begin:end], edge_len)
    weights = _first_component(levelled, good, slice(None))
    trace = weights @ levelled
    per_beat = _between_ends(np.einsum("l,bls->bs", weights, beat.windows_mv[:, :, begin:end]), edge_len)
    with np.errstate(invalid="ignore"):
        alike = np.corrcoef(trace, per_beat)[0, 1:] > ALIKE_P_CORRELATION
    if alike.mean() < ALIKE_P_SHARE:
        return None
    trace = uniform_filter1d(trace, max(1, round(0.012 * fs)))
    smallest = max(SMALLEST_P_MV, TIMES_NOISE * beat.standard_error_mv(weights, slice(begin, end)))
    peaks, _ = find_peaks(np.abs(trace), height=smallest)
    if peaks.size == 0:
        return None
    peak = int(peaks[np.argmax(np.abs(trace[peaks]))])
    foot = _tangent_foot(np.sign(trace[peak]) * trace[peak::-1])
    if foot is None or foot > begin + peak:
        return None
    onset = begin + peak - foot
    return Wave(begin + peak, onset) if PR_RANGE_S[0] <= (qrs[0] - onset) / fs <= PR_RANGE_S[1] else None


def _spatial_velocity(beat_mv: FloatArray, smoothing_s: float, fs: float) -> FloatArray:
    smooth = uniform_filter1d(beat_mv, max(1, round(smoothing_s * fs)), axis=1)
    half = max(1, round(0.004 * fs))
    velocity = np.zeros(smooth.shape[1])
    velocity[half:-half] = np.sqrt(np.sum((smooth[:, 2 * half :] - smooth[:, : -2 * half]) ** 2, axis=0))
    return velocity


def _below(velocity: FloatArray, floor: float, share: float) -> BoolArray:
    return np.asarray(velocity < floor + share * (velocity[0] - floor))


def _first_rest(quiet: BoolArray, length: int) -> int | None:
    """Where the first run of `length` quiet samples begins."""
    if quiet.size < length:
        return None
    runs = np.convolve(quiet, np.ones(length), "valid") > length - 0.5
    return int(np.argmax(runs)) if runs.any() else None


def _between_ends(traces_mv: FloatArray, edge_len: int) -> FloatArray:
    """(..., n) less the line from the mean of its first to the mean of its last edge_len samples."""
    first = traces_mv[..., :edge_len].mean(axis=-1, keepdims=True)
    last = traces_mv[..., -edge_len:].mean(axis=-1, keepdims=True)
    return np.asarray(traces_mv - first - (last - first) * np.linspace(0.0, 1.0, traces_mv.shape[-1]))


def _first_component(beat_mv: FloatArray, good: BoolArray, span: slice) -> FloatArray:
    """(12,) unit weights of the direction in which the good leads move most; zero for the other leads."""
    weights = np.zeros(beat_mv.shape[0])
    weights[good] = np.linalg.svd(beat_mv[good, span], full_matrices=False)[0][:, 0]
    return weights


def _tangent_foot(falling: FloatArray) -> int | None:
    """A trace falls from its first sample, a peak; where the tangent at its steepest fall meets zero."""
    below_half = np.flatnonzero(falling < 0.5 * falling[0])
    if below_half.size == 0:
        return None
    slope = np.gradient(falling)
    turns = np.flatnonzero(slope[below_half[0] :] >= 0)
    stop = below_half[0] + (int(turns[0]) if turns.size else falling.size - below_half[0])
    steepest = int(np.argmin(slope[: max(2, stop)]))
    if slope[steepest] >= 0:
        return None
    return max(1, round(float(steepest - falling[steepest] / slope[steepest])))

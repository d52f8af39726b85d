"""In: twelve leads at their native fs. Out: the heartbeats in them, and one representative beat with its noise."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator
from scipy.ndimage import maximum_filter1d
from scipy.signal import butter, sosfiltfilt

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BEFORE_R_S = 0.42
AFTER_R_S = 0.70
# What is compared between beats: QRS and the first part of ST, before P waves and RR differences come in.
COMPARED_S = (-0.08, 0.14)
ALIKE_CORRELATION = 0.85
FEWEST_BEATS = 3
SMALLEST_DOMINANT_SHARE = 0.4
# Shorter than NeuroKit's 0.3 s, which would halve any rate above 200 beats a minute.
REFRACTORY_S = 0.22
# In long pauses the detector's threshold sinks and noise passes; an ectopic beat is never this small.
LOWEST_BEAT_SHARE = 0.25
# Where QRS is strong and a tall, late T wave weak; without it the detector counts such T waves as beats.
QRS_BAND_HZ = (8.0, 30.0)


@dataclass(frozen=True)
class Beats:
    """All heartbeats of a record, and which of them have the dominant shape.

    r_samples: (n_beats,) sample of each R peak (the peak of the vector magnitude), ascending.
    dominant: (n_beats,) True where the beat has the commonest shape; ectopic and half recorded beats are False.
    """

    r_samples: IntArray
    dominant: NDArray[np.bool_]


@dataclass(frozen=True)
class RepresentativeBeat:
    """The median of the dominant beats, and those beats.

    beat_mv: (12, n) mV, sample `r_index` is the R peak.
    windows_mv: (n_averaged, 12, n) mV, the beats it is the median of.
    """

    beat_mv: FloatArray
    windows_mv: FloatArray
    r_index: int

    def standard_error_mv(self, weights: FloatArray, span: slice) -> float:
        """Standard error of weights @ beat_mv over `span`: what differs from beat to beat, less averaging.

        From the median absolute residual, or a few ectopic P waves and one jerk of an arm would hide every wave.
        1.4826 makes it a standard deviation; 1.25 = sqrt(pi / 2) is what a median of normal values loses to their mean.
        """
        residual_mv = np.einsum("l,bls->bs", weights, self.windows_mv[:, :, span] - self.beat_mv[:, span])
        spread_mv = 1.4826 * float(np.median(np.abs(residual_mv)))
        return 1.25 * spread_mv / float(np.sqrt(self.windows_mv.shape[0] - 1))


def find_beats(ecg_mv: FloatArray, *, fs: float) -> Beats | None:
    """The beats are known, or None: fewer than three are alike, so that nothing repeats and nothing can be measured.

    NeuroKit's detector (Makowski et al., Behav Res 2021) looks at the vector magnitude of the leads given, where R is
    upright whatever the axis. That the same shape recurs in all leads is what tells a heartbeat from noise: the
    detector alone finds "peaks" in noise too.

    Args:
        ecg_mv: (n_leads, sig_len) baseline-free mV, good leads only.
    """
    # NeuroKit takes 2.6 s to import; who only wants the types of this module does not wait for it.
    from neurokit2.ecg import ecg_findpeaks

    magnitude = qrs_magnitude(ecg_mv, fs=fs)
    # The detector ignores whatever lies within one refractory period of sample 0; half a second of mirror avoids that.
    lead_in = min(round(0.5 * fs), magnitude.size - 1)
    mirrored = np.concatenate([magnitude[lead_in:0:-1], magnitude])
    with warnings.catch_warnings():
        # It takes the mean of no lengths at all where it finds no peak; that it found none is all we need to know.
        warnings.simplefilter("ignore", category=RuntimeWarning)
        found = ecg_findpeaks(mirrored, sampling_rate=round(fs), method="neurokit", mindelay=REFRACTORY_S)
    r_samples = np.asarray(found["ECG_R_Peaks"], dtype=np.int64) - lead_in
    return beats_at(ecg_mv, magnitude, r_samples[r_samples >= 0], fs=fs)


def qrs_magnitude(ecg_mv: FloatArray, *, fs: float) -> FloatArray:
    """(n_leads, sig_len) -> (sig_len,) length of the vector of all leads in the band where QRS is strong."""
    return np.asarray(np.sqrt(np.sum(sosfiltfilt(_qrs_band(float(fs)), ecg_mv, axis=1) ** 2, axis=0)))


def beats_at(ecg_mv: FloatArray, magnitude: FloatArray, r_samples: IntArray, *, fs: float) -> Beats | None:
    """Which of the peaks that a detector found in `magnitude` are beats, aligned; None as in `find_beats`."""
    first, last = (round(limit * fs) for limit in COMPARED_S)
    whole = (r_samples + first >= 0) & (r_samples + last <= magnitude.size)
    if whole.sum() < FEWEST_BEATS:
        return None
    r_samples = r_samples.copy()
    r_samples[whole] = _align(magnitude, r_samples[whole], first, last, reach=round(0.03 * fs))
    whole = (r_samples + first >= 0) & (r_samples + last <= magnitude.size)
    windows = _cut(ecg_mv, r_samples[whole] + first, last - first)
    windows = windows - windows.mean(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        alike = np.corrcoef(windows.reshape(windows.shape[0], -1)) > ALIKE_CORRELATION
    commonest = alike[np.argmax(alike.sum(axis=1))]
    if commonest.sum() < max(FEWEST_BEATS, SMALLEST_DOMINANT_SHARE * whole.sum()):
        return None
    dominant = np.zeros(r_samples.size, dtype=bool)
    dominant[np.flatnonzero(whole)[commonest]] = True
    # Of the whole signal, not of the QRS band, in which a slow ectopic beat is small.
    extent = maximum_filter1d(np.sqrt(np.sum(ecg_mv**2, axis=0)), round(0.12 * fs))
    height = extent[np.minimum(r_samples, magnitude.size - 1)]
    is_beat = dominant | (height > LOWEST_BEAT_SHARE * np.median(height[dominant]))
    return Beats(r_samples[is_beat], dominant[is_beat])


def representative_beat(ecg_mv: FloatArray, beats: Beats, *, fs: float) -> RepresentativeBeat:
    """One beat stands for the record: the sample-wise median over the dominant beats.

    Args:
        ecg_mv: (12, sig_len) mV.
    """
    before, after = round(BEFORE_R_S * fs), round(AFTER_R_S * fs)
    r_samples = beats.r_samples[beats.dominant]
    complete = (r_samples >= before) & (r_samples + after <= ecg_mv.shape[1])
    if complete.sum() >= FEWEST_BEATS:
        r_samples = r_samples[complete]
    windows = _cut(np.pad(ecg_mv, ((0, 0), (before, after)), mode="edge"), r_samples, before + after)
    return RepresentativeBeat(np.median(windows, axis=0), windows, r_index=before)


def level_on_pq(ecg_mv: FloatArray, beats: Beats, pq_s: tuple[float, float], *, fs: float) -> FloatArray:
    """The PQ level of each dominant beat is zero and the line between them smooth: the reference of every ST value.

    After Meyer & Keiser (Comput Biomed Res 1977;10:459), with Akima's curve, which does not swing where an ectopic
    beat leaves out a knot. On top of the 0.5 Hz high-pass: under breathing of 0.1 to 0.6 mV the mean error of ST is
    0.002 mV with both, 0.004 with the filter alone, 0.009 with the knots alone (beats of known ST).

    Args:
        ecg_mv: (12, sig_len) mV.
        pq_s: begin and end of the PQ level, seconds relative to R.
    """
    first, last = round(pq_s[0] * fs), round(pq_s[1] * fs)
    starts = beats.r_samples[beats.dominant] + first
    starts = starts[(starts >= 0) & (starts + last - first <= ecg_mv.shape[1])]
    knots = np.median(_cut(ecg_mv, starts, max(1, last - first)), axis=2)
    middles = starts + (last - first) / 2.0
    times = np.clip(np.arange(ecg_mv.shape[1]), middles[0], middles[-1])
    return np.asarray(ecg_mv - Akima1DInterpolator(middles, knots, axis=0)(times).T)


@lru_cache(maxsize=32)
def _qrs_band(fs: float) -> FloatArray:
    return np.asarray(butter(2, QRS_BAND_HZ, "bandpass", fs=fs, output="sos"))


def _cut(ecg_mv: FloatArray, starts: IntArray, length: int) -> FloatArray:
    """(n_leads, sig_len), (n,) -> (n, n_leads, length)."""
    return np.asarray(sliding_window_view(ecg_mv, length, axis=1)[:, starts].transpose(1, 0, 2))


def _align(magnitude: FloatArray, r_samples: IntArray, first: int, last: int, *, reach: int) -> IntArray:
    """Each R is moved, by `reach` at most, to where its beat correlates best with the median beat."""
    template = np.median(_cut(magnitude[None], r_samples + first, last - first)[:, 0], axis=0)
    template = template - template.mean()
    shifts = np.arange(-reach, reach + 1)
    starts = np.clip(r_samples[:, None] + first + shifts, 0, magnitude.size - (last - first))
    windows = sliding_window_view(magnitude, last - first)[starts]
    similarity = (windows @ template) / np.maximum(windows.std(axis=2), 1e-12)
    return np.asarray(r_samples + shifts[np.argmax(similarity, axis=1)])

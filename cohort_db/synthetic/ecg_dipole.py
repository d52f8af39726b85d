"""In: Gaussian waves of a moving heart dipole and beat times. Out: the twelve leads in mV, in MIMIC-IV-ECG's order.

The heart is one dipole that moves in time (X to the left, Y to the feet, Z to the back): each wave of a beat is a
Gaussian in time with a fixed direction, as in Sameni, Clifford, Jutten and Shamsollahi, "Multichannel ECG and noise
modeling", EURASIP J. Adv. Signal Process. 2007. A lead is the dipole seen from one side, so all leads agree with one
another, and I + III = II holds exactly. Written by hand because NeuroKit's multi-lead simulator takes 0.9 s a record
and violates Einthoven's law by up to 1 mV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cohort_db.synthetic.patients import BoolArray, FloatArray

Float32Array = NDArray[np.float32]

FS, SIG_LEN = 500, 5000
SIG_NAMES = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
# Leads I, II, V1 to V6 of a dipole (X, Y, Z): Dower, Machado and Osborne, "On deriving the electrocardiogram from
# vectorcardiographic leads", Clin. Cardiol. 3:87-95, 1980.
DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
# Columns of a wave.
TIME, WIDTH, X, Y, Z = range(5)
_BEFORE_R_S, _AFTER_R_S = 0.36, 0.74


def twelve_leads(independent: Float32Array) -> Float32Array:
    """Leads I, II, V1 to V6 (n, T, 8) to all in SIG_NAMES order (n, T, 12), by Einthoven's and Goldberger's laws."""
    lead_i, lead_ii = independent[..., 0], independent[..., 1]
    out = np.empty((*independent.shape[:-1], len(SIG_NAMES)), independent.dtype)
    out[..., 0], out[..., 1] = lead_i, lead_ii
    out[..., 2] = lead_ii - lead_i
    out[..., 3] = -(lead_i + lead_ii) / 2
    out[..., 4] = lead_ii - lead_i / 2  # aVF
    out[..., 5] = lead_i - lead_ii / 2  # aVL
    out[..., 6:] = independent[..., 2:]
    return out


def dipole_mv(
    waves: FloatArray, ectopic_waves: FloatArray, beat_s: FloatArray, ectopic: BoolArray, amplitude: FloatArray
) -> Float32Array:
    """The dipole (n, SIG_LEN, 3) in mV: every beat adds its waves around its R time.

    Args:
        waves, ectopic_waves: (n, W, 5), see TIME, WIDTH, X, Y, Z; seconds from the R time, mV.
        beat_s, ectopic, amplitude: (n, K), R time, whether the beat uses the ectopic waves, factor near 1.
    """
    n = len(waves)
    before, length = int(_BEFORE_R_S * FS), int((_BEFORE_R_S + _AFTER_R_S) * FS)
    offset_s = ((np.arange(length) - before) / FS).astype(np.float32)
    # A margin on both sides lets beats hang over the ends.
    padded = np.zeros((n, SIG_LEN + 2 * length, 3), np.float32)
    for k in range(beat_s.shape[1]):
        active = np.flatnonzero((beat_s[:, k] > -_AFTER_R_S) & (beat_s[:, k] < SIG_LEN / FS + _BEFORE_R_S))
        if not len(active):
            continue
        beat = np.where(ectopic[active, k, None, None], ectopic_waves[active], waves[active])
        position = beat_s[active, k] * FS
        start = np.floor(position).astype(np.int64)
        fraction_s = (position - start) / FS
        centre_s = (fraction_s[:, None] + beat[:, :, TIME]).astype(np.float32)
        scaled = (offset_s[None, None, :] - centre_s[:, :, None]) / beat[:, :, WIDTH, None].astype(np.float32)
        np.multiply(scaled, scaled, out=scaled)
        scaled *= np.float32(-0.5)
        np.exp(scaled, out=scaled)
        direction = (beat[:, :, X:] * amplitude[active, k, None, None]).astype(np.float32)
        columns = (start - before + length)[:, None] + np.arange(length)[None, :]
        padded[active[:, None], columns] += np.matmul(scaled.transpose(0, 2, 1), direction)
    return padded[:, length : length + SIG_LEN]


def leads_at(waves: FloatArray, time_s: FloatArray) -> FloatArray:
    """The twelve leads (n, 12) of one noise-free beat at a time (n,) after its R time, in mV."""
    gauss = np.exp(-0.5 * ((time_s[:, None] - waves[:, :, TIME]) / waves[:, :, WIDTH]) ** 2)
    dipole = np.einsum("nw,nwd->nd", gauss, waves[:, :, X:])
    return np.asarray(twelve_leads((dipole @ DOWER.T)[:, None, :])[:, 0])

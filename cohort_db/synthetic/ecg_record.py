"""In: ECG parameters of n patients and a random generator. Out: their ten-second records, noise included, as int16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohort_db.synthetic.ecg_classes import QRS_ONSET_S, beat_waves
from cohort_db.synthetic.ecg_dipole import DOWER, FS, SIG_LEN, Float32Array, dipole_mv, leads_at, twelve_leads
from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import BoolArray, FloatArray

ADC_GAIN = 200.0  # adu per mV, as in MIMIC-IV-ECG
_DURATION_S = SIG_LEN / FS
_MAINS_HZ = 60.0
_SHORTEST_RR_S = 0.24
_P_ECTOPIC = 0.15
_COUPLING = 0.62  # an extrasystole comes after this share of the cycle; the pause makes up for it
# At 50 records the arrays of one beat stay in the processor's cache (1,000 at once take three times as long a record).
RECORDS_AT_ONCE = 50


@dataclass(frozen=True)
class EcgRecords:
    """adu: (n, 5000, 12) in SIG_NAMES order; st_mv: (n, 12), J + 60 ms against the PR segment, without noise."""

    adu: NDArray[np.int16]
    st_mv: FloatArray


def synthesise_records(e: Values, rng: np.random.Generator, *, noise: bool = True) -> EcgRecords:
    """Records that show e: 500 Hz, 10 s, 200 adu/mV. Call with at most RECORDS_AT_ONCE patients for speed."""
    waves, ectopic_waves = beat_waves(e, rng)
    beat_s, ectopic = beat_times(e, rng)
    n, n_beats = beat_s.shape
    breath_hz, breath_phase = rng.uniform(0.18, 0.32, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    breath = np.sin(2 * np.pi * breath_hz * beat_s + breath_phase)
    amplitude = 1 + 0.035 * breath + 0.015 * rng.standard_normal((n, n_beats))
    dipole = dipole_mv(waves, ectopic_waves, beat_s, ectopic, amplitude)
    _add_fibrillation(dipole, e["af"] > 0, rng)
    independent = dipole @ DOWER.T.astype(np.float32)
    if noise:
        _add_noise(independent, breath_hz, breath_phase, rng)
    adu = np.clip(np.round(twelve_leads(independent) * ADC_GAIN), -32768, 32767).astype(np.int16)
    j60_s = QRS_ONSET_S + e["qrs_ms"] / 1000 + 0.060
    st_mv = leads_at(waves, j60_s) - leads_at(waves, np.full(n, QRS_ONSET_S - 0.008))
    return EcgRecords(adu, st_mv)


def beat_times(e: Values, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """R times (n, K) in s, from before 0 to beyond 10 s, and which beats are extrasystoles.

    The mean cycle over the strip is 60 / rate_bpm; in atrial fibrillation cycles are independent, in sinus rhythm
    they breathe.
    """
    cycle_s = 60 / e["rate_bpm"][:, None]
    n_beats = int(np.ceil(_DURATION_S * float(e["rate_bpm"].max()) / 60)) + 6
    shape = (len(cycle_s), n_beats)
    breath = np.sqrt(2) * np.sin(
        2 * np.pi * 0.25 * np.arange(n_beats) * cycle_s + rng.uniform(0, 2 * np.pi, (shape[0], 1))
    )
    sinus = 0.75 * breath + 0.66 * rng.standard_normal(shape)
    chaos = rng.standard_normal(shape)
    factor = np.exp(e["rr_cv"][:, None] * np.where(e["af"][:, None] > 0, chaos, sinus))
    in_strip = np.arange(n_beats)[None, :] < np.maximum(np.round(_DURATION_S / cycle_s), 2)
    factor = factor / ((factor * in_strip).sum(1) / in_strip.sum(1))[:, None]
    rr_s = np.maximum(cycle_s * factor, np.minimum(_SHORTEST_RR_S, cycle_s))
    ectopic = _ectopic_beats(e, cycle_s, n_beats, rng)
    stretch = np.where(ectopic, _COUPLING, 1.0)
    stretch[:, 1:] = np.where(ectopic[:, :-1], 2 - _COUPLING, stretch[:, 1:])
    first_s = -(1.0 + rng.random((shape[0], 1))) * cycle_s
    return first_s + np.cumsum(rr_s * stretch, axis=1), ectopic


def _ectopic_beats(e: Values, cycle_s: FloatArray, n_beats: int, rng: np.random.Generator) -> BoolArray:
    """Never two in a row, and at least one in the middle of the strip of a patient who has them."""
    has = (e["pvc"] > 0)[:, None]
    ectopic = has & (rng.random((len(cycle_s), n_beats)) < _P_ECTOPIC)
    certain = np.round(rng.uniform(3, 7, (len(cycle_s), 1)) / cycle_s) + 2
    ectopic |= has & (np.arange(n_beats)[None, :] == np.minimum(certain, n_beats - 3))
    for k in range(1, n_beats):
        ectopic[:, k] &= ~ectopic[:, k - 1]
    return ectopic


def _add_fibrillation(dipole: Float32Array, af: BoolArray, rng: np.random.Generator) -> None:
    """f waves of 5 to 7.5 Hz that wax and wane, largest in V1 and visible in II."""
    n = int(af.sum())
    if not n:
        return
    t = np.arange(SIG_LEN, dtype=np.float32) / FS
    hz, wobble = rng.uniform(5, 7.5, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    phase = (2 * np.pi * hz * t + 1.2 * np.sin(2 * np.pi * 0.6 * t + wobble)).astype(np.float32)
    size = rng.uniform(0.04, 0.075, (n, 1)) * (1 + 0.35 * np.sin(2 * np.pi * 0.35 * t + 2 * wobble))
    wave = (size * (np.sin(phase) + 0.35 * np.sin(2 * phase + 0.7))).astype(np.float32)
    dipole[af, :, 2] -= wave
    dipole[af, :, 1] += np.float32(0.6) * np.roll(wave, 12, axis=1)


def _add_noise(
    independent: Float32Array, breath_hz: FloatArray, breath_phase: FloatArray, rng: np.random.Generator
) -> None:
    """Muscle noise of some microvolts, baseline wander with breathing and slow drift, a trace of mains hum."""
    n, _, n_leads = independent.shape
    t = (np.arange(SIG_LEN) / FS)[None, :]
    muscle_mv = rng.uniform(0.004, 0.011, (n, 1, 1)).astype(np.float32)
    independent += muscle_mv * rng.standard_normal(independent.shape, dtype=np.float32)
    shapes = np.stack(
        [
            np.sin(2 * np.pi * breath_hz * t + breath_phase),
            np.sin(2 * np.pi * 0.06 * t + 3 * breath_phase),
            np.sin(2 * np.pi * _MAINS_HZ * t + np.zeros((n, 1))),
        ],
        axis=-1,
    ).astype(np.float32)
    sizes = np.stack(
        [
            rng.uniform(-0.03, 0.03, (n, n_leads)),
            rng.uniform(-0.03, 0.03, (n, n_leads)),
            rng.uniform(0, 0.004, (n, 1)) * rng.uniform(0.5, 1, (n, n_leads)),
        ],
        axis=1,
    ).astype(np.float32)
    independent += np.matmul(shapes, sizes)

"""Planting: a filter bank whose later levels provably lose a band, and the level that k* then must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lemof_core.level_importance import best_level, mean_abs_phi
from lemof_core.logistic import fit_logistic

FS = 100
BANDS_HZ = {1: (20.0, 40.0), 2: (4.0, 10.0), 3: (0.5, 2.0)}  # QRS detail, ST-T shape, rhythm
TONES_HZ = {1: 30.0, 2: 7.0, 3: 1.2}


def planted_signals(planted: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return signals (n, 1000) with a tone of random amplitude in each band, and labels that know one amplitude."""
    seconds = np.arange(1000) / FS
    amplitude = {level: rng.uniform(0.2, 1.0, n) for level in BANDS_HZ}
    signal = 0.1 * rng.normal(size=(n, 1000))
    for level, tone in TONES_HZ.items():
        phase = rng.uniform(0, 2 * np.pi, (n, 1))
        signal += amplitude[level][:, None] * np.sin(2 * np.pi * tone * seconds + phase)
    label = rng.random(n) < expit(6 * (amplitude[planted] - 0.6))
    return signal, label.astype(float)


def filter_bank(signal: np.ndarray, level: int) -> np.ndarray:
    """Return (n, 10): the level's band power in each second. What the band does not pass, the level cannot know."""
    passed = sosfiltfilt(butter(4, BANDS_HZ[level], "bandpass", fs=FS, output="sos"), signal, axis=1)
    return np.log((passed**2).reshape(len(signal), 10, 100).mean(2) + 1e-6)


def test_later_levels_have_lost_the_band() -> None:
    seconds = np.arange(1000) / FS
    for level, tone in TONES_HZ.items():
        power = {k: np.exp(filter_bank(np.sin(2 * np.pi * tone * seconds)[None], k)).mean() for k in BANDS_HZ}
        assert all(power[level] > 50 * power[other] for other in BANDS_HZ if other != level), power


@pytest.mark.parametrize("planted", [1, 2, 3])
def test_k_star_is_the_planted_level(planted: int) -> None:
    rng = np.random.default_rng(planted)
    signal, y = planted_signals(planted, 1200, rng)
    learn, held = np.arange(600), np.arange(600, 1200)
    logits = []
    for level in BANDS_HZ:
        features = filter_bank(signal, level)
        head = LogisticRegression(C=0.1).fit(features[learn], y[learn])
        logits.append(head.decision_function(features[held]))
    levels = np.stack(logits, axis=1)
    g = fit_logistic(levels, y[held], inputs=("1", "2", "3"), nonnegative=True, penalty=10.0)
    assert best_level(mean_abs_phi(g, levels)) == planted

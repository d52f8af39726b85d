"""Planting: a filter bank whose later levels provably lose a band, and the level that k* then must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lemof_core.config import preset
from lemof_core.decision import PORTS, fit_decision
from lemof_core.fitting.pair_choice import choose_pair
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["robust", "paper"])
def test_a_runs_own_decision_finds_the_planted_level_of_both_modalities_in_57_of_60_draws(name: str) -> None:
    """With each preset's own link and penalties, chosen by cross-validation as in a run."""
    config, rng, found = preset(name).decision, np.random.default_rng(7), 0
    for draw in range(60):
        planted = (1 + draw % 3, 1 + draw // 3 % 3)
        signals = rng.normal(size=(2, 900))
        y = (rng.random(900) < expit(0.8 * signals.sum(0))).astype(float)
        ports = []
        for signal, level in zip(signals, planted, strict=True):
            of_levels = 0.5 * signal[:, None] + np.sqrt(0.75) * rng.normal(size=(900, 3))  # decoys, correlated at 0.5
            of_levels[:, level - 1] = signal
            ports.append(0.8 * of_levels)
        decision = fit_decision(np.hstack(ports), y, np.arange(900) % 5, path="m1", config=config)
        found += (decision.k_star["ecg"], decision.k_star["ehr"]) == planted
    assert PORTS["m1"][:3] == ("ecg_1", "ecg_2", "ecg_3") and found >= 57, f"found {found} of 60"


@pytest.mark.parametrize("strength", [0.0, 1.5])
def test_what_reads_both_modalities_at_once_helps_exactly_where_a_cross_modal_term_was_planted(strength: float) -> None:
    rng = np.random.default_rng(3)
    ecg, ehr = rng.normal(size=(2, 3000))
    y = (rng.random(3000) < expit(0.7 * ecg + 0.7 * ehr + strength * ecg * ehr)).astype(float)
    learn, held = np.arange(1000), np.arange(1000, 3000)

    def port(*columns: np.ndarray) -> np.ndarray:
        """What a model of these columns, learnt elsewhere, says of the held rows."""
        x = np.stack(columns, axis=1)
        return LogisticRegression().fit(x[learn], y[learn]).decision_function(x[held])

    first = port(ecg, ehr)
    choice = choose_pair(first, {(1, 1): port(ecg, ehr, ecg * ehr)}, y[held], n_draws=20, seed=0)
    gain = choice.gains[1, 1]  # log-loss of Module 1 less that of both
    assert gain > 0.05 if strength else abs(gain) < 0.002, gain
    for alone in (ecg, ehr):  # neither modality's share in the interaction can be had by itself
        squared = choose_pair(first, {(1, 1): port(alone, alone**2)}, y[held], n_draws=20, seed=0)
        assert abs(squared.gains[1, 1]) < 0.005

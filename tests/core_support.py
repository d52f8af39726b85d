"""A small made-up cohort with signal in both modalities, and models fitted on it in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig, preset
from lemof_core.fitting.fit import fit
from lemof_core.fusion.lemof import LemofModel

N = 200
PARTS = {"train": (0, 90), "val": (90, 105), "meta": (105, 135), "cal": (135, 165), "test": (165, 200)}


def made_up_cohort(n: int = N, *, seed: int = 0, n_series: int = 6, ecg_share: float = 0.85) -> CohortArrays:
    """Return n samples whose label depends on the first series and on the ECG's R amplitude."""
    rng = np.random.default_rng(seed)
    severity, amplitude = rng.normal(size=n), rng.uniform(0.3, 1.2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-(1.5 * severity + 3 * (amplitude - 0.75))))).astype(np.float32)
    series = rng.normal(size=(n, n_series, 24)).astype(np.float32)
    series[:, 0] += 2 * severity[:, None]
    series[rng.random(series.shape) < 0.6] = np.nan
    seconds = np.arange(1000) / 100
    beats = np.maximum(np.sin(2 * np.pi * 1.2 * seconds), 0) ** 15
    ecg = amplitude[:, None, None] * beats * 800 + rng.normal(size=(n, 12, 1000)) * 20
    present = rng.random(n) < ecg_share
    ecg[~present] = 0
    aux = np.where(present[:, None], rng.normal(size=(n, 3)) * 0.3 + amplitude[:, None], np.nan)
    return CohortArrays(
        sample_ids=tuple(f"los-{30_000_000 + row}" for row in range(n)),
        subject_ids=np.arange(n) + 10_000_000,
        ecg_uv=ecg.astype(np.int16),
        ecg_present=present,
        series=series,
        static=rng.normal(size=(n, 2)).astype(np.float32),
        labels=labels,
        aux=aux.astype(np.float32),
        series_names=tuple(f"series_{index}" for index in range(n_series)),
        static_names=("age", "sex"),
        aux_names=("r_mv", "rate", "st"),
    )


def parts() -> dict[str, np.ndarray]:
    """Return the rows of each split of the made-up cohort."""
    return {name: np.arange(low, high) for name, (low, high) in PARTS.items()}


def quick(name: str = "robust", **changes: Any) -> RunConfig:
    """Return a preset that fits in a second or two."""
    config = preset(name)
    pretrain = min(config.ecg_training.pretrain_epochs, 1)
    return replace(
        config,
        n_folds=2,
        ecg_training=replace(config.ecg_training, max_epochs=2, pretrain_epochs=pretrain, patience=2),
        ehr_training=replace(config.ehr_training, max_epochs=2, patience=2),
        cross=replace(config.cross, max_epochs=1, d=8),
        net=replace(config.net, max_epochs=2, d=8),
        tuning=replace(config.tuning, max_epochs=1),
        decision=replace(config.decision, n_bootstrap=8, n_background=32, n_input_background=4),
        **changes,
    )


@cache
def fitted(name: str = "robust") -> LemofModel:
    """Return the made-up cohort's model, fitted once a process."""
    return fit(made_up_cohort(), parts(), quick(name))

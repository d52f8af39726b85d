"""What data are made of in; the warnings that must stand beside every number drawn from them, as words, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def data_warnings(synthetic: bool, surrogate: bool, run: Mapping[str, Any] | None = None) -> list[str]:
    """The warnings of the banner, the gravest first: synthetic patients, other hearts, a model fitted on such."""
    warnings = []
    if synthetic:
        warnings.append("Synthetic data: no real patient")
    if surrogate:
        warnings.append("Surrogate ECG waveforms: other people's hearts")
    if run is not None and run["synthetic"] and not synthetic:
        warnings.append("This model was fitted on synthetic patients")
    return warnings


def worth_of_numbers(run: Mapping[str, Any], datasets: pd.DataFrame) -> str:
    """What performance on such data can mean, in a sentence; nothing for real patients with their own ECGs."""
    if bool(datasets["synthetic"].any()):
        return "Synthetic patients: these numbers show that the software works, and nothing about real patients."
    if bool(datasets["surrogate_ecg"].any()) or run["surrogate_ecg"]:
        return "The ECGs are other people's: these numbers show that the software works, and nothing about patients."
    if run["synthetic"]:
        return "The model was fitted on synthetic patients: on real ones these numbers are a test of transfer only."
    return ""

"""Attributions of single variables in, of what a clinician weighs as one fact out. Pure.

Three parts of the coma scale, or three pressures of one cuff, are one fact: told apart they would share its weight, and
three reasons would say one thing thrice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.queries_case import Explained

ECG = "ecg"
# Fact -> (how it is called, its variables).
FACTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gcs": ("Glasgow coma scale", ("gcs_eye", "gcs_verbal", "gcs_motor")),
    "blood_pressure": ("Blood pressure", ("map", "sbp", "dbp")),
    "haemoglobin": ("Red cells", ("hemoglobin", "hematocrit")),
    "kidney": ("Kidney function", ("creatinine", "urea_nitrogen")),
    "acid_base": ("Acid-base", ("ph", "bicarbonate", "base_excess", "anion_gap")),
    "unit": ("Care unit", ("unit_cardiac", "unit_surgical", "unit_neuro")),
}
_FACT_OF = {variable: fact for fact, (_, variables) in FACTS.items() for variable in variables}


def grouped(explained: Explained, effect: Mapping[str, Any] | None = None) -> dict[str, float]:
    """Return fact -> log-odds: each of FACTS, each variable that is of none, and "ecg".

    The ECG's is its Shapley value of `input_phi`, against other patients' ECGs, where `effect` holds it: its saliency
    sums to what it does against a flat line, which no patient has, and would contradict what the ECG contributed.
    """
    parts: dict[str, float] = {}
    for name, value in explained.features.items():
        fact = _FACT_OF.get(name, name)
        parts[fact] = parts.get(fact, 0.0) + value
    if effect is not None:
        parts[ECG] = phi_ecg(effect)
    elif explained.saliency is not None:
        parts[ECG] = float(explained.saliency.sum())
    return parts


def members(fact: str, features: Mapping[str, float]) -> list[str]:
    """Return the variables of a fact that the run attributes to, the strongest first; a variable is its own."""
    own = FACTS[fact][1] if fact in FACTS else (fact,)
    return sorted((name for name in own if name in features), key=lambda name: -abs(features[name]))


def phi_ecg(effect: Mapping[str, Any]) -> float:
    """Return the Shapley value of the ECG among the two raw modalities, log-odds."""
    none, ecg, ehr, both = (float(effect[name]) for name in ("v_none", "v_ecg", "v_ehr", "v_both"))
    return 0.5 * (ecg - none + both - ehr)

"""A scored case in, the reasons for which no recommendation may be made of its prediction out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.skill import Skill

OUTSIDE = 0.01  # typical_* below it: as unusual as 1 in 100 calibration patients (lemof_core.typicality.OUTSIDE)
MOST_BAD_LEADS = 6  # of twelve; with more flagged the ECG is of poor signal
_BAD = frozenset({"missing", "flat", "saturated", "noisy"})
_MODALITY = {"ecg": "The ECG", "ehr": "The health record"}


def reasons_to_abstain(
    prediction: Mapping[str, Any],
    quality: Mapping[str, Sequence[str]] | None,
    skill: Skill,
    labels: Mapping[str, str],
) -> list[str]:
    """Return one sentence a reason; none where the prediction may stand.

    Args:
        prediction: path, typical_ecg, typical_ehr, unusual.
        quality: lead -> flags of the ECG that was read; None without one.
        labels: variable -> how the field calls it.
    """
    reasons = []
    if skill.none:
        reasons.append(f"This run cannot tell patients apart: {skill.words}.")
    bad = [lead for lead, flags in (quality or {}).items() if _BAD & set(flags) and "derived" not in flags]
    if prediction["path"] == "both" and len(bad) >= MOST_BAD_LEADS:
        reasons.append(f"Poor signal: {len(bad)} of 12 leads are lost or noisy ({', '.join(bad)}).")
    for modality, name in _MODALITY.items():
        typical = prediction.get(f"typical_{modality}")
        was_read = modality == "ehr" or prediction["path"] == "both"
        if not was_read or typical is None or pd.isna(typical) or typical >= OUTSIDE:
            continue
        reasons.append(f"{name} lies outside what the model was fitted on{_named(prediction, modality, labels)}.")
    return reasons


def _named(prediction: Mapping[str, Any], modality: str, labels: Mapping[str, str]) -> str:
    """Return what lies furthest out: ": mostly Lactate (41 % of the distance)"."""
    own = [(name, share) for of, name, share in prediction.get("unusual") or [] if of == modality]
    if not own:
        return ""
    told = ", ".join(f"{labels.get(name, _plain(name))} ({100 * share:.0f} % of the distance)" for name, share in own)
    return f": mostly {told}"


def _plain(name: str) -> str:
    """Return a measured quantity of an ECG in words: st60 V2 for st60_V2_mv."""
    return name.removesuffix("_mv").removesuffix("_ms").removesuffix("_bpm").replace("_", " ")

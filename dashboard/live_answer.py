"""A LiveResult and what it was asked for in, the JSON that a reader keeps out: nothing of it stays on the server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from dashboard.live_form import Asked
from dashboard.wording import RESEARCH_USE
from lemof_core.live import LiveResult


def answer_json(result: LiveResult, asked: Asked, run: Mapping[str, Any]) -> str:
    """Return the answer with what was read and every remark that stood beside it; numbers unrounded, no NaN."""
    features = result.axes["feature_attribution"]["feature"]
    attributed = result.arrays["feature_attribution"].astype(float).tolist()
    case = asked.case
    charted = zip(case.variable, case.offset_s.tolist(), case.value.tolist(), strict=True)
    document = {
        "remark": RESEARCH_USE,
        "run": {name: run[name] for name in ("run_id", "task", "t0_hours", "cut_hours")},
        "patient": asked.name,
        "read": {
            "ecg": dict(asked.ecg_facts) or None,
            "static": case.static,
            "values": [{"variable": name, "hours": at / 3600, "value": value} for name, at, value in charted],
            "given": result.given,
        },
        "prediction": result.prediction,
        "calibration": result.calibration,
        "input_effect": result.input_effect,
        "branch_values": result.branch_values,
        "level_scores": result.level_scores,
        "feature_attribution": dict(zip(features, attributed, strict=True)),
        "measurements": result.measurements,
        "quality": result.quality,
        "notes": [*asked.warnings, *result.notes],
    }
    return json.dumps(_plain(document), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return the value with null for what is not a number: JSON has no word for it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

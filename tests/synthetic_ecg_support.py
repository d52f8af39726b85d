"""What the generator of ECGs is asked for in tests: a normal heart, with what the test is about changed."""

from __future__ import annotations

import numpy as np

from cohort_db.synthetic.ecg_parameters import ECG_FLAGS

N = 16


def parameters(n: int = N, **changed: float) -> dict[str, np.ndarray]:
    """A normal ECG at 72/min, with some parameters changed; PR, QRS and QT follow as in the generator."""
    e = dict.fromkeys(ECG_FLAGS, 0.0)
    e |= {"rate_bpm": 72.0, "rr_cv": 0.03, "axis_deg": 45.0, "st_mv": 0.0, "t_scale": 1.0, "notch_mv": 0.02}
    e |= {"voltage": 1.0, "qtc_ms": 415.0, "pr_ms": 160.0, "qrs_ms": 92.0} | changed
    e["qt_ms"] = e["qtc_ms"] * np.sqrt(60 / e["rate_bpm"]) + 0.8 * (e["qrs_ms"] - 92)
    return {name: np.full(n, value) for name, value in e.items()}

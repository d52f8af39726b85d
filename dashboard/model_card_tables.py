"""What a run stores of its fitting in; the small tables that the model card and the report share out, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.split_use import uses
from dashboard.threshold_paths import PATHS


def split_counts(n_by_split: dict[str, dict[str, int]], fitting: str) -> pd.DataFrame:
    """One row per split that the run was fitted with: n, long stays, with an ECG, and what it was used for."""
    rows = [
        {
            "Split": name,
            "Stays": f"{n_by_split[name]['n']:,}",
            "Long": f"{n_by_split[name]['events']:,}",
            "With ECG": f"{n_by_split[name]['ecg']:,}" if "ecg" in n_by_split[name] else "–",
            "Used for": use,
        }
        for name, use in uses(fitting).items()
        if name in n_by_split
    ]
    return pd.DataFrame(rows, columns=["Split", "Stays", "Long", "With ECG", "Used for"])


def calibration_table(calibrations: pd.DataFrame) -> pd.DataFrame:
    """One row per path: what the calibrator was fitted on, its two numbers, the threshold and the bases."""
    rows: list[Any] = calibrations.to_dict("records")
    return pd.DataFrame(
        {
            "Path": PATHS.get(str(row["path"]), str(row["path"])),
            "n": f"{row['n']:,}",
            "Long": f"{row['events']:,}",
            "Slope": f"{row['slope']:.2f}",
            "Intercept": f"{row['intercept']:.2f}".replace("-", "−"),
            "Threshold": "not estimable" if pd.isna(row["threshold"]) else f"{row['threshold']:.3f}",
            "Base rate": f"{row['base_rate']:.2f}" + ("" if pd.isna(row["n_base"]) else f", n = {row['n_base']:,}"),
            "Model's mean": f"{row['base_p']:.2f}",
        }
        for row in rows
    )

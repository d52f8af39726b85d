"""The calibrations of a run in; the threshold that each stay is held against, by its path, and words for it out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.wording import probability

PATHS = {"both": "with ECG", "ehr": "without ECG"}
KEYS = {"both": "at", "ehr": "at_ehr"}  # of the sliders on /performance, and of its URL
UNTUNED = 0.5


def tuned_thresholds(calibrations: pd.DataFrame) -> dict[str, float]:
    """Path -> the cut that was tuned for it on the calibration part; a path without one is absent.

    Args:
        calibrations: the columns of `read_results.calibrations`.
    """
    rows = zip(calibrations["path"], calibrations["threshold"], strict=True)
    return {str(path): float(cut) for path, cut in rows if not pd.isna(cut)}


def start(tuned: dict[str, float], path: str) -> float:
    """The path's tuned threshold, or what stands in for it."""
    return tuned.get(path, UNTUNED)


def told(tuned: dict[str, float], path: str) -> str:
    """Where the path's threshold comes from, in a sentence."""
    if path in tuned:
        return f"Tuned on the calibration part: {tuned[path]:.3f}"
    return f"None could be tuned for stays {PATHS[path]}: {UNTUNED} stands"


def thresholds_of(paths: pd.Series, thresholds: dict[str, float]) -> np.ndarray:
    """The threshold (N,) of each stay's own path; NaN for a path without one, or an unknown path."""
    return paths.map(thresholds).to_numpy(float)


def alarms(frame: pd.DataFrame, thresholds: dict[str, float]) -> np.ndarray:
    """Which stays (N,) raise an alarm: p at or above the threshold of their path (columns p, path)."""
    return np.asarray(frame["p"].to_numpy(float) >= thresholds_of(frame["path"], thresholds))


def in_words_of(thresholds: dict[str, float]) -> str:
    """The thresholds as they are said: 0.44, or 0.44 with ECG and 0.50 without where they differ."""
    if len(set(thresholds.values())) == 1:
        return probability(next(iter(thresholds.values())))
    return f"{probability(thresholds['both'])} with ECG and {probability(thresholds['ehr'])} without"

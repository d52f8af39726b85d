"""Outcomes and probabilities in, the points of the ROC and of the precision-recall curve out, few enough to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

MOST_POINTS = 400  # of one line: more are not seen and only weigh


def roc_points(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """One row per point: false (1 - specificity) and true (sensitivity), from corner to corner."""
    false, true, _ = roc_curve(y, p)
    return _thinned(pd.DataFrame({"false": false, "true": true}))


def precision_recall_points(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """One row per point: recall (sensitivity) and precision (PPV), recall falling."""
    precision, recall, _ = precision_recall_curve(y, p)
    return _thinned(pd.DataFrame({"recall": recall, "precision": precision}))


def _thinned(points: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_POINTS of the rows, evenly by their order, the ends among them."""
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).round().astype(int))
    return points.iloc[kept].reset_index(drop=True)

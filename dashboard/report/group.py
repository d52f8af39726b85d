"""A group's predictions in, its metrics out, in the columns and by the very functions of `lemof evaluate`.

A whole split has stored metrics, and a report shows those. A chosen group of samples has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dashboard.threshold_paths import thresholds_of
from lemof_core.evaluation.metrics import draws_while_waiting
from lemof_core.evaluation.stratified import stratified


def group_metrics(
    frame: pd.DataFrame, thresholds: Mapping[str, float], n_by_split: Mapping[str, Mapping[str, int]]
) -> pd.DataFrame:
    """The metrics of a group of samples: what `read_results.metrics` gives of a split.

    Args:
        frame: the columns of `read_analysis.analysed`.
        thresholds: path -> its tuned cut; a path without one is absent.
        n_by_split: of the run.
    """
    cuts = thresholds_of(frame["path"], dict(thresholds))
    rows = stratified(frame, cuts, n_by_split, n_draws=draws_while_waiting(len(frame)))
    return pd.DataFrame(rows).astype({"value": float, "lo": float, "hi": float})

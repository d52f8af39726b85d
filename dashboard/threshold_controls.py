"""Predictions and tuned thresholds in; each path's threshold, the cost of a miss and the share of long stays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.threshold_paths import KEYS, PATHS, start, told
from lemof_core.evaluation.prevalence import class_weights

URL: dict[str, Any] = {"bind": "query-params"}


@dataclass(frozen=True)
class Asked:
    """What the reader set: path -> threshold, the cost of a miss in false alarms, long stays per 100 or None."""

    thresholds: dict[str, float]
    ratio: float
    long_of_100: float | None

    def class_weights(self, labels: pd.Series) -> tuple[float, float]:
        """What each long stay and each other one of these counts for in the ward asked for; 1 and 1 as here."""
        share = labels.mean()
        if self.long_of_100 is None or not 0 < share < 1:
            return 1.0, 1.0
        return class_weights(float(share), self.long_of_100 / 100)

    def ratio_here(self, labels: pd.Series) -> float:
        """The cost ratio that asks of these stays, unweighted, what `ratio` asks of the ward."""
        of_long, of_other = self.class_weights(labels)
        return self.ratio * of_long / of_other


def ask(frame: pd.DataFrame, tuned: dict[str, float]) -> Asked:
    """Draw the threshold of each path that somebody is on, what a miss costs, and the share of long stays."""
    keys = {path: key for path, key in KEYS.items() if (frame["path"] == path).any()}
    thresholds = {}
    *sliders, cost, share = st.columns([3] * len(keys) + [2.4, 2], gap="medium", vertical_alignment="bottom")
    for column, (path, key) in zip(sliders, keys.items(), strict=True):
        label, value = f"Threshold {PATHS[path]}", start(tuned, path)
        thresholds[path] = float(column.slider(label, 0.0, 1.0, value, 0.01, key=key, help=told(tuned, path), **URL))
    ratio = cost.number_input(
        "A miss costs (false alarms)",
        0.1,
        100.0,
        1.0,
        0.5,
        "%.1f",
        key="cost",
        help="A missed long stay costs as much as this many false alarms",
        **URL,
    )
    long_of_100 = share.number_input(
        "Long stays per 100",
        0.1,
        99.9,
        None,
        1.0,
        "%.1f",
        key="prevalence",
        placeholder="as here",
        help="Re-weights PPV, NPV, alarms and costs for a ward with another share of long stays; empty: as here",
        **URL,
    )
    return Asked(thresholds, float(ratio), long_of_100)

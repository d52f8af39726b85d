"""Stored metrics in; what each branch reaches alone, and this store's test beside the run's own, drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.forest import forest
from dashboard.queries_performance import Gain
from dashboard.stored_metrics import one_metric
from dashboard.strata import COLUMNS, branch_rows
from dashboard.strata_panel import PLAIN
from dashboard.wording import estimate, signed


def draw_branches(found: pd.DataFrame, gain: Gain | None) -> None:
    """The inner predictions and the whole model stand on one axis, on samples with both modalities, with a verdict.

    Args:
        gain: of the same samples; None where they are not at hand.
    """
    rows = branch_rows(found)
    if rows.empty:
        st.info("The inner predictions were not evaluated: they need samples with an ECG and a health record.")
        return
    st.subheader(_verdict(gain))
    figure = forest(rows, x_title="AUROC", reference=0.5, at_most=(0.0, 1.0))
    st.plotly_chart(figure, key="chart-branches", alt="AUROC of each inner prediction and of the whole model", **PLAIN)
    st.caption(
        "Only stays with both modalities, so that the rows can be compared. Inner predictions are not calibrated on "
        "their own; AUROC does not need that."
        + ("" if gain is None else " The difference to the late mean by DeLong's interval, by patient.")
    )


def _verdict(gain: Gain | None) -> str:
    """Whether the model beats the plain means, in a sentence with the paired difference."""
    if gain is None:
        return "What each part reaches alone, and what the whole model adds"
    if gain.difference is None:
        return f"Whether the model beats a plain mean is not estimable, n = {gain.n}, {gain.events} long"
    value, low, high = gain.difference
    said = f"{signed(value)} {_signed_interval(low, high)} AUROC, n = {gain.n:,}"
    if low > 0:
        return f"The model beats the late mean of its modalities: {said}"
    if high < 0:
        return f"The late mean of the modalities beats the model: {said}"
    return f"No clear difference between the model and the late mean of its modalities: {said}"


def _signed_interval(low: float, high: float) -> str:
    return f"[{signed(low)} to {signed(high)}]"


def beside_held_out(here: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """One row per metric: this store's test beside the test that the run brought with it, each with its n."""
    rows = []
    for name, title in COLUMNS.items():
        one, brought = one_metric(here, name), one_metric(own, name)
        if one is None and brought is None:
            continue
        rows.append(
            {
                "Metric": title,
                _head("This store", here): _number(one),
                _head("The run's own test", own): _number(brought),
            }
        )
    return pd.DataFrame(rows)


def _head(words: str, found: pd.DataFrame) -> str:
    overall = one_metric(found, "auroc")
    return f"{words}, n = {overall['n']:,}" if overall else words


def _number(one: dict[str, Any] | None) -> str:
    if one is None:
        return "not evaluated"
    return estimate(one["value"], one["lo"], one["hi"])

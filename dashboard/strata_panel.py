"""Stored metrics in; the forest plot and table by stratum, and what each branch adds, drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.auroc import difference
from dashboard.charts.forest import forest
from dashboard.queries_results import one_metric
from dashboard.strata import (
    COLUMNS,
    EVERYBODY,
    KINDS,
    branch_rows,
    floors_in_words,
    not_estimable,
    strata_rows,
    strata_table,
)
from dashboard.wording import estimate, signed

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


def draw_strata(found: pd.DataFrame, deaths: str, n_by_split: dict[str, dict[str, int]]) -> None:
    """The strata of the kind that is chosen stand as a forest plot with a table below.

    Args:
        n_by_split: of the run.
    """
    kind = st.segmented_control(
        "By",
        list(KINDS),
        format_func=KINDS.__getitem__,
        default="disease",
        key="by",
        bind="query-params",
        required=True,
    )
    rows = strata_rows(found, kind or "disease", deaths=deaths)
    gaps = not_estimable(rows[rows["label"] != EVERYBODY])
    gap = f", {gaps} of {len(rows) - 1} groups not estimable" if gaps else ""
    st.markdown(f"**AUROC by {KINDS[kind or 'disease'].lower()}{gap}**")
    overall = one_metric(found, "auroc", deaths=deaths)
    at = overall["value"] if overall and overall["value"] == overall["value"] else None
    figure = forest(rows, x_title="AUROC", reference=0.5, overall=at, at_most=(0.0, 1.0))
    st.plotly_chart(figure, key="chart-strata", alt=f"AUROC by {kind}, {len(rows)} rows, in the table below", **PLAIN)
    retrospective = "Groups are coded at discharge and overlap. " if kind == "disease" else ""
    st.caption(
        f"{retrospective}Solid line: chance. Dotted: all stays. 95 % intervals by patient bootstrap, not adjusted for "
        "the number of groups: of twenty, one misses by chance. Below 5 stays of a class nothing is estimated."
    )
    table = strata_table(found, kind or "disease", deaths=deaths)
    st.dataframe(table, hide_index=True, key="table-strata", height=35 * (len(table) + 1) + 3)
    tuned = one_metric(found, "acc_tuned", deaths=deaths)
    why = f" Of all stays: {tuned['note']}." if tuned and tuned["note"] else ""
    st.caption(f"Tuned: each stay at the threshold of its own path.{why} {floors_in_words(n_by_split)}")


def draw_branches(found: pd.DataFrame, known: pd.DataFrame | None) -> None:
    """The inner predictions and the whole model stand on one axis, on samples with both modalities, with a verdict.

    Args:
        known: predictions with ports of the same samples, for the paired differences; None where they are not at hand.
    """
    rows = branch_rows(found)
    if rows.empty:
        st.info("The inner predictions were not evaluated: they need samples with an ECG and a health record.")
        return
    st.subheader(_verdict(known))
    figure = forest(rows, x_title="AUROC", reference=0.5, at_most=(0.0, 1.0))
    st.plotly_chart(figure, key="chart-branches", alt="AUROC of each inner prediction and of the whole model", **PLAIN)
    st.caption(
        "Only stays with both modalities, so that the rows can be compared. Inner predictions are not calibrated on "
        "their own; AUROC does not need that."
    )


def _verdict(known: pd.DataFrame | None) -> str:
    """Whether the model beats the plain means, in a sentence with the paired difference."""
    if known is None:
        return "What each part reaches alone, and what the whole model adds"
    paired = known[known["path"] == "both"]
    levels = paired[["ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3"]].to_numpy(float)
    y, p, subjects = paired["label"].to_numpy(), paired["p"].to_numpy(), paired["subject_id"].to_numpy()
    found = difference(y, p, levels[:, [2, 5]].mean(1), subjects) if len(paired) else None
    if found is None:
        return f"Whether the model beats a plain mean is not estimable, n = {len(paired)}, {int(y.sum())} long"
    value, low, high = found
    said = f"{signed(value)} {_signed_interval(low, high)} AUROC, n = {len(paired):,}"
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

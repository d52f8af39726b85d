"""Level predictions and weights of the stack in; how alike the levels are, and what each stage weighs, drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.correlation import correlation
from dashboard.charts.forest import forest
from dashboard.level_judge_panel import WHOM, shown_path
from dashboard.level_tables import MODALITIES, STAGES, weight_rows
from dashboard.level_weights import collinearity, conditions, inflation_table, sign_finding
from dashboard.plain_table import plain_table

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
PATHS = {"both": "ECG and EHR", "ehr": "EHR alone"}


def draw_collinearity(frame: pd.DataFrame, weights: pd.DataFrame, decision: dict[str, Any]) -> None:
    """Draw how alike the level predictions are, beside the weights and signs that hang on it.

    Args:
        frame: the predictions of a population; decision: of the run's config.
    """
    path = shown_path(frame, weights)
    modalities = [name for name in MODALITIES if path == "both" or name == "ehr"]
    columns = [f"{m}_{k}" for m in modalities for k in (1, 2, 3)]
    levels = frame.loc[frame["path"] == path, columns].dropna()
    if len(levels) < 3:
        st.subheader(f"How alike the levels are is not estimable, n = {len(levels)} stays {WHOM[path]}")
        return
    st.subheader(" · ".join(collinearity(levels, modality) for modality in modalities))
    left, right = st.columns([4, 5], gap="medium")
    with left:
        names = [f"{MODALITIES[m]} {k}" for m in modalities for k in (1, 2, 3)]
        st.plotly_chart(correlation(levels, names), key="chart-correlation", alt="Correlation of the levels", **PLAIN)
        st.caption(f"Pearson correlation of the log-odds, n = {len(levels):,} stays {WHOM[path]}.")
    right.html(plain_table(inflation_table(levels, weights[weights["path"] == path]), words=("Sign",)))
    right.caption(
        "Levels that say nearly the same can be exchanged for each other at no cost. Then the weight moves from one to "
        "the next by chance, and so does k*: read the frequency before the choice. "
        f"{conditions(levels, modalities)} {_held_weights(decision)}"
    )


def _held_weights(decision: dict[str, Any]) -> str:
    """What the stack does against it."""
    held = ["kept at zero or above"] if decision.get("nonnegative") else []
    held += ["pulled towards each other"] if max(decision.get("penalties", [0])) > 0 else []
    return f"The weights are {' and '.join(held)} for the same reason." if held else "Nothing holds the weights."


def draw_weights(weights: pd.DataFrame, decision: dict[str, Any]) -> None:
    """Draw the weights of every stage of the stack, for one path; the parameter in the URL is `path`."""
    st.subheader("What the stack weighs")
    paths = [path for path in PATHS if (weights["path"] == path).any()]
    path = st.segmented_control(
        "Path",
        paths,
        format_func=PATHS.__getitem__,
        default=paths[0],
        key="path",
        required=True,
        help="Stays without an ECG have a path of their own",
        bind="query-params",
    )
    of_path = weights[(weights["path"] == path) & weights["stage"].isin(STAGES) & (weights["input"] != "intercept")]
    st.markdown(f"**{sign_finding(of_path, decision)}**")
    present = [stage for stage in STAGES if len(weight_rows(weights, stage, str(path)))]
    for row in range(0, len(present), 2):
        for column, stage in zip(st.columns(2, gap="medium"), present[row : row + 2], strict=False):
            with column:
                st.markdown(f"**{STAGES[stage]}**")
                figure = forest(
                    weight_rows(weights, stage, str(path)), x_title="Weight of the standardised input", reference=0.0
                )
                st.plotly_chart(figure, key=f"chart-{stage}", alt=f"Weights of {stage} with intervals", **PLAIN)
    st.caption("Intervals: 5 to 95 % over bootstrap refits of the stack, on the same encoders.")

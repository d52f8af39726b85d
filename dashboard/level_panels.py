"""selection_phi, level choices and weights in; the swarms, tables and plots of /levels drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts.beeswarm import MOST_POINTS, beeswarm
from dashboard.charts.correlation import correlation
from dashboard.charts.forest import forest
from dashboard.level_tables import MODALITIES, STAGES, chosen_by, collinearity, finding, level_table, weight_rows
from dashboard.split_use import pair_draws

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
SCALES = {"phi_logit": "log-odds", "phi_prob": "probability"}
PATHS = {"both": "ECG and EHR", "ehr": "EHR alone"}
LEVELS = [f"{modality}_{level}" for modality in MODALITIES for level in (1, 2, 3)]


def draw_modalities(
    scores: pd.DataFrame, scale: str, fitted: dict[str, pd.DataFrame], metrics: pd.DataFrame, run: dict[str, Any]
) -> None:
    """Draw a swarm and a table per modality; a point that is clicked opens its case."""
    limit = float(scores[scale].abs().max()) * 1.05 if len(scores) else None
    for column, modality in zip(st.columns(2, gap="medium"), MODALITIES, strict=True):
        with column:
            st.subheader(finding(fitted["level_choices"], modality))
            some = scores[scores["modality"] == modality]
            if some.empty:
                st.info(f"No stay of this split was scored with its {MODALITIES[modality]} levels.")
            else:
                _swarm(some, scale, modality, limit, run["run_id"])
            table = level_table(fitted["level_choices"], metrics, modality, pairs_tried=chosen_by(run) is None)
            st.dataframe(table, hide_index=True, key=f"levels-{modality}", column_config=_columns(run))
    st.caption(
        "k* is the level with the largest mean |φ| (eq. 6), and gives y_best. It stands with the share of bootstrap "
        "refits of the stack in which it is k*; below 80 % another sample of patients may well choose another. "
        + _choice_of_module_2(run)
    )


def _choice_of_module_2(run: dict[str, Any]) -> str:
    if (by := chosen_by(run)) is not None:
        return f"Module 2 reads levels by rule: {by}."
    return (
        "Module 2 reads a pair of levels of its own, the one that gains most over Module 1. “M2 in” is the share of "
        f"{pair_draws(run['fitting'])} in which a pair with this level gains most; nothing is fitted anew in them."
    )


def _swarm(some: pd.DataFrame, scale: str, modality: str, limit: float | None, run_id: str) -> None:
    shown = some.assign(p_level=1 / (1 + np.exp(-some["logit"])))
    n = some["sample_id"].nunique()
    figure = beeswarm(shown, scale, x_title=f"φ ({SCALES[scale]} of G_{modality}), n = {n:,} stays", x_limit=limit)
    key = f"swarm-{modality}"
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: _remember(key),
        selection_mode="points",
        alt=f"Selection phi of the three {MODALITIES[modality]} levels, n = {n}; the table below has the means",
        **PLAIN,
    )
    if n > MOST_POINTS:
        st.caption(f"{MOST_POINTS} of {n:,} stays are drawn, evenly spread over the list.")
    chosen = st.session_state.pop(f"{key}-stay", None)
    if chosen is not None:
        st.switch_page("dashboard/pages/case.py", query_params={"stay": str(chosen), "run": run_id})


def _remember(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        st.session_state[f"{key}-stay"] = int(points[0]["customdata"][0])


def draw_collinearity(levels: pd.DataFrame, decision: dict[str, Any]) -> None:
    """Draw how alike the level predictions are."""
    if len(levels) < 3:
        st.subheader(f"How alike the levels are is not estimable, n = {len(levels)} stays with both modalities")
        return
    st.subheader(" · ".join(collinearity(levels, modality) for modality in MODALITIES))
    left, right = st.columns([4, 5], gap="medium")
    with left:
        names = [f"{MODALITIES[m]} {k}" for m in MODALITIES for k in (1, 2, 3)]
        st.plotly_chart(
            correlation(levels, names), key="chart-correlation", alt="Correlation of the six levels", **PLAIN
        )
    right.markdown(
        "Levels that say nearly the same can be exchanged for each other at no cost. Then the weight moves from one to "
        "the next by chance, and so does k*: read the frequency before the choice. " + _held_weights(decision)
    )
    right.caption(f"Pearson correlation of the log-odds, n = {len(levels):,} stays with both modalities.")


def _held_weights(decision: dict[str, Any]) -> str:
    """What the stack does against it."""
    held = ["kept at zero or above"] if decision.get("nonnegative") else []
    held += ["pulled towards each other"] if max(decision.get("penalties", [0])) > 0 else []
    return f"The weights are {' and '.join(held)} for the same reason." if held else "Nothing holds the weights."


def draw_weights(weights: pd.DataFrame) -> None:
    """Draw the weights of every stage of the stack, for one path."""
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
    present = [stage for stage in STAGES if len(weight_rows(weights, stage, str(path)))]
    for row in range(0, len(present), 2):
        for column, stage in zip(st.columns(2, gap="medium"), present[row : row + 2], strict=False):
            with column:
                st.markdown(f"**{STAGES[stage]}**")
                figure = forest(
                    weight_rows(weights, stage, str(path)), x_title="Weight of the standardised input", reference=0.0
                )
                st.plotly_chart(figure, key=f"chart-{stage}", alt=f"Weights of {stage} with intervals", **PLAIN)


def _columns(run: dict[str, Any]) -> dict[str, Any]:
    column = st.column_config
    bar: dict[str, Any] = {"format": "%.0f %%", "min_value": 0, "max_value": 100, "width": 92}
    return {
        "Level": column.TextColumn(width=104),
        "Chosen": column.TextColumn(width=62, help="k* of eq. 6, and the level whose tokens Module 2 reads"),
        "k* in": column.ProgressColumn(help="Share of bootstrap refits of the stack in which it is k*", **bar),
        "M2 in": column.ProgressColumn(help=_choice_of_module_2(run), **bar),
        "AUROC, test": column.TextColumn(width=172),
        "Mean |φ|": column.TextColumn(width=70, help="Over the rows G was fitted on, log-odds"),
        "AUROC, fitting": column.TextColumn(help="Of the level head on the rows G was fitted on"),
    }

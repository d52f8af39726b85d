"""selection_phi of a population and level choices in; the swarms and tables of /levels drawn, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from scipy.special import expit

from dashboard.charts.beeswarm import MOST_POINTS, beeswarm
from dashboard.cohort_return import CASE, case_query
from dashboard.level_tables import MODALITIES, SCALES, chosen_by, finding, importance_lead, level_table
from dashboard.split_use import pair_draws

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
LEVELS = (1, 2, 3)


def draw_modalities(
    frame: pd.DataFrame,
    phi: pd.DataFrame,
    scale: str,
    choices: pd.DataFrame,
    metrics: pd.DataFrame,
    run: dict[str, Any],
) -> None:
    """Draw a swarm and a table per modality; a point that is clicked opens its case.

    Args:
        frame: the predictions of a population; phi: their selection_phi (N, 6), in the same order.
    """
    largest = float(np.nanmax(np.abs(phi.to_numpy(float)))) if phi.notna().to_numpy().any() else 0.0
    for column, modality in zip(st.columns(2, gap="medium"), MODALITIES, strict=True):
        with column:
            st.subheader(finding(choices, modality))
            known = phi[f"{modality}_1"].notna().to_numpy()
            if not known.any():
                st.info(f"No stay shown here was scored with its {MODALITIES[modality]} levels.")
            else:
                _swarm(frame[known], phi[known], scale, modality, 1.05 * largest or None, run["run_id"])
            table = level_table(choices, metrics, modality, pairs_tried=chosen_by(run) is None)
            st.dataframe(table, hide_index=True, key=f"levels-{modality}", column_config=_columns(run))
            st.caption(importance_lead(choices, modality))
    refits = run["config"].get("decision", {}).get("n_bootstrap")
    st.caption(
        "k* is the level with the largest mean |φ| (eq. 6), and gives y_best. It stands with the share of "
        f"{f'{refits:,} ' if refits else ''}bootstrap refits of the stack in which it is k*; below 80 % another "
        "sample of patients may well choose another. " + _choice_of_module_2(run)
    )


def _choice_of_module_2(run: dict[str, Any]) -> str:
    if (by := chosen_by(run)) is not None:
        return f"Module 2 reads levels by rule: {by}."
    return (
        "Module 2 reads a pair of levels of its own, the one that gains most over Module 1. “M2 in” is the share of "
        f"{pair_draws(run['fitting'])} in which a pair with this level gains most; nothing is fitted anew in them."
    )


def swarm_points(frame: pd.DataFrame, phi: pd.DataFrame, modality: str, value: str) -> pd.DataFrame:
    """What `charts.beeswarm` takes: stay_id, level, p_level and the column `value`, of at most MOST_POINTS stays.

    The stays are evenly spread over the rows, and the same for every level.
    """
    n = len(frame)
    at = np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_POINTS)).round().astype(int))
    parts = []
    for level in LEVELS:
        port = f"{modality}_{level}"
        p_level = expit(frame[port].to_numpy(float)[at])
        values = {"stay_id": frame["stay_id"].to_numpy()[at], "level": level, "p_level": p_level}
        parts.append(pd.DataFrame(values | {value: phi[port].to_numpy(float)[at]}))
    return pd.concat(parts, ignore_index=True)


def _swarm(frame: pd.DataFrame, phi: pd.DataFrame, scale: str, modality: str, limit: float | None, run_id: str) -> None:
    n = len(frame)
    points = swarm_points(frame, phi, modality, scale)
    figure = beeswarm(points, scale, x_title=f"φ ({SCALES[scale]} of G_{modality}), n = {n:,} stays", x_limit=limit)
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
        st.switch_page(CASE, query_params=case_query(int(chosen), run_id))


def _remember(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        st.session_state[f"{key}-stay"] = int(points[0]["customdata"][0])


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

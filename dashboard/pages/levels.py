"""`/levels`: which level of each encoder the stack listens to, how surely, and how alike the levels are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_results
from dashboard.cohort_filters import SPLITS
from dashboard.level_panels import LEVELS, SCALES, draw_collinearity, draw_modalities, draw_weights
from dashboard.provenance import footer, in_sample_banner, no_run, not_scored, style
from dashboard.session import banners, selected_run, stamp

URL: dict[str, Any] = {"bind": "query-params"}


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    if run is None:
        no_run("Levels")
        return
    run_id = run["run_id"]
    fitted = queries_results.fitted(url, revision, run_id)
    scores = queries_results.level_scores(url, revision, run_id)
    if fitted["level_choices"].empty:
        _no_levels(run)
        return
    if scores.empty:
        not_scored("Levels")
    st.title("Levels")
    st.markdown(
        "How much each level of an encoder moves **its own modality's decision** (selection φ, the Shapley values of "
        "the stack G inside one modality). This is importance inside G, not what the ECG or the EHR contributed: that "
        "needs the inputs themselves exchanged, and stands on each case page."
    )
    split, scale = _controls(scores)
    in_sample_banner(run, split)
    some = scores[scores["split"] == split]
    metrics = queries_results.metrics(url, revision, run_id, "test")
    known = queries_results.predictions(url, revision, run_id)
    draw_modalities(some, scale, fitted, metrics, run)
    draw_collinearity(
        known[(known["split"] == split) & (known["path"] == "both")][LEVELS], run["config"].get("decision", {})
    )
    draw_weights(fitted["stage_weights"])
    footer(run, split, some["sample_id"].nunique())


def _no_levels(run: dict[str, Any]) -> None:
    """Say that there is nothing to choose in this run, and where to look instead."""
    st.title("Levels")
    st.info(
        f"A run of {run['fusion']} chooses no levels: only LeMoF's Module 1 weighs them. What the fusions reach "
        "stands side by side on Methods."
    )
    st.page_link("dashboard/pages/methods.py", label="Compare the methods")


def _controls(scores: pd.DataFrame) -> tuple[str, str]:
    """Draw split and scale; return what is chosen."""
    splits = [name for name in SPLITS if (scores["split"] == name).any()]
    with st.container(horizontal=True, gap="medium"):
        split = st.segmented_control("Split", splits, default=splits[0], key="part", required=True, **URL)
        scale = st.segmented_control(
            "Scale",
            list(SCALES),
            format_func=SCALES.__getitem__,
            default="phi_logit",
            key="scale",
            required=True,
            **URL,
        )
    return str(split or splits[0]), str(scale or "phi_logit")


main()

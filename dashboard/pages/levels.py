"""`/levels`: which level of each encoder the stack listens to, for whom, how surely, and whether other judges agree."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import population, queries_levels, queries_results
from dashboard.cohort_choice import EVERYBODY
from dashboard.level_group_panel import draw_groups
from dashboard.level_judge_panel import draw_judges
from dashboard.level_panels import draw_modalities
from dashboard.level_seed_panel import draw_seeds
from dashboard.level_tables import SCALES
from dashboard.level_weight_panel import draw_collinearity, draw_weights
from dashboard.population import Population
from dashboard.provenance import footer, in_sample_banner, no_run, not_scored, style
from dashboard.session import banners, selected_run, stamp
from dashboard.wording import definition_of

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
    if fitted["level_choices"].empty:
        _no_levels(run)
        return
    if not queries_results.scored_splits(url, revision, run_id):
        not_scored("Levels")
    st.title("Levels")
    st.markdown(
        "How much each level of an encoder moves **its own modality's decision** (selection φ, the Shapley values of "
        "the stack G inside one modality). This is importance inside G, not what the ECG or the EHR contributed: that "
        "needs the inputs themselves exchanged, and stands on each case page."
    )
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        shown = population.choose(url, revision, run_id, definition_of(run))
    with right:
        scale = _scale()
    in_sample_banner(run, shown.split)
    if not shown.n and shown.cohort != EVERYBODY:
        st.info(shown.why_empty(run_id))
        st.stop()
    _of_population(url, revision, run, shown, scale, fitted)
    draw_seeds(url, revision, run, queries_results.runs(url, revision))
    decision = run["config"].get("decision", {})
    draw_collinearity(shown.frame, fitted["stage_weights"], decision)
    draw_weights(fitted["stage_weights"], decision)
    footer(run, shown.split, shown.n, shown.events)


def _of_population(
    url: str, revision: str, run: dict[str, Any], shown: Population, scale: str, fitted: dict[str, pd.DataFrame]
) -> None:
    """Draw what is seen on the patients that are chosen: swarms, groups, and the ways of judging."""
    run_id = run["run_id"]
    phi = _phi(url, revision, run_id, shown, scale)
    metrics = queries_results.metrics(url, revision, run_id, "test")
    draw_modalities(shown.frame, phi, scale, fitted["level_choices"], metrics, run)
    if shown.n == 0:
        st.info("No stay that is chosen here has a known outcome: choose another split or cohort.")
        return
    draw_groups(run_id, shown.frame, phi, scale, definition_of(run))
    # Eq. 6 chooses k* in log-odds, whatever the reader looks at.
    draw_judges(run, shown.frame, _phi(url, revision, run_id, shown, "phi_logit"), fitted)


def _phi(url: str, revision: str, run_id: str, shown: Population, scale: str) -> pd.DataFrame:
    """selection_phi (N, 6) in the order of the population."""
    found = queries_levels.selection_phi(url, revision, run_id, shown.split, scale)
    return found.reindex(shown.frame["sample_id"]).reset_index(drop=True)


def _no_levels(run: dict[str, Any]) -> None:
    """Say that there is nothing to choose in this run, and where to look instead."""
    st.title("Levels")
    st.info(
        f"A run of {run['fusion']} chooses no levels: only LeMoF's Module 1 weighs them. What the fusions reach "
        "stands side by side on Methods."
    )
    st.page_link("dashboard/pages/methods.py", label="Compare the methods")


def _scale() -> str:
    """Draw the scale of phi; return what is chosen."""
    scale = st.segmented_control(
        "Scale of φ",
        list(SCALES),
        format_func=SCALES.__getitem__,
        default="phi_logit",
        key="scale",
        required=True,
        **URL,
    )
    return str(scale or "phi_logit")


main()

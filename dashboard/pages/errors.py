"""`/errors`: for whom the run is wrong, by more than chance, and which modality misled it; groups open their cases."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import queries_cohort, queries_errors, queries_results
from dashboard.disagreement_panel import draw_disagreement
from dashboard.error_grid_panel import draw_grid
from dashboard.error_group import EVERYBODY, Group, all_stays, chosen_group, draw_group
from dashboard.error_settings import URL, Settings, choose_error, choose_search, choose_thresholds
from dashboard.error_tree_panel import draw_tree
from dashboard.population import Population, choose
from dashboard.provenance import footer, in_sample_banner, no_run, not_scored, style, worth_of_numbers
from dashboard.queries_errors import Judged
from dashboard.session import banners, selected_run, stamp
from dashboard.slices_panel import draw_slices
from dashboard.threshold_paths import in_words_of, tuned_thresholds
from dashboard.wording import definition_of
from lemof_core.evaluation.losses import Loss

SLICES, TREE, GRID, DISAGREEMENT, LARGEST = PANELS = (
    "Slices",
    "Error tree",
    "Two factors",
    "Disagreement",
    "Largest errors",
)


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    if run is None:
        no_run("Errors")
        return
    if not queries_results.scored_splits(url, revision, run["run_id"]):
        not_scored("Errors")
    st.title("Errors")
    about, asked = st.columns([3, 7], gap="medium", vertical_alignment="bottom")
    with about:
        population = choose(url, revision, run["run_id"], definition_of(run))
    if population.frame.empty:
        st.info(population.why_empty(run["run_id"]))
        st.stop()
    with asked:
        judged, settings = _controls(url, revision, run["run_id"], population)
    in_sample_banner(run, population.split)
    worth = worth_of_numbers(run, queries_cohort.datasets(url, revision))
    st.caption(f"{worth} Alarm at p ≥ {in_words_of(dict(settings.cache_key[-1]))}.".strip())
    _panels(judged, settings, run["run_id"])
    footer(run, population.split, population.n, population.events)


def _controls(url: str, revision: str, run_id: str, population: Population) -> tuple[Judged, Settings]:
    """Draw what is asked of the predictions; return them judged, and the settings."""
    tuned = tuned_thresholds(queries_results.fitted(url, revision, run_id)["calibrations"])
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="error-controls"):
        kind = choose_error()
        thresholds = tuple(sorted(choose_thresholds(population.frame, tuned).items()))
        kinds, depth, fewest, rank = choose_search(population.n)
    key = (url, revision, run_id, queries_errors.fingerprint(population.frame), thresholds)
    judged = queries_errors.judged(key, population.frame)
    return judged, Settings(kind, kinds, depth, fewest, rank, key)


def _panels(judged: Judged, settings: Settings, run_id: str) -> None:
    """Draw the panel that is open and beside it the chosen group; the others cost nothing."""
    errors = judged.loss(settings.kind)
    tabs: dict[str, Any] = dict(zip(PANELS, st.tabs(PANELS, key="panel", on_change="rerun", **URL), strict=True))
    opened = next((name for name, tab in tabs.items() if tab.open), SLICES)
    with tabs[opened]:
        if not errors.counted.any():
            st.info(f"{errors.words} are counted over {errors.of}, and there is none here. Choose another error.")
            return
        group = chosen_group(judged, errors, by_distance=opened == DISAGREEMENT)
        if opened == LARGEST:
            _group(group, judged, errors, run_id, wide=True)
            return
        left, right = st.columns([61, 39], gap="medium")
        with left:
            _panel(opened, judged, errors, settings, group)
        with right:
            _group(group, judged, errors, run_id)


def _panel(opened: str, judged: Judged, errors: Loss, settings: Settings, group: Group | None) -> None:
    if opened == SLICES:
        draw_slices(judged, errors, settings)
    elif opened == TREE:
        draw_tree(judged, errors, settings)
    elif opened == GRID:
        draw_grid(judged, errors)
    else:
        draw_disagreement(judged, group)


def _group(group: Group | None, judged: Judged, errors: Loss, run_id: str, *, wide: bool = False) -> None:
    if group is None:
        st.info("The link names a group by a fact that none of these stays has.")
        st.button(EVERYBODY, key="group-unknown", on_click=all_stays)
        return
    draw_group(group, judged, errors, run_id, wide=wide)


main()

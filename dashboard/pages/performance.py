"""`/performance`: how good the run is, at which threshold and at what cost, for whom, and which part does the work."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_cohort, queries_performance, queries_results
from dashboard.branches_panel import beside_held_out, draw_branches
from dashboard.cohort_choice import EVERYBODY
from dashboard.cohort_filters import as_query
from dashboard.cohort_return import COHORT
from dashboard.cost_panel import draw_cost
from dashboard.curves_panel import draw_curves
from dashboard.gaps_panel import draw_gaps
from dashboard.population import Population, choose
from dashboard.provenance import (
    footer,
    in_sample_banner,
    no_cohort,
    no_run,
    not_scored,
    outdated_banner,
    style,
    worth_of_numbers,
)
from dashboard.session import banners, selected_run, stamp
from dashboard.strata_panel import Counted, draw_strata
from dashboard.threshold_controls import Asked, ask
from dashboard.threshold_panel import draw_threshold
from dashboard.threshold_paths import alarms, tuned_thresholds
from dashboard.wording import Definition

# No key may be one of /cohort's: a parameter that both pages bind is dropped on the way from one to the other.
URL: dict[str, Any] = {"bind": "query-params"}
OWN = "The run's own test"


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    if run is None:
        no_run("Performance")
        return
    run_id = run["run_id"]
    if not queries_results.scored_splits(url, revision, run_id):
        not_scored("Performance")
    cohort = queries_cohort.definition(url, revision)
    if cohort is None:
        no_cohort("Performance")
        return
    st.title("Performance")
    tuned = tuned_thresholds(queries_results.fitted(url, revision, run_id)["calibrations"])
    left, right = st.columns([4, 11], gap="medium", vertical_alignment="bottom")
    with left:
        people = choose(url, revision, run_id, cohort)
    with right:
        asked = ask(people.frame, tuned)
    in_sample_banner(run, people.split)
    worth = worth_of_numbers(run, queries_cohort.datasets(url, revision))
    if worth:
        st.caption(worth)
    if people.frame.empty:
        st.info(people.why_empty(run_id))
        st.stop()
    key = queries_performance.key_of(people, url, revision, run_id)
    if people.cohort == EVERYBODY:
        found = queries_results.metrics(url, revision, run_id, people.split)
        outdated_banner(found, people.n, people.events, run_id=run_id, split=people.split, deaths=people.deaths)
    else:
        found = queries_performance.evaluated(key, people.frame, tuple(sorted(tuned.items())), run)
    counted = Counted(
        people.frame, alarms(people.frame, asked.thresholds), _link(run_id, people, asked, cohort), cohort, run_id
    )
    draw_threshold(people.frame, asked.thresholds, asked.long_of_100, counted.link, cohort)
    draw_cost(people.frame, asked, queries_performance.cuts_by_path(key, people.frame))
    stored = found[(found["source"] == "final") & (found["deaths"] == people.deaths)]
    draw_curves(people.frame, asked, stored, key)
    own = queries_results.metrics(url, revision, run_id, queries_results.HELD_OUT)
    own = own if people.cohort == EVERYBODY else own.head(0)
    if found.empty and own.empty:
        st.info(
            f"This run has no stored metrics of the {people.split} split: run `lemof evaluate --split {people.split}`."
        )
    else:
        _by_stratum(found, own, counted, people, run)
    draw_gaps(people.frame, counted.alarm, key)
    if not found.empty or not own.empty:
        _branches(found, own, people, key)
    footer(run, people.split, people.n, people.events)


def _link(run_id: str, people: Population, asked: Asked, cohort: Definition) -> dict[str, Any]:
    """The URL parameters of /cohort that give the stays counted here, in that page's words."""
    link: dict[str, Any] = {"run": run_id} | as_query(cohort, split=people.split)
    names = {"both": "thr", "ehr": "thr_ehr"}
    link |= {names[path]: repr(cut) for path, cut in asked.thresholds.items()}
    link |= {} if people.cohort == EVERYBODY else {COHORT: people.cohort}
    return link | (as_query(cohort, outcome=("long", "left")) if people.deaths == "without" else {})


def _by_stratum(
    found: pd.DataFrame, own: pd.DataFrame, counted: Counted, people: Population, run: dict[str, Any]
) -> None:
    """Draw what is stored by group: of this store, or of the test that a shipped run brought with it."""
    st.subheader("For whom it works")
    source = "This store"
    if not own.empty:
        source = (
            st.segmented_control("Numbers from", [source, OWN], default=source, key="source", required=True, **URL)
            or source
        )
        with st.expander("Both side by side"):
            st.dataframe(beside_held_out(found, own), hide_index=True, key="table-both")
    shown_here = own if source == OWN else found
    if shown_here.empty:
        st.info("This store's samples are not evaluated: run `lemof evaluate`.")
        return
    draw_strata(shown_here, None if source == OWN else counted, people.deaths, run["n_by_split"])


def _branches(found: pd.DataFrame, own: pd.DataFrame, people: Population, key: queries_performance.Key) -> None:
    """Draw what each part adds, from the same source as the groups."""
    if st.session_state.get("source") == OWN and not own.empty:
        draw_branches(own, None)
    elif not found.empty:
        whole = people.deaths == "with"
        draw_branches(found, queries_performance.beyond_late_mean(key, people.frame) if whole else None)
        if not whole:
            st.caption("The parts are evaluated with deaths alone: these rows hold them.")


main()

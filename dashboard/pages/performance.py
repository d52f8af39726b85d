"""`/performance`: how good the run is, at which threshold, for whom, and which part of it does the work."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_cohort, queries_results
from dashboard.cohort_filters import SPLITS, as_query
from dashboard.provenance import (
    footer,
    in_sample_banner,
    no_cohort,
    no_run,
    not_scored,
    style,
    worth_of_numbers,
)
from dashboard.session import banners, selected_run, stamp
from dashboard.strata_panel import beside_held_out, draw_branches, draw_strata
from dashboard.threshold_panel import draw_curves, draw_threshold
from dashboard.threshold_paths import PATHS, start, told, tuned_thresholds
from dashboard.wording import Definition, definition_of

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
    predicted = queries_results.predictions(url, revision, run_id)
    if predicted.empty:
        not_scored("Performance")
    cohort = queries_cohort.definition(url, revision)
    if cohort is None:
        no_cohort("Performance")
        return
    st.title("Performance")
    tuned = tuned_thresholds(queries_results.fitted(url, revision, run_id)["calibrations"])
    split, deaths, thresholds = _controls(predicted, tuned, definition_of(run))
    in_sample_banner(run, split)
    worth = worth_of_numbers(run, queries_cohort.datasets(url, revision))
    if worth:
        st.caption(worth)
    known = predicted[predicted["split"] == split]
    if deaths == "without":
        known = known[~known["died_before_cut"]]
    if known.empty:
        st.info(f"No sample of the {split} split has a prediction and a known outcome.")
        st.stop()
    found = queries_results.metrics(url, revision, run_id, split)
    of_here = {path: cut for path, cut in thresholds.items() if (known["path"] == path).any()}
    draw_threshold(known, of_here, _link(run_id, split, deaths, thresholds, cohort), cohort)
    draw_curves(known, thresholds, found, deaths)
    own = queries_results.metrics(url, revision, run_id, queries_results.HELD_OUT)
    if found.empty and own.empty:
        st.info(f"This run has no stored metrics of the {split} split: run `lemof evaluate --split {split}`.")
    else:
        _by_stratum_and_branch(found, own, known, deaths, run)
    footer(run, split, len(known), int(known["label"].sum()))


def _controls(
    predicted: pd.DataFrame, tuned: dict[str, float], defined: Definition
) -> tuple[str, str, dict[str, float]]:
    """Draw split, deaths and the threshold of each path; return what is chosen."""
    splits = [name for name in SPLITS if (predicted["split"] == name).any()]
    left, middle, right = st.columns([4, 4, 8], gap="medium", vertical_alignment="bottom")
    with left:
        split = st.segmented_control("Split", splits, default=splits[0], key="part", required=True, **URL)
    with middle:
        without = st.toggle(
            f"Without deaths before {defined.cut}",
            key="without_deaths",
            help="Death in the ICU ends a stay: label 0",
            **URL,
        )
    keys = {path: key for path, key in (("both", "at"), ("ehr", "at_ehr")) if (predicted["path"] == path).any()}
    thresholds = {}
    with right:
        for column, (path, key) in zip(st.columns(len(keys), gap="medium"), keys.items(), strict=True):
            label, value = f"Threshold {PATHS[path]}", start(tuned, path)
            thresholds[path] = float(
                column.slider(label, 0.0, 1.0, value, 0.01, key=key, help=told(tuned, path), **URL)
            )
    return str(split or splits[0]), "without" if without else "with", thresholds


def _link(run_id: str, split: str, deaths: str, thresholds: dict[str, float], cohort: Definition) -> dict[str, Any]:
    """The URL parameters of /cohort that give the stays counted here, in that page's words."""
    link: dict[str, Any] = {"run": run_id} | as_query(cohort, split=split)
    link |= {name: repr(thresholds[path]) for path, name in (("both", "thr"), ("ehr", "thr_ehr")) if path in thresholds}
    return link | (as_query(cohort, outcome=("long", "left")) if deaths == "without" else {})


def _by_stratum_and_branch(
    found: pd.DataFrame, own: pd.DataFrame, known: pd.DataFrame, deaths: str, run: dict[str, Any]
) -> None:
    """Draw what needs stored metrics alone: of this store, or of the test that a shipped run brought with it."""
    st.subheader("For whom it works")
    source = "This store"
    if not own.empty:
        source = (
            st.segmented_control("Numbers from", [source, OWN], default=source, key="source", required=True, **URL)
            or source
        )
        with st.expander("Both side by side"):
            st.dataframe(beside_held_out(found, own), hide_index=True, key="table-both")
    shown = own if source == OWN else found
    if shown.empty:
        st.info("This store's samples are not evaluated: run `lemof evaluate`.")
        return
    draw_strata(shown, deaths, run["n_by_split"])
    draw_branches(shown, None if source == OWN else known)


main()

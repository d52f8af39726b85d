"""`/performance`: how good the run is, at which threshold, for whom, and which part of it does the work."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_cohort, queries_results
from dashboard.cohort_filters import SPLITS, as_query
from dashboard.provenance import footer, in_sample_banner, no_run, not_scored, style, worth_of_numbers
from dashboard.session import banners, selected_run, stamp
from dashboard.strata_panel import beside_held_out, draw_branches, draw_strata
from dashboard.threshold_panel import draw_curves, draw_threshold

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
    st.title("Performance")
    split, deaths, threshold = _controls(predicted, queries_results.fitted(url, revision, run_id)["calibrations"])
    in_sample_banner(split)
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
    draw_threshold(known, threshold, _link(run_id, split, deaths, threshold))
    draw_curves(known, threshold, found, deaths)
    own = queries_results.metrics(url, revision, run_id, queries_results.HELD_OUT)
    if found.empty and own.empty:
        st.info(f"This run has no stored metrics of the {split} split: run `lemof evaluate --split {split}`.")
    else:
        _by_stratum_and_branch(found, own, known, deaths)
    footer(run, split, len(known), int(known["label"].sum()))


def _controls(predicted: pd.DataFrame, calibrations: pd.DataFrame) -> tuple[str, str, float]:
    """Draw split, deaths and threshold; return what is chosen."""
    splits = [name for name in SPLITS if (predicted["split"] == name).any()]
    tuned = queries_results.tuned_threshold(calibrations)
    left, middle, right = st.columns([4, 4, 8], gap="medium", vertical_alignment="bottom")
    with left:
        split = st.segmented_control("Split", splits, default=splits[0], key="part", required=True, **URL)
    with middle:
        without = st.toggle(
            "Without deaths before 72 h", key="without_deaths", help="Death in the ICU ends a stay: label 0", **URL
        )
    with right:
        told = f"Tuned on the calibration part: {tuned:.3f}" if tuned is not None else "None could be tuned: 0.5 stands"
        threshold = st.slider(
            "Threshold", 0.0, 1.0, tuned if tuned is not None else 0.5, 0.01, key="at", help=told, **URL
        )
    return str(split or splits[0]), "without" if without else "with", float(threshold)


def _link(run_id: str, split: str, deaths: str, threshold: float) -> dict[str, Any]:
    """The URL parameters of /cohort that give the stays counted here."""
    link: dict[str, Any] = {"run": run_id, "thr": repr(threshold)} | as_query(split=split)
    return link | (as_query(outcome=("long", "left")) if deaths == "without" else {})


def _by_stratum_and_branch(found: pd.DataFrame, own: pd.DataFrame, known: pd.DataFrame, deaths: str) -> None:
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
    draw_strata(shown, deaths)
    draw_branches(shown, None if source == OWN else known)


main()

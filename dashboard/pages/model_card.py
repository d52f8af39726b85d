"""`/model-card`: what the run is for, what it was made of, how good it is, and what nobody knows about it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cohort_db.stay_filters import Filters
from dashboard import model_card_panels as panels
from dashboard import model_card_take_along as take_along
from dashboard import queries_cohort, queries_results
from dashboard.model_card import card_of
from dashboard.provenance import footer, no_cohort, outdated_banner, style, worth_of_numbers
from dashboard.queries_results import HELD_OUT
from dashboard.session import banners, selected_run, stamp
from dashboard.wording import definition_of


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = definition_of(run) if run else queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Model card")
        return
    words = card_of(defined, run["fitting"] if run else None)
    run_id = run["run_id"] if run else None
    st.title(f"Model card of run {run_id}" if run else "Model card")
    if run is not None:
        evaluated = not queries_results.metrics(url, revision, run["run_id"], take_along.SPLIT).empty
        take_along.draw_downloads(url, revision, run["run_id"], evaluated=evaluated)
    left, right = st.columns(2, gap="medium")
    for column, name in ((left, "Intended use"), (right, "Out of scope")):
        with column:
            _section(name, words[name])
    datasets = queries_cohort.datasets(url, revision)
    left, right = st.columns(2, gap="medium")
    with left:
        _section("Data")
        panels.draw_data(run, datasets)
    with right:
        _section("Cohort")
        died = queries_cohort.browser(run_id).counts(Filters(), "outcome").get("died", 0)
        panels.draw_cohort(queries_cohort.attrition(url, revision), *queries_cohort.totals(url, revision), died)
    left, right = st.columns(2, gap="medium")
    for column, name in ((left, "Data handling"), (right, "Label")):
        with column:
            _section(name, words[name])
    left, right = st.columns(2, gap="medium")
    with left:
        _section("Model", words["Model"])
    if run is None:
        st.info("This store holds no run: fit one with `lemof train`, and its numbers stand here.")
    else:
        with right:
            panels.draw_model(run, queries_results.fitted(url, revision, run["run_id"])["level_choices"])
        _numbers(url, revision, run, worth_of_numbers(run, datasets))
    for name in ("Explanations", "Known limits", "Not provided"):
        _section(name, words[name])
    if run is not None:
        _section("Checklists")
        take_along.draw_checklists(url, revision, run["run_id"])
    _section("Differences from the paper")
    panels.draw_differences()
    if run is not None:
        _section("Provenance")
        panels.draw_provenance(run, queries_results.runs(url, revision))
    _section("Licence", words["Licence"])
    footer(run)


def _numbers(url: str, revision: str, run: dict[str, Any], worth: str) -> None:
    """Draw performance, calibration and what could not be estimated."""
    found = queries_results.metrics(url, revision, run["run_id"], "test")
    left, right = st.columns(2, gap="medium")
    with left:
        _section("Performance", worth)
        outdated_banner(found, *queries_results.scored(url, revision, run["run_id"], "test"), run_id=run["run_id"])
        panels.draw_performance(found, queries_results.metrics(url, revision, run["run_id"], HELD_OUT))
    with right:
        _section("Calibration")
        panels.draw_calibration(queries_results.fitted(url, revision, run["run_id"])["calibrations"])
        _section("Not estimable")
        panels.draw_not_estimable(run, found)


def _section(title: str, text: str = "") -> None:
    st.subheader(title)
    if text:
        st.markdown(text)


main()

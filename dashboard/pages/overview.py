"""`/`: what this is, on which data, how good in four figures, and where to go next."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from dashboard import queries_cohort
from dashboard.charts.attrition import attrition_flow
from dashboard.headline import data_and_run, draw_headline
from dashboard.provenance import footer, no_cohort, style
from dashboard.session import banners, selected_run, stamp

CASES, CASE, CARD = "dashboard/pages/cohort.py", "dashboard/pages/case.py", "dashboard/pages/model_card.py"


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Who will still be in the ICU, and why?")
        return
    st.title(f"Who will still be in the ICU after {defined.cut}, and why?")
    st.markdown(
        f"LeMoF reads a 12-lead ECG and the first {defined.t0} of the health record of an ICU stay, gives the "
        f"probability of a long stay (“{defined.label[0].lower()}{defined.label[1:]}”), and shows which level of which "
        "modality it came from."
    )
    st.caption(data_and_run(url, revision, run))
    browser = queries_cohort.browser(run["run_id"] if run else None)
    inside, outside = queries_cohort.totals(url, revision)
    n_test, n_long = draw_headline(url, revision, run)
    _actions(run, browser)
    st.subheader(f"{inside:,} of {inside + outside:,} ICU stays are in the cohort")
    st.html(attrition_flow(queries_cohort.attrition(url, revision)))
    _cards(run)
    footer(run, "test" if n_test else None, n_test, n_long)


def _actions(run: dict[str, Any] | None, browser: Browser) -> None:
    """Draw the two ways in: the list, and the stay with the highest probability."""
    of_run = {"run": run["run_id"]} if run else {}
    with st.container(horizontal=True, key="actions"):
        if st.button("Open the case list", type="primary"):
            st.switch_page(CASES, query_params=of_run)
        if st.button("Open a case", help="The stay of the test split with the highest probability"):
            pools = (Filters(where=("in",), split=("test",)), Filters(where=("in",)), Filters())
            first = next((stay for pool in pools if (stay := browser.most_probable(pool)) is not None), None)
            if first is not None:
                st.switch_page(CASE, query_params={"stay": str(first), **of_run})


def _cards(run: dict[str, Any] | None) -> None:
    """Draw what a clinician, a researcher and a sceptic should know first."""
    clinician, researcher, limits = st.columns(3, gap="medium")
    of_run = {"run": run["run_id"]} if run else None
    with clinician:
        st.markdown(
            "### For clinicians\nOne screen a stay: who it is, the ECG on true-scale paper, the trends, the "
            "probability with its interval, and the reasons in words. A low probability is not good news: patients "
            "who died early count as short stays."
        )
        st.page_link(CASES, label="Browse the stays →", query_params=of_run)
    with researcher:
        st.markdown(
            "### For researchers\nEvery number comes from a stored run, with n and interval: by disease, sex, age and "
            "unit; by level and branch; beside the plain means that the model has to beat."
        )
        with st.container(horizontal=True):
            st.page_link("dashboard/pages/performance.py", label="See the performance →", query_params=of_run)
            st.page_link("dashboard/pages/levels.py", label="See the levels →", query_params=of_run)
    with limits:
        st.markdown(
            "### Honest limits\nNever validated on patients of another hospital. Attention shows where the model "
            "looked, not why. Explanations describe the model, not the disease. Not for care decisions."
        )
        st.page_link(CARD, label="Read the model card →", query_params=of_run)


main()

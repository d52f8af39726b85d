"""`/cohort`: every stay, filtered by the facets in the side panel; a row or a link opens its case."""

from __future__ import annotations

import hashlib

import pandas as pd
import streamlit as st

from dashboard import queries_cohort, queries_results
from dashboard.cohort_facets import KEYS, URL, draw_facets, without
from dashboard.cohort_filters import SORTS, Filters, filter_stays, in_words, sort_stays
from dashboard.cohort_return import CASE, case_query, come_back, leave_for
from dashboard.cohort_table import ROWS, draw_table
from dashboard.provenance import footer, no_cohort, style
from dashboard.session import banners, selected_run, stamp, stays_stamp
from dashboard.stay_list import StayList
from dashboard.threshold_paths import tuned_thresholds
from dashboard.wording import Definition


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Cohort")
        return
    coming_back = come_back()
    st.title("Cohort")
    run_id = run["run_id"] if run else None
    frame = queries_cohort.stays(*stays_stamp(run_id))
    attrition = queries_cohort.attrition(url, revision)
    rules: dict[str, str] = dict(zip(attrition["rule"], attrition["label"], strict=True))
    tuned: dict[str, float] = {}
    if run_id is not None:
        tuned = tuned_thresholds(queries_results.fitted(url, revision, run_id)["calibrations"])
    filters = draw_facets(frame, rules, tuned, defined)
    if coming_back:
        st.rerun()
    found = filter_stays(frame, filters)
    _count(found, frame, in_words(filters, rules, defined))
    _jump(frame, filters, run_id)
    if found.empty:
        st.info("No stay satisfies all of these filters. Remove one of them above.")
    else:
        _table(url, revision, found, filters, run_id, rules, defined)
    scored = found[found["p"].notna()]
    footer(run, None, len(scored), int((scored["label"] == 1).sum()))


def _count(found: pd.DataFrame, frame: pd.DataFrame, words: dict[str, str]) -> None:
    """Draw how many stays are left, and each filter as a button that removes it."""
    inside = int(found["in_cohort"].sum())
    st.html(
        f'<div class="lemof-count" data-testid="cohort-count"><b>{len(found):,}</b> of {len(frame):,} stays, '
        f"{inside:,} in the cohort</div>"
        '<div class="lemof-phone">The filters are in the panel behind the arrows at the top.</div>'
    )
    if not words:
        return
    with st.container(horizontal=True, key="active-filters", gap="small"):
        for name, text in words.items():
            st.button(
                f"{text} ×", key=f"remove-{name}", help="Remove this filter", on_click=_reset, args=([name], frame)
            )
        if len(words) > 1:
            st.button("Remove all", key="remove-all", type="tertiary", on_click=_reset, args=(list(words), frame))


def _reset(names: list[str], frame: pd.DataFrame) -> None:
    for name in names:
        st.session_state[name] = without(name, frame)


def _jump(frame: pd.DataFrame, filters: Filters, run_id: str | None) -> None:
    """Draw a link to the case where the id searched for is whole."""
    if not filters.q.isdigit():
        return
    number = int(filters.q)
    whole = frame[(frame["stay_id"] == number) | (frame["subject_id"] == number)]
    for stay_id in whole["stay_id"].head(5):
        st.page_link(CASE, label=f"Open stay {stay_id} →", query_params=case_query(stay_id, run_id))


def _table(
    url: str,
    revision: str,
    found: pd.DataFrame,
    filters: Filters,
    run_id: str | None,
    rules: dict[str, str],
    defined: Definition,
) -> None:
    """Draw order, pages and table; open the case of a row that was chosen."""
    offered = [name for name in SORTS if name not in ("p_high", "p_low", "error") or found["p"].notna().any()]
    n_pages = -(-len(found) // ROWS)
    with st.container(horizontal=True, vertical_alignment="bottom", key="order"):
        by = st.selectbox("Order", offered, format_func=SORTS.__getitem__, key="sort", width=240, **URL)
        # With other stays or another order, page 3 is another page: it starts at 1 again.
        page_key = "page-" + hashlib.sha256(f"{filters}{by}".encode()).hexdigest()[:12]
        number = st.pagination(n_pages, key=page_key) if n_pages > 1 else 1
    ordered = sort_stays(found, by or "id")
    written = StayList(filters, by or "id").written()
    page = ordered.iloc[(number - 1) * ROWS : number * ROWS]
    t0_s = round(defined.t0_hours * 3600)  # of all, as stays outside the cohort have no t0 of their own
    lines = queries_cohort.sparklines(url, revision, tuple(int(stay) for stay in page["stay_id"]), t0_s)
    stay_id = draw_table(page, lines, run_id, written, rules, defined, f"{filters}{by}{number}")
    if stay_id is not None:
        leave_for(stay_id, run_id, written, (*KEYS, "sort", page_key))


main()

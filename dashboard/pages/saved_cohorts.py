"""`/cohorts`: what was saved, set operations on it, and two cohorts side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from cohort_db import saved_cohorts
from dashboard import queries_cohort
from dashboard.cohort_return import cohort_query
from dashboard.cohort_save import save_button, standing
from dashboard.cohort_versus import draw_versus
from dashboard.cohort_words import chosen_by
from dashboard.provenance import footer, no_cohort, style
from dashboard.session import TASK, banners, selected_run, stamp, the_store
from dashboard.wording import Definition, literal

BROWSER = "dashboard/pages/cohort.py"


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Saved cohorts")
        return
    st.title("Saved cohorts")
    archived = st.toggle("Archived ones too", key="archived", bind="query-params")
    found = saved_cohorts.listed(the_store(), TASK, archived=archived)
    if found.empty:
        st.info("Nothing is saved yet. Filter the stays on the cohort page, and save what is left.")
        st.page_link(BROWSER, label="Filter the stays →")
        footer(run)
        return
    names: dict[str, str] = dict(zip(found["cohort_id"], found["name"], strict=True))
    _list(found, run["run_id"] if run else None, defined)
    draw_versus(names, run, defined)
    st.subheader("Combine two into a third")
    _combine(names)
    footer(run)


def _list(found: pd.DataFrame, run_id: str | None, defined: Definition) -> None:
    """Draw one row per cohort: its name as a link, n, who and when, how it was chosen, how it stands today."""
    names: dict[str, str] = dict(zip(found["cohort_id"], found["name"], strict=True))
    for row in found.to_dict("records"):
        saved = saved_cohorts.SavedCohort(**{**row, "note": row["note"], "archived_at": _moment(row["archived_at"])})
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"cohort-{saved.cohort_id}"):
            link = cohort_query(saved.cohort_id, run_id)
            st.page_link(BROWSER, label=f"**{literal(saved.name)}**", query_params=link, width="content")
            note = f" “{literal(saved.note)}”." if saved.note else ""
            when = f"{literal(saved.author)}, {saved.created_at:%Y-%m-%d %H:%M} UTC."
            st.caption(
                f"n = {saved.n:,}. {when}{note} {literal(chosen_by(saved, defined, names=names))} {standing(saved)}"
            )
            back = saved.archived_at is not None
            st.button(
                "List again" if back else "Archive",
                key=f"archive-{saved.cohort_id}",
                type="tertiary",
                help=None if back else "No longer listed; links to it hold",
                on_click=saved_cohorts.archive,
                args=(the_store(), saved.cohort_id),
                kwargs={"back": back},
            )


def _moment(value: Any) -> Any:
    return None if pd.isna(value) else value


def _combine(names: dict[str, str]) -> None:
    """Draw two cohorts and an operation, how many stays it gives, and the form that saves them."""
    if len(names) < 2:
        st.caption("Set operations need two saved cohorts; there is one.")
        return
    ids = list(names)
    left, middle, right = st.columns([4, 4, 4], gap="small", vertical_alignment="bottom")
    first = left.selectbox("First", ids, format_func=names.__getitem__, key="combine-first")
    operation = middle.selectbox(
        "Stays", list(saved_cohorts.OPERATIONS), format_func=saved_cohorts.OPERATIONS.__getitem__, key="combine-how"
    )
    second = right.selectbox("Second", ids, index=1, format_func=names.__getitem__, key="combine-second")
    store = the_store()
    found = saved_cohorts.combined(operation, saved_cohorts.members(store, first), saved_cohorts.members(store, second))
    st.markdown(f"**{len(found):,} stays** are {saved_cohorts.OPERATIONS[operation]}, of the members at saving.")
    definition = saved_cohorts.of_operation(operation, first, second)
    save_button(definition, f"{len(found):,} stays", stay_ids=found, disabled=not len(found), key="combined")


main()

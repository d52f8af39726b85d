"""The reader's filters in; the stays they leave saved as a cohort, and the saved one that the URL names, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from cohort_db import saved_cohorts
from cohort_db.errors import InputMistake
from cohort_db.saved_cohorts import SavedCohort
from cohort_db.stay_filters import Filters
from dashboard import queries_cohort
from dashboard.cohort_facets import KEYS, without
from dashboard.cohort_return import COHORT, cohort_query, go_to
from dashboard.cohort_words import chosen_by
from dashboard.facet_brush import Scale
from dashboard.reader import reader_name, remember_reader
from dashboard.session import TASK, cached_store, the_store
from dashboard.wording import Definition, literal

_JUST_SAVED = "cohort_just_saved"


def cohort_asked(defined: Definition) -> SavedCohort | None:
    """The saved cohort that the URL names, with how it stands against the store of today; None where it names none.

    An unknown one stops the page with a sentence: a link must never silently show other stays.
    """
    asked = st.query_params.get(COHORT)
    if not asked:
        return None
    store = the_store()
    try:
        saved = saved_cohorts.get(store, asked)
    except InputMistake as mistake:
        st.error(f"The link names a cohort that is not here: {literal(mistake)}.")
        st.stop()
    st.html(f'<div class="lemof-count" data-testid="saved-cohort" data-cohort="{saved.cohort_id}"></div>')
    note = f" “{saved.note}”." if saved.note else ""
    st.info(
        f"**{literal(saved.name)}**, saved by {literal(saved.author)} on {saved.created_at:%Y-%m-%d}."
        f"{literal(note)} {literal(chosen_by(saved, defined, names=_parts(saved)))} {standing(saved)}"
    )
    return saved


def _parts(saved: SavedCohort) -> dict[str, str]:
    """The cohorts that this one was made of -> their names; archived ones have theirs too."""
    definition = saved.definition
    parts = [*definition.get("of", ()), *filter(None, [definition.get("filters", {}).get(COHORT)])]
    return {one: saved_cohorts.get(the_store(), one).name for one in parts}


def standing(saved: SavedCohort) -> str:
    """How many stays were saved, how many of them are left, and how many the definition gives today."""
    return _standing(queries_cohort.browse_stamp(saved.definition.get("run_id")), saved.cohort_id)


@st.cache_data(ttl=15, max_entries=256, show_spinner=False)
def _standing(stamped: queries_cohort.Stamp, cohort_id: str) -> str:
    store = cached_store(stamped[0])
    saved = saved_cohorts.get(store, cohort_id)
    there = saved_cohorts.still_there(store, saved.cohort_id)
    today = saved_cohorts.now(store, saved.definition, saved.task, browser_of=queries_cohort.browser)
    words = [f"{saved.n:,} stays at saving"]
    if there != saved.n:
        words.append(f"{there:,} of them are still in the store")
    if today is not None:
        same = (
            len(today) == saved.n
            and there == saved.n
            and np.array_equal(today, saved_cohorts.members(store, saved.cohort_id))
        )
        words.append("the definition gives the same today" if same else f"the definition gives {len(today):,} today")
    return "; ".join(words) + "."


def draw_save(filters: Filters, run_id: str | None, n: int) -> None:
    """A form that saves what the filters leave stands behind a button."""
    definition = saved_cohorts.of_filters(filters, run_id)
    save_button(definition, f"{n:,} stays", disabled=n == 0, on_page=True)


def save_button(
    definition: Mapping[str, Any],
    what: str,
    *,
    stay_ids: Any = None,
    disabled: bool = False,
    key: str = "save",
    on_page: bool = False,
) -> None:
    """A button stands on the page behind which a cohort is named and saved; the link to it is given afterwards.

    Args:
        what: what is saved, in words; stay_ids: the members of a definition of kind "list".
        on_page: whether the page is /cohort itself.
    """
    with st.popover("Save as a cohort", disabled=disabled, key=f"{key}-open"), st.form(f"{key}-form", border=False):
        st.caption(f"Keeps {what} and how they were chosen, for everybody who uses this store.")
        name = st.text_input("Name", key=f"{key}-name", max_chars=saved_cohorts.LONGEST_NAME)
        author = st.text_input(
            "Saved by", value=reader_name(), key=f"{key}-author", max_chars=saved_cohorts.LONGEST_NAME
        )
        note = st.text_area("Note", key=f"{key}-note", placeholder="Why these stays", height=68)
        if st.form_submit_button("Save", type="primary"):
            _save(definition, name, author, note, stay_ids, key)
    saved = st.session_state.get(f"{_JUST_SAVED}-{key}")
    if saved and saved[2] == definition:
        label = f"Open “{literal(saved[1])}” →"
        if on_page:
            # A link to the page that one is on would leave its filters as they are.
            st.button(label, key=f"{key}-opened", type="tertiary", on_click=_open, args=(saved[0],))
        else:
            st.page_link("dashboard/pages/cohort.py", label=label, query_params=cohort_query(saved[0]), width="content")


def _open(cohort_id: str) -> None:
    """The page shows all members of the cohort, and so does the URL."""
    ends = queries_cohort.age_ends(queries_cohort.browser(None))
    age = Scale(*ends, 1, whole=True) if ends else None
    go_to({name: without(name, age) for name in KEYS if name in st.session_state} | {COHORT: cohort_id})


def _save(definition: Mapping[str, Any], name: str, author: str, note: str, stay_ids: Any, key: str) -> None:
    try:
        cohort_id = saved_cohorts.save(
            the_store(),
            name,
            author,
            definition,
            note=note,
            stay_ids=stay_ids,
            task=TASK,
            browser_of=queries_cohort.browser,
        )
    except InputMistake as mistake:
        st.error(f"{literal(mistake)}.")
        return
    remember_reader(author)
    st.session_state[f"{_JUST_SAVED}-{key}"] = (cohort_id, name, dict(definition))
    st.success("Saved.")

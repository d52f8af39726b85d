"""The way from the cohort to a case and back: the filters that the reader leaves with are there on return."""

from __future__ import annotations

from typing import Any, NoReturn

import streamlit as st

from dashboard.cohort_facets import KEYS
from dashboard.stay_list import LIST

CASE = "dashboard/pages/case.py"
COHORT = "cohort"  # the parameter that names a saved cohort
_LEFT = "cohort_left"  # stay -> the values of the widgets with which the reader left for its case, the latest last
_MOST_LEFT = 50
_BACK = "cohort_back"  # the same on the way back, and how many runs are left to set them


def case_query(stay_id: int, run_id: str | None, written: str = "") -> dict[str, str]:
    """The URL parameters of /case that name the stay, the run and the list (`StayList.written`) to leaf through."""
    return {"stay": str(stay_id)} | ({"run": run_id} if run_id else {}) | ({LIST: written} if written else {})


def cohort_query(cohort_id: str, run_id: str | None = None) -> dict[str, str]:
    """The URL parameters of /cohort that show all members of a saved cohort, also those outside the study cohort."""
    return {COHORT: cohort_id, "where": ""} | ({"run": run_id} if run_id else {})


def leave_for(stay_id: int, run_id: str | None, written: str, keys: tuple[str, ...]) -> NoReturn:
    """The case is open; the values of the widgets with these keys are remembered."""
    values = {key: st.session_state[key] for key in keys if key in st.session_state}
    values |= {COHORT: st.query_params[COHORT]} if COHORT in st.query_params else {}
    left = {one: held for one, held in st.session_state.get(_LEFT, {}).items() if one != str(stay_id)}
    st.session_state[_LEFT] = dict([*left.items(), (str(stay_id), values)][-_MOST_LEFT:])
    st.switch_page(CASE, query_params=case_query(stay_id, run_id, written))


def go_to(values: dict[str, Any]) -> None:
    """In its next runs the page takes these values of its widgets, and of COHORT, and the URL names them."""
    st.session_state[_BACK] = (values, 2)


def come_back(*, arrived: bool) -> bool:
    """Set what `go_to` asked for, or the filters with which the reader left for a case, where the browser's Back led
    here; True while doing so.

    To be called before the widgets are drawn; where it returns True, the page is to run again once they are.
    Opening a case leaves `stay=` on this page's entry in the history, without the parameters of its widgets. The run
    that the history asks for gives the URL the last word, and a widget writes to the URL only once it was drawn: so
    the filters are set in two runs of their own.

    Args:
        arrived: whether this is the first run of the page since another one was shown.
    """
    left: dict[str, Any] | None = st.session_state.get(_LEFT, {}).get(st.query_params.get("stay"))
    if arrived and left and not any(key in st.query_params for key in KEYS):
        go_to(left)
        st.rerun()
    values, runs_left = st.session_state.pop(_BACK, ({}, 0))
    for key, value in values.items():
        if key == COHORT:  # no widget holds it
            st.query_params[COHORT] = value
        else:
            st.session_state[key] = value
    if runs_left > 1:
        st.session_state[_BACK] = (values, runs_left - 1)
    return bool(runs_left > 1)

"""The saved cohorts of the store in, one of them chosen by the reader out; links name it by its id and no free text."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import streamlit as st

from cohort_db import saved_cohorts
from cohort_db.errors import InputMistake
from dashboard.session import TASK, cached_store, the_store
from dashboard.wording import literal

EVERYBODY = "everybody"
_RESULTS = frozenset({"p", "error", "verdict", "outcome"})


def saved_names() -> dict[str, str]:
    """Saved cohort -> its name, newest first, without the archived ones."""
    found = saved_cohorts.listed(the_store(), TASK)
    return dict(zip(found["cohort_id"], found["name"], strict=True))


def pick(
    place: Any,
    label: str,
    key: str,
    offered: dict[str, str],
    default: str,
    *,
    width: Literal["stretch"] | int = "stretch",
) -> str:
    """A cohort is chosen; the URL names it by id under `key`.

    The widget holds names, which do not belong into a link, so that the URL is written by hand and not by Streamlit.
    Args:
        place: where the widget stands; offered: id -> name; one that is asked for and not listed, as it was archived,
            is added. An unknown one stops the page with a sentence.
    """
    asked = st.query_params.get(key, default)
    if asked not in offered:
        # Archived since, or never here: a link must not silently show other stays.
        try:
            offered[asked] = saved_cohorts.get(the_store(), asked).name
        except InputMistake:
            place.error(f"The link names a cohort {literal(asked)} that is not here.")
            place.button("Go on without it", key=f"forget-{key}", on_click=_forget, args=(key,))
            st.stop()

    def move() -> None:
        st.query_params[key] = st.session_state[f"pick-{key}"]

    st.session_state[f"pick-{key}"] = asked  # the URL has the last word: Back and a link move the widget too
    shown: dict[str, Any] = {"format_func": offered.__getitem__, "key": f"pick-{key}", "width": width}
    place.selectbox(label, list(offered), on_change=move, **shown)
    return asked


def _forget(key: str) -> None:
    st.query_params.pop(key, None)


# What is saved is never changed, so an id is a key for good.
@st.cache_resource(max_entries=16, show_spinner=False)
def members(url: str, cohort: str) -> np.ndarray:
    """The stays (N,) of a saved cohort at saving."""
    found = saved_cohorts.members(cached_store(url), cohort)
    found.setflags(write=False)
    return found


def chosen_by_result(cohort: str, depth: int = 0) -> bool:
    """Whether the cohort is defined by predictions or outcomes, itself or through what it was combined of."""
    if cohort == EVERYBODY or depth > saved_cohorts.DEEPEST:
        return False
    definition = saved_cohorts.get(the_store(), cohort).definition
    if definition["kind"] == "operation":
        return any(chosen_by_result(one, depth + 1) for one in definition["of"])
    asked = definition.get("filters", {})
    if "cohort" in asked and chosen_by_result(asked["cohort"], depth + 1):
        return True
    return definition["kind"] == "list" or not _RESULTS.isdisjoint(asked)


def warn_of_result(names: dict[str, str], *cohorts: str) -> None:
    """A warning stands on the page where what is evaluated was chosen by what is evaluated."""
    by_result = [f"“{literal(names[cohort])}”" for cohort in cohorts if chosen_by_result(cohort)]
    if by_result:
        st.warning(
            f"{' and '.join(by_result)} was chosen by what the model said or what came of it: the numbers of such a "
            "choice follow from the choice, and say nothing of the model."
        )

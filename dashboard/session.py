"""What every page starts from: the store, the run that is looked at, and the banners that must stand on it."""

from __future__ import annotations

import html
from collections.abc import Collection
from typing import Any

import streamlit as st

from cohort_db import read, read_results
from cohort_db.errors import InputMistake, StoreVersionMismatch
from cohort_db.store import Store, default_url, open_store
from dashboard.data_worth import data_warnings
from dashboard.wording import RESEARCH_USE

TASK = "los"
CHOSEN = "chosen_run"


_PAGE, _ARRIVED = "page_shown", "page_arrived"


def note_page(path: str) -> None:
    """Remember which page is about to be drawn; to be called before it is."""
    if st.session_state.get(_PAGE) != path:
        # Only ever set: a second click may cut off the run that arrives before the page has looked.
        st.session_state[_ARRIVED] = True
    st.session_state[_PAGE] = path


def forget_what_the_link_does_not_say(parameters: Collection[str]) -> bool:
    """Return whether the reader arrives from another page. Where that is by a link that names some of these parameters,
    the others ask for nothing: else Streamlit gives their widgets what they held at the last visit, and the link shows
    other stays.

    Args:
        parameters: of the page in the URL, which are the keys of its widgets. A link to the bare page leaves all as it
            was.
    """
    named = set(st.query_params)
    arrived = bool(st.session_state.pop(_ARRIVED, False))
    if arrived and not named.isdisjoint(parameters):
        for name in set(parameters) - named:
            st.session_state.pop(name, None)
    return arrived


@st.cache_resource(show_spinner=False)
def _open(url: str) -> Store:
    return open_store(url)


def the_store() -> Store:
    """Return the store; without one, or with one of another version, the page says what to do and stops."""
    try:
        return _open(default_url())
    except StoreVersionMismatch as mismatch:
        st.title("The store has another version")
        st.info(f"{str(mismatch)[:1].upper()}{str(mismatch)[1:]}.")
        st.stop()
    except InputMistake as mistake:
        st.title("No data yet")
        st.info(f"{mistake}")
        st.code("make run        # a synthetic demo cohort\nlemof ingest --ehr DIR --ecg DIR", language=None)
        st.stop()


@st.cache_data(ttl=5, max_entries=8, show_spinner=False)
def revision(url: str) -> str:
    """Return a text that changes when jobs add runs, predictions or metrics: part of every cache key."""
    return read_results.revision(_open(url))


def stamp() -> tuple[str, str]:
    """Return (store URL, revision): the first arguments of every cached query."""
    store = the_store()
    return store.url, revision(store.url)


# While this very run is scored its predictions change at every look: a large frame is not built anew for each.
@st.cache_data(ttl=15, max_entries=32, show_spinner=False)
def n_predictions(url: str, run_id: str) -> int:
    """How many samples the run has scored; as predictions are only ever added, what is read of them hangs on it."""
    return read_results.n_predictions(_open(url), run_id)


def cached_store(url: str) -> Store:
    """Return the open store of a URL, for cached queries that may not take the store itself as an argument."""
    return _open(url)


def selected_run() -> dict[str, Any] | None:
    """Return the run named in the URL (`run=`), else the one chosen before in this session, else the newest; or None.

    An unknown run stops the page with a sentence: a link must never silently show another model.
    """
    store = the_store()
    asked = st.query_params.get("run")
    try:
        found = read_results.run(store, chosen_run() or read_results.newest_run(store, TASK))
        if asked:
            # The navigation drops the URL's parameters: without this it would silently go back to the newest run.
            st.session_state[CHOSEN] = asked
        return found
    except InputMistake as mistake:
        if asked:
            st.error(f"{mistake}. The link names a run that this store does not hold.")
            st.stop()
        return None


def chosen_run() -> str | None:
    """Return the run that the URL names, else the one chosen before in this session; None where nobody chose."""
    return st.query_params.get("run") or st.session_state.get(CHOSEN)


@st.cache_data(max_entries=4, show_spinner=False)
def _kinds(url: str, revision: str) -> tuple[list[str], bool, bool]:
    found = read.datasets(_open(url))
    return found["name"].tolist(), bool(found["synthetic"].any()), bool(found["surrogate_ecg"].any())


def banners(run: dict[str, Any] | None = None) -> None:
    """Draw what must stand on every page: synthetic or surrogate data, and research use only."""
    names, synthetic, surrogate = _kinds(*stamp())
    warnings = data_warnings(synthetic, surrogate, run)
    text = " · ".join([*warnings, RESEARCH_USE])
    strong = "lemof-banner-strong" if warnings else ""
    data = html.escape(", ".join(names))
    st.html(
        f'<div class="lemof-banner {strong}" role="note" data-testid="data-banner">{html.escape(text)}'
        f'<span class="lemof-banner-data">{data}</span></div>'
    )

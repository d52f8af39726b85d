"""What /cohort and / ask of the store: a store URL and its revision in, small cached answers out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import facets, read, read_results
from cohort_db.browse import Browser
from cohort_db.browse import totals as browse_totals
from cohort_db.errors import InputMistake
from cohort_db.stay_filters import Filters
from cohort_db.tally import Tally, tally
from dashboard.session import TASK, cached_store, n_predictions, the_store
from dashboard.stay_list import read_list
from dashboard.wording import Definition, definition_of

_READING = "Reading the stays"  # shown to who waits for half a second
SPARKLINES = ("heart_rate", "map", "creatinine", "lactate")


Stamp = tuple[str, str | None, int, str | None]  # store URL, `facets.revision`, predictions of the run, run


# Some 60 bytes a stay each, once it was asked about stays: 61 MB at a million.
@st.cache_resource(max_entries=4, show_spinner=False)
def _browser(url: str, revision: str | None, n_predictions: int, run_id: str | None) -> Browser:
    return Browser(cached_store(url), run_id, TASK)


# Jobs leave the counts behind them; a store from before there were any has none yet, which one reader makes for all.
# While a job changes the cohort those of before stay: who looks must not hold up who writes.
@st.cache_resource(max_entries=4, show_spinner="Counting the stays")
def _count_first(url: str) -> bool:
    return facets.make_current(cached_store(url), TASK)


def browse_stamp(run_id: str | None) -> Stamp:
    """What the counts hang on."""
    url = the_store().url
    if facets.revision(cached_store(url), TASK) is None:
        _count_first(url)
    return url, facets.revision(cached_store(url), TASK), n_predictions(url, run_id) if run_id else 0, run_id


def browser(run_id: str | None) -> Browser:
    """The stays as the run sees them, as they are now."""
    return _browser(*browse_stamp(run_id))


# Held per filter: the same link opened by many readers is counted once. Who is first also waits for the stays to be
# read, which takes seconds at a million.
@st.cache_data(max_entries=64, show_spinner=_READING)
def counted(stamp: Stamp, filters: Filters) -> Tally:
    """The counts of all facets. The first argument is a `browse_stamp`."""
    return tally(_browser(*stamp), filters, scored=stamp[2] > 0)


def counts_are_current(url: str) -> bool:
    """Whether the counts are of the cohort as it is now; not so while an ingest is under way, or was cut off."""
    return facets.are_current(cached_store(url), TASK)


def age_ends(browser: Browser) -> tuple[int, int] | None:
    """The ends of the age slider of /cohort, always apart; None without any stay."""
    ages = browser.ages(Filters())
    return (min(ages), max(max(ages), min(ages) + 1)) if ages else None


def totals(url: str, revision: str) -> tuple[int, int]:
    """How many stays are in the cohort, and how many outside."""
    return browse_totals(cached_store(url), TASK)


@st.cache_data(max_entries=16, show_spinner=False)
def paths(url: str, revision: str, run_id: str) -> list[str]:
    """The paths of which the run has predictions: both, ehr."""
    return read_results.scored_paths(cached_store(url), run_id)


def listed_stays(run_id: str | None, written: str) -> np.ndarray:
    """The stays (N,) of a list in its order, as they are now.

    Raises: ValueError for a text that `StayList.written` never writes.
    """
    return _listed(browse_stamp(run_id if read_list(written).reads_run else None), written, run_id)


# At most 32 lists of 8 bytes a stay, whoever leafs through them: 26 MB at 100,000 stays. A list that reads no run is
# the same one for all of them, by whichever's browser is at hand.
@st.cache_resource(max_entries=32, show_spinner=_READING)
def _listed(stamp: Stamp, written: str, _run_id: str | None) -> np.ndarray:
    ids = read_list(written).ids(browser(_run_id))
    ids.setflags(write=False)
    return ids


@st.cache_data(max_entries=4, show_spinner=False)
def definition(url: str, revision: str) -> Definition | None:
    """What the cohort predicts, and when; None before the first ingest of this version."""
    try:
        return definition_of(read.task_definition(cached_store(url), TASK))
    except InputMistake:
        return None


@st.cache_data(max_entries=4, show_spinner=False)
def attrition(url: str, revision: str) -> pd.DataFrame:
    """The attrition table of the task: step, rule, label, n_before, n_left_out, n_after."""
    return read.attrition(cached_store(url), TASK)


@st.cache_data(max_entries=64, show_spinner=False)
def sparklines(url: str, revision: str, stay_ids: tuple[int, ...], t0_s: int) -> pd.DataFrame:
    """The hourly means known before t0: one row per stay id in the given order, a list per name of SPARKLINES.

    Hours without a value are left out, so a list may be shorter than the hours up to t0, or empty.
    """
    values = read.measurements(cached_store(url), stay_ids, before_s=t0_s)
    values = values[values["variable"].isin(SPARKLINES) & (values["offset_s"] >= 0)]
    hourly = values.groupby(["stay_id", "variable", values["offset_s"] // 3600])["value"].mean()
    lists = hourly.groupby(level=[0, 1]).agg(list)
    return pd.DataFrame(
        {name: [lists.get((stay_id, name), []) for stay_id in stay_ids] for name in SPARKLINES},
        index=list(stay_ids),
    )


@st.cache_data(max_entries=4, show_spinner=False)
def datasets(url: str, revision: str) -> pd.DataFrame:
    """The datasets of the store: the columns of `read.datasets`."""
    return read.datasets(cached_store(url))

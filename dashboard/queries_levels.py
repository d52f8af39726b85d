"""What the page of levels asks of the store and has worked out: a run and its population in, cached numbers out."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read_levels
from dashboard import queries_results
from dashboard.level_judges import Judged, judged
from dashboard.session import cached_store
from lemof_core.evaluation.group_means import GroupMeans, group_means

MOST_RUNS = 20


# One frame for all sessions, which nobody changes, as `queries_analysis.analysed`.
@st.cache_resource(max_entries=6, show_spinner="Reading the level scores")
def selection_phi(url: str, revision: str, run_id: str, split: str, scale: str) -> pd.DataFrame:
    """`read_levels.selection_phi`."""
    return read_levels.selection_phi(cached_store(url), run_id, split, scale)


def who(frame: pd.DataFrame) -> str:
    """A hash of the samples of a frame, in order: with the run it is the key of what is worked out from them."""
    return hashlib.sha256(pd.util.hash_pandas_object(frame["sample_id"], index=False).to_numpy().tobytes()).hexdigest()


@st.cache_data(max_entries=32, show_spinner="Drawing patients for the intervals")
def means_of_groups(
    key: tuple[str, ...], _values: np.ndarray, _members: np.ndarray, _subject_ids: np.ndarray
) -> GroupMeans:
    """`group_means`; `key` must name the run, the samples, the values and the groups."""
    return group_means(_values, _members, _subject_ids)


@st.cache_data(max_entries=32, show_spinner="Judging the levels")
def judgement(
    key: tuple[str, ...],
    _known: pd.DataFrame,
    _phi: np.ndarray,
    _weights: pd.DataFrame,
    _k_star: dict[str, int],
    modality: str,
    link: str,
) -> Judged:
    """`level_judges.judged`; `key` must name the run and the samples."""
    return judged(_known, _phi, _weights, _k_star, modality, link)


@st.cache_data(max_entries=16, show_spinner=False)
def choices_of(url: str, revision: str, run_ids: tuple[str, ...]) -> pd.DataFrame:
    """The level choices of several runs: the columns of `read_results.level_choices`, and run_id."""
    found = [
        queries_results.fitted(url, revision, run_id)["level_choices"].assign(run_id=run_id)
        for run_id in run_ids[:MOST_RUNS]
    ]
    return pd.concat(found, ignore_index=True)

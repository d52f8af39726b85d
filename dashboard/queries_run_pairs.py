"""What /compare asks of the store beside the predictions: two runs in, small cached frames out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cohort_db import read_results, read_run_pairs
from dashboard.session import cached_store


# One frame for all sessions, which nobody changes; `analysed` would read all facts of the same samples once more.
@st.cache_resource(max_entries=6, show_spinner="Reading the predictions")
def said(url: str, revision: str, run_id: str, split: str) -> pd.DataFrame:
    """What the run said of the samples of a split, by sample: sample_id, p, logit, path."""
    return read_results.predictions(cached_store(url), run_id, split)[["sample_id", "p", "logit", "path"]]


@st.cache_data(max_entries=16, show_spinner=False)
def shared_splits(url: str, revision: str, run_id: str, other_id: str) -> pd.DataFrame:
    """`read_run_pairs.shared_splits`: the run's samples by its own split and the other's."""
    return read_run_pairs.shared_splits(cached_store(url), run_id, other_id)

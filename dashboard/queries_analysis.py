"""What the pages of errors and comparisons ask of the store: a run and a split in, one cached frame out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cohort_db import read_analysis
from dashboard.session import cached_store
from dashboard.wording import care_unit


# One frame for all sessions, which nobody changes: st.cache_data would copy it for every viewer on every rerun.
@st.cache_resource(max_entries=6, show_spinner="Reading the predictions")
def analysed(url: str, revision: str, run_id: str, split: str) -> pd.DataFrame:
    """`read_analysis.analysed` with care units by their short names."""
    frame = read_analysis.analysed(cached_store(url), run_id, split)
    return frame.assign(unit=frame["unit"].map(care_unit).astype("category"))

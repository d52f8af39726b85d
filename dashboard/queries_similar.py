"""A run in, the vectors of its explained stays and who they are out: kept once for all viewers, read by id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read_results
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from dashboard.neighbours import SPACES, reads_ecg, standardised
from dashboard.session import cached_store


@dataclass(frozen=True)
class Space:
    """Standardised vectors (N, d) of the explained stays, and people: sample_id, stay_id, subject_id, p, label,
    died_before_cut, split, outcome_hours, row by row."""

    vectors: np.ndarray
    people: pd.DataFrame


_SHOWN = ["sample_id", "stay_id", "subject_id", "p", "label", "died_before_cut", "split", "outcome_hours"]


# Read-only and shared: a copy a viewer of 100,000 vectors would not fit.
@st.cache_resource(max_entries=2, show_spinner="Reading the vectors of all stays")
def space_of(url: str, revision: str, run_id: str, space: str) -> Space | None:
    """Return the space; None where the run stored no such vectors."""
    store = cached_store(url)
    found = read_results.predictions(store, run_id)
    found = found[found["array_row"].notna()]
    if reads_ecg(space):
        found = found[found["path"] == "both"]
    if found.empty:
        return None
    rows = found["array_row"].to_numpy(np.int64)
    try:
        parts = [ArrayStore(store, run_id).read(name, rows) for name in SPACES[space]]
    except InputMistake:
        return None
    return Space(standardised(np.concatenate(parts, axis=1)), found[_SHOWN].reset_index(drop=True))

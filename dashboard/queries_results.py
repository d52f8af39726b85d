"""What the pages of results ask of the store: a store URL, its revision and a run in, small cached frames out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from cohort_db import read_results
from cohort_db.truth import true_probabilities
from dashboard.session import TASK, cached_store
from dashboard.wording import care_unit
from lemof_core.evaluation.reachable import Share, share_of_reachable

HELD_OUT = "heldout"  # the split under which a shipped run keeps the test metrics it came with


@st.cache_data(max_entries=8, show_spinner=False)
def runs(url: str, revision: str) -> pd.DataFrame:
    """The runs of the task, newest first: the columns of `read_results.runs`."""
    return read_results.runs(cached_store(url), TASK)


@st.cache_data(max_entries=16, show_spinner=False)
def metrics(url: str, revision: str, run_id: str, split: str) -> pd.DataFrame:
    """The run's metrics on a split, care units by their short names: the columns of `read_results.metrics`."""
    found = read_results.metrics(cached_store(url), run_id, split)
    unit = found["stratum_kind"] == "unit"
    found.loc[unit, "stratum"] = found.loc[unit, "stratum"].map(care_unit)
    return found


@st.cache_data(max_entries=8, show_spinner=False)
def predictions(url: str, revision: str, run_id: str) -> pd.DataFrame:
    """The run's predictions with a known outcome: sample_id, stay_id, subject_id, split, path, p, label (int),
    died_before_cut, and logits ecg_1..3, ehr_1..3, cross (NaN where the path has no such port)."""
    store = cached_store(url)
    found = read_results.predictions(store, run_id)
    kept = ["sample_id", "stay_id", "subject_id", "split", "path", "p", "label", "died_before_cut"]
    known = found.loc[found["label"].notna(), kept].reset_index(drop=True)
    known["label"] = known["label"].astype(int)
    known["died_before_cut"] = known["died_before_cut"].astype(bool)
    inner = read_results.ports(store, run_id).reindex(known["sample_id"])
    return pd.concat([known, inner.reset_index(drop=True)], axis=1)


@st.cache_data(max_entries=8, show_spinner=False)
def scored_splits(url: str, revision: str, run_id: str) -> list[str]:
    """The splits of which the run has predictions; none for a run that has not scored."""
    return read_results.scored_splits(cached_store(url), run_id)


@st.cache_data(max_entries=8, show_spinner=False)
def scored(url: str, revision: str, run_id: str, split: str) -> tuple[int, int]:
    """How many predictions on the split have a known outcome, and how many of those are long stays."""
    return read_results.scored(cached_store(url), run_id, split)


@st.cache_data(max_entries=8, show_spinner=False)
def fitted(url: str, revision: str, run_id: str) -> dict[str, pd.DataFrame]:
    """What the run was fitted to: frames `calibrations`, `level_choices`, `stage_weights` of `read_results`."""
    store = cached_store(url)
    return {
        "calibrations": read_results.calibrations(store, run_id),
        "level_choices": read_results.level_choices(store, run_id),
        "stage_weights": read_results.stage_weights(store, run_id),
    }


@st.cache_data(max_entries=8, show_spinner=False)
def reachable(url: str, revision: str, run_id: str, split: str) -> Share | None:
    """The share of the reachable AUROC on the samples whose truth the generator left in truth.csv; None without it."""
    truth = _truth(url, revision)
    if truth.empty:
        return None
    known = predictions(url, revision, run_id)
    known = known[known["split"] == split].merge(truth, on="stay_id")
    y, p, p_x = (known[name].to_numpy(float) for name in ("label", "p", "p_x"))
    return share_of_reachable(y, p, p_x, known["subject_id"].to_numpy())


@st.cache_data(max_entries=4, show_spinner=False)
def _truth(url: str, revision: str) -> pd.DataFrame:
    """stay_id and p_x of the synthetic datasets whose folder is still at hand."""
    return true_probabilities(cached_store(url))

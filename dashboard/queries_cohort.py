"""What /cohort and / ask of the store: a store URL and its revision in, small cached frames out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import streamlit as st

from cohort_db import read, read_results
from cohort_db.errors import InputMistake
from dashboard.session import TASK, cached_store, stays_stamp
from dashboard.stay_list import read_list
from dashboard.wording import Definition, care_unit, definition_of

_OF_STAY = (
    "stay_id", "subject_id", "sample_id", "in_cohort", "age_years", "label", "rule", "sex", "first_careunit",
    "ecg_usable", "split", "died_before_cut",
)  # fmt: skip
SPARKLINES = ("heart_rate", "map", "creatinine", "lactate")


# One frame for all sessions, which nobody changes: st.cache_data would copy it for every viewer on every rerun.
@st.cache_resource(max_entries=3, show_spinner=False)
def stays(url: str, cohort: str, n_predictions: int, run_id: str | None) -> pd.DataFrame:
    """Every stay, by stay_id, with what the run predicted. The arguments are a `session.stays_stamp`.

    Columns: stay_id, subject_id, sample_id, in_cohort, rule, split, age_years, sex, unit (short), disease_groups
    (joined by ", "), ecg (usable: yes or no), outcome (one of cohort_filters.OUTCOMES), label (Int64), p, p_lo, p_hi,
    path (of the prediction: both or ehr). p is NaN where the run has not scored the stay; split is the run's, else
    the store's.
    """
    out = _facts(url, cohort).copy(deep=False)
    predicted = pd.DataFrame(columns=["sample_id", "split", "path", "p", "p_lo", "p_hi"])
    if run_id is not None:
        predicted = read_results.predictions(cached_store(url), run_id)[predicted.columns]
    predicted = predicted.set_index("sample_id").reindex(out["sample_id"])
    for name in ("p", "p_lo", "p_hi"):
        out[name] = predicted[name].to_numpy(float)
    out["path"] = predicted["path"].to_numpy()
    split = predicted["split"].reset_index(drop=True).astype(object)
    out["split"] = split.where(split.notna(), out["split"].astype(object)).astype("category")
    return out


@st.cache_resource(max_entries=2, show_spinner=False)
def _facts(url: str, cohort: str) -> pd.DataFrame:
    """The columns of `stays` that no run has a say in; split is the store's."""
    store = cached_store(url)
    frame = read.stays(store, TASK, columns=_OF_STAY)
    coded = pl.from_pandas(read.disease_groups(store, TASK)).group_by("sample_id", maintain_order=True)
    groups = coded.agg(pl.col("disease_group").str.join(", ")).to_pandas().set_index("sample_id")["disease_group"]
    out = frame[["stay_id", "subject_id", "sample_id", "in_cohort", "age_years", "label"]].copy()
    out["rule"] = frame["rule"].astype("category")
    out["sex"] = frame["sex"].astype("category")
    units = frame["first_careunit"].astype("category")
    out["unit"] = units.map({name: care_unit(name) for name in units.cat.categories}).astype("category")
    out["disease_groups"] = frame["sample_id"].map(groups).fillna("").astype("category")
    usable = np.where(frame["ecg_usable"].fillna(False).to_numpy(bool), "yes", "no")
    # ECGs are linked to samples alone: of a stay outside the cohort nothing is known.
    out["ecg"] = pd.Series(usable, index=frame.index).where(frame["in_cohort"], None).astype("category")
    out["outcome"] = _outcome(frame)
    out["split"] = frame["split"].astype("category")
    return out


# At most 32 lists of 8 bytes a stay, whoever leafs through them: 26 MB at 100,000 stays.
@st.cache_resource(max_entries=32, show_spinner=False)
def listed(url: str, cohort: str, n_predictions: int, run_id: str | None, written: str) -> np.ndarray:
    """The stays (N,) of a list in its order. Raises: ValueError for a text that `StayList.written` never writes."""
    ids = read_list(written).ids(stays(url, cohort, n_predictions, run_id))
    ids.setflags(write=False)
    return ids


def listed_stays(run_id: str | None, written: str) -> np.ndarray:
    """`listed` as it is now; a list that reads no run is the same one for all of them."""
    return listed(*stays_stamp(run_id if read_list(written).reads_run else None), written)


def _outcome(frame: pd.DataFrame) -> pd.Categorical:
    died = frame["died_before_cut"].fillna(False).to_numpy(bool)
    long = (frame["label"] == 1).fillna(False).to_numpy(bool)
    named = np.select([died, long, frame["label"].notna().to_numpy(bool)], ["died", "long", "left"], "")
    return pd.Categorical(named, categories=["long", "left", "died"])  # "" is none of them: absent


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

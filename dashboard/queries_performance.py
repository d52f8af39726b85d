"""A population in, what /performance computes from it once and not at every move of a threshold out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.population import Population
from dashboard.report.group import group_metrics
from lemof_core.evaluation.calibration import calibration_groups, histogram, observed_over_expected, smooth_curve
from lemof_core.evaluation.confusion import Interval
from lemof_core.evaluation.cuts import CutCounts, cut_counts, drawn_cut_counts
from lemof_core.evaluation.delong import delong
from lemof_core.evaluation.gaps import GroupValues, auroc_by_group, comparable
from lemof_core.evaluation.net_benefit import decision_curve
from lemof_core.evaluation.ranking_curves import precision_recall_points, roc_points
from lemof_core.evaluation.strata import groups

Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Curves:
    """The lines of the four charts: frames of `ranking_curves`, `calibration` and `net_benefit`."""

    roc: pd.DataFrame
    precision_recall: pd.DataFrame
    smooth: pd.DataFrame | None
    groups: pd.DataFrame
    histogram: pd.DataFrame
    decision: pd.DataFrame
    oe: Interval | None


@dataclass(frozen=True)
class Gain:
    """AUROC of the model less that of the late mean on n stays with both modalities; None for too few."""

    difference: Interval | None
    n: int
    events: int


def key_of(population: Population, *stamp: Hashable) -> Key:
    """What a cached result of a population hangs on: the stamp, and whatever the reader chose it by."""
    chosen = (getattr(population, one.name) for one in fields(population) if one.name != "frame")
    return (*stamp, *chosen)


# As in `queries_analysis`: what nobody changes is kept once for all sessions and not copied at every rerun.
@st.cache_resource(max_entries=16, show_spinner="Drawing patients")
def curves(key: Key, _frame: pd.DataFrame) -> Curves:
    """The curves of a population with both outcomes.

    Args:
        key: `key_of` the population, and the group where it is one; _frame: its predictions.
    """
    y, p, subjects = _columns(_frame)
    decision = decision_curve(cut_counts(y, p), drawn_cut_counts(y, p, subjects))
    return Curves(
        roc_points(y, p),
        precision_recall_points(y, p),
        smooth_curve(y, p, subjects),
        calibration_groups(y, p),
        histogram(y, p),
        decision,
        observed_over_expected(y, p, subjects),
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def cuts_by_path(key: Key, _frame: pd.DataFrame) -> dict[str, tuple[CutCounts, CutCounts]]:
    """Path -> alarms at every hundredth as a threshold, of its patients and of drawn ones; without a path of nobody."""
    out = {}
    for path in _frame["path"].unique():
        y, p, subjects = _columns(_frame[_frame["path"] == path])
        out[str(path)] = cut_counts(y, p), drawn_cut_counts(y, p, subjects)
    return out


@st.cache_resource(max_entries=16, show_spinner="Drawing patients")
def aurocs(key: Key, _frame: pd.DataFrame, kind: str) -> GroupValues:
    """AUROC of each comparable group of a kind."""
    y, p, subjects = _columns(_frame)
    return auroc_by_group(y, p, comparable(y, groups(_frame, kind))[0], subjects)


@st.cache_resource(max_entries=16, show_spinner=False)
def beyond_late_mean(key: Key, _frame: pd.DataFrame) -> Gain:
    """AUROC of the model less that of the mean of its last levels, on stays with both modalities."""
    paired = _frame[_frame["path"] == "both"]
    y, p, subjects = _columns(paired)
    mean = paired[["ecg_3", "ehr_3"]].to_numpy(float).mean(1)
    found = delong(y, p, mean, subjects)
    return Gain((found.value, found.lo, found.hi) if found else None, len(y), int(y.sum()))


@st.cache_resource(max_entries=8, show_spinner="Evaluating the cohort")
def evaluated(
    key: Key, _frame: pd.DataFrame, tuned: tuple[tuple[str, float], ...], _run: dict[str, Any]
) -> pd.DataFrame:
    """What `read_results.metrics` gives, of stays for which nothing is stored.

    Args:
        tuned: (path, threshold) of the run's calibrations; _run: the run itself, whose id the key holds.
    """
    return group_metrics(_frame, dict(tuned), _run["n_by_split"])


def _columns(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return frame["label"].to_numpy(), frame["p"].to_numpy(float), frame["subject_id"].to_numpy()

"""`lemof evaluate`: stored predictions in, metrics with patient-bootstrap intervals in the store out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from cohort_db import read_analysis, read_results, results
from cohort_db.errors import InputMistake
from cohort_db.store import Store
from lemof_core.conformal import covered
from lemof_core.evaluation.metrics import Estimate, estimates, shares
from lemof_core.evaluation.strata import strata
from lemof_core.jobs.progress import Report, quiet

INNER_METRICS = ("auroc", "auprc")  # of inner predictions: they are not calibrated on their own
FORECAST_METRICS = (*INNER_METRICS, "brier")
CLASS_METRICS = (*FORECAST_METRICS, "acc_50", "f1_macro_50")


def evaluate(
    store: Store, run_id: str | None = None, *, task: str = "los", split: str = "test", progress: Report = quiet
) -> dict[str, Any]:
    """Leave the run's metrics on the split in the store, overall and by stratum; return the overall ones."""
    run = read_results.run(store, run_id or read_results.newest_run(store, task))
    run_id = str(run["run_id"])
    predicted = read_analysis.analysed(store, run_id, split)
    if predicted.empty:
        raise InputMistake(f"run {run_id} has no prediction with a known outcome on {split}: run `lemof score` first")
    cuts = read_results.calibrations(store, run_id).set_index("path")["threshold"]
    predicted["threshold"] = predicted["path"].map(cuts).astype(float)
    groups = list(strata(predicted))
    rows: list[dict[str, Any]] = []
    for number, (kind, name, chosen) in enumerate(groups):
        # Leaving deaths out matters for the whole and for diseases; elsewhere it would only double the table.
        for deaths in ("with", "without") if kind in ("all", "disease") else ("with",):
            keep = chosen if deaths == "with" else chosen & ~predicted["died_before_cut"].to_numpy(bool)
            some = predicted[keep]
            found = estimates(*_columns(some), thresholds=some["threshold"].to_numpy())
            rows += [_row("final", kind, name[:60], deaths, one) for one in found]
            if kind in ("all", "disease"):
                rows += _constant_rows(some, run["n_by_split"], kind, name, deaths)
        progress("strata", number + 1, len(groups))
    rows += _inner_rows(predicted)
    rows += _coverage_rows(read_results.conformals(store, run_id), predicted)
    results.replace_metrics(store, run_id, split, pd.DataFrame(rows))
    overall = {
        row["name"]: row
        for row in rows
        if row["source"] == "final" and row["stratum_kind"] == "all" and row["deaths"] == "with"
    }
    return {"run_id": run_id, "split": split, "n": len(predicted), "metrics": overall}


def _columns(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return frame["label"].to_numpy(float), frame["p"].to_numpy(float), frame["subject_id"].to_numpy()


def _row(source: str, kind: str, stratum: str, deaths: str, one: Estimate) -> dict[str, Any]:
    return {"source": source, "stratum_kind": kind, "stratum": stratum, "deaths": deaths, **asdict(one)}


def _constant_rows(
    some: pd.DataFrame, n_by_split: dict[str, dict[str, int]], kind: str, stratum: str, deaths: str
) -> list[dict[str, Any]]:
    """Return what forecasts score that look at no patient: the floors that every accuracy and Brier score must beat.

    `majority` says for sure the class that was the commoner one in the parts the run was fitted with; `base_rate` gives
    everybody the share of label 1 in them.
    """
    fitted = [counts for part, counts in n_by_split.items() if part != "test"]
    n, events = (sum(int(counts[key]) for counts in fitted) for key in ("n", "events"))
    if n == 0:
        return []
    y, _, subjects = _columns(some)
    forecasts = {
        "majority": (float(2 * events > n), CLASS_METRICS),
        "base_rate": (events / n, FORECAST_METRICS),
    }
    rows = []
    for source, (forecast, names) in forecasts.items():
        found = estimates(y, np.full(len(y), forecast), subjects, thresholds=np.full(len(y), np.nan))
        rows += [_row(source, kind, stratum, deaths, one) for one in found if one.name in names]
    return rows


def _coverage_rows(cutoffs: pd.DataFrame, predicted: pd.DataFrame) -> list[dict[str, Any]]:
    """Return by path and class how many samples have their own class in their conformal set, and how many both.

    The stratum is the path; nothing for a path where a class has no cut-off, for there is no set.
    """
    rows = []
    for path, own in cutoffs.dropna(subset="cutoff").groupby("path"):
        if len(own) < 2:
            continue
        some = predicted[predicted["path"] == path]
        y, p, subjects = _columns(some)
        cut = {int(label): float(cutoff) for label, cutoff in zip(own["label"], own["cutoff"], strict=True)}
        hit, events = covered(y, p, cut), int(y.sum())
        found = [
            shares(hit[y == label], subjects[y == label], name=f"coverage_{label}", events=events if label else 0)
            for label in (0, 1)
        ]
        both, none = (p <= cut[0]) & (1 - p <= cut[1]), (p > cut[0]) & (1 - p > cut[1])
        found.append(shares(both, subjects, name="set_of_both", events=events))
        found.append(shares(none, subjects, name="set_of_none", events=events))
        rows += [_row("final", "path", str(path), "with", one) for one in found]
    return rows


def _inner_rows(predicted: pd.DataFrame) -> list[dict[str, Any]]:
    """Return AUROC and AUPRC of the inner predictions on samples with both modalities: what each part adds."""
    both = predicted[predicted["path"] == "both"]
    if both.empty:
        return []
    y, p, subjects = _columns(both)
    levels = [f"{modality}_{k}" for modality in ("ecg", "ehr") for k in (1, 2, 3)]
    scores = {port: both[port].to_numpy(float) for port in [*levels, "cross"]}
    scores["late_mean"] = 0.5 * (scores["ecg_3"] + scores["ehr_3"])
    scores["all_levels_mean"] = np.mean([scores[level] for level in levels], axis=0)
    # A rival's decision reads some ports only, and the store holds no others.
    scores = {source: score for source, score in scores.items() if np.isfinite(score).all()} | {"final_paired": p}
    rows = []
    for source, score in scores.items():
        probability = score if source == "final_paired" else expit(score)
        found = estimates(y, probability, subjects, thresholds=np.full(len(y), np.nan))
        rows += [_row(source, "all", "all", "with", one) for one in found if one.name in INNER_METRICS]
    return rows

"""`lemof evaluate`: stored predictions in, metrics with patient-bootstrap intervals in the store out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cohort_db import read_analysis, read_results, results
from cohort_db.errors import InputMistake
from cohort_db.store import Store
from lemof_core.conformal import covered
from lemof_core.evaluation.metrics import shares
from lemof_core.evaluation.stratified import columns, metric_row, stratified
from lemof_core.jobs.progress import Report, quiet


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
    thresholds = predicted["path"].map(cuts).to_numpy(float)
    rows = stratified(predicted, thresholds, run["n_by_split"], progress=progress)
    rows += _coverage_rows(read_results.conformals(store, run_id), predicted)
    results.replace_metrics(store, run_id, split, pd.DataFrame(rows))
    overall = {
        row["name"]: row
        for row in rows
        if row["source"] == "final" and row["stratum_kind"] == "all" and row["deaths"] == "with"
    }
    return {"run_id": run_id, "split": split, "n": len(predicted), "metrics": overall}


def _coverage_rows(cutoffs: pd.DataFrame, predicted: pd.DataFrame) -> list[dict[str, Any]]:
    """Return by path and class how many samples have their own class in their conformal set, and how many both.

    The stratum is the path; nothing for a path where a class has no cut-off, for there is no set.
    """
    rows = []
    for path, own in cutoffs.dropna(subset="cutoff").groupby("path"):
        if len(own) < 2:
            continue
        some = predicted[predicted["path"] == path]
        y, p, subjects = columns(some)
        cut = {int(label): float(cutoff) for label, cutoff in zip(own["label"], own["cutoff"], strict=True)}
        hit, events = covered(y, p, cut), int(y.sum())
        found = [
            shares(hit[y == label], subjects[y == label], name=f"coverage_{label}", events=events if label else 0)
            for label in (0, 1)
        ]
        both, none = (p <= cut[0]) & (1 - p <= cut[1]), (p > cut[0]) & (1 - p > cut[1])
        found.append(shares(both, subjects, name="set_of_both", events=events))
        found.append(shares(none, subjects, name="set_of_none", events=events))
        rows += [metric_row("final", "path", str(path), "with", one) for one in found]
    return rows

"""`lemof status` and `lemof runs`: what the store holds, and what is still to be done."""

from __future__ import annotations

from typing import Any

from cohort_db import read, read_results, results
from cohort_db.ecg_preparation import pending_ecgs
from cohort_db.store import Store


def list_runs(store: Store, task: str) -> dict[str, Any]:
    """Return the runs of the task, newest first, each with how many samples it has scored.

    Raises InputMistake for a task that the store has neither runs nor samples of.
    """
    found = _runs(store, task)
    if not found:
        read.task_definition(store, task)
    return {"runs": found}


def _runs(store: Store, task: str) -> list[dict[str, Any]]:
    names = ("run_id", "created_at", "fusion", "preset", "ecg_encoder", "ehr_encoder", "fitting", "seed", "shipped")
    found = read_results.runs(store, task)
    rows = [
        {name: row[name] for name in names} | {"settings": row["config"].get("settings", {})}
        for row in found.to_dict("records")
    ]
    return [row | {"scored": len(results.scored_sample_ids(store, row["run_id"]))} for row in rows]


def status(store: Store, task: str = "los") -> dict[str, Any]:
    """Return counts of what is stored, and the next command where something is missing."""
    stays, samples = read.stays(store, task), read.samples(store, task)
    runs = _runs(store, task)
    pending = len(pending_ecgs(store))
    out: dict[str, Any] = {
        "store": repr(store),
        "datasets": read.datasets(store)["name"].tolist(),
        "stays": len(stays),
        "samples": len(samples),
        "samples_with_ecg": int(samples["ecg_usable"].fillna(False).sum()),
        "ecgs_not_prepared": pending,
        "runs": runs,
    }
    if samples.empty or pending:
        out["next"] = "lemof ingest"
    elif not runs:
        out["next"] = "lemof train"
    elif runs[0]["scored"] < len(samples):
        out["next"] = "lemof score"
    elif _not_evaluated(store, runs[0]["run_id"]):
        out["next"] = "lemof evaluate"
    else:
        out["next"] = "streamlit run streamlit_app.py"
    return out


def _not_evaluated(store: Store, run_id: str) -> bool:
    """Whether the run has scored test samples that its stored metrics are not of."""
    now = read_results.scored(store, run_id, "test")
    return now[0] > 0 and read_results.evaluated(store, run_id, "test") != now

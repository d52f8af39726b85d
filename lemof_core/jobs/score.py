"""`lemof score`: a run and the store's samples in, their predictions and explanations in the store out. Resumable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohort_db import read_results, results
from cohort_db.arrays import ArrayStore
from cohort_db.store import Store
from lemof_core.checkpoint import load_model, read_document
from lemof_core.explain.scored import array_specs
from lemof_core.fusion.lemof import SCORING_BATCH
from lemof_core.jobs.bridge import Cohort, load_cohort, refuse_absent, refuse_other_definition, splits_for
from lemof_core.jobs.progress import Report, quiet
from lemof_core.jobs.scoring import score_batches
from lemof_core.run_folder import run_folder

MAY_BE_ABSENT = ("p_lo", "p_hi", "typical_ecg", "typical_ehr", "unusual")  # columns of predictions


def score(
    store: Store, run_id: str | None = None, *, task: str = "los", explain: bool = True, progress: Report = quiet
) -> dict[str, Any]:
    """Predict and explain every sample of the run's task that lacks it; return run_id and counts.

    What was reported as stored stays: each batch of 32 is one transaction, and a killed run goes on where it was.
    Predictions stored without explanations (`explain=False`) keep their numbers and get their explanations.
    Raises InputMistake where the store's samples have another t0, cut or ECG link than the run.
    """
    run = read_results.run(store, run_id or read_results.newest_run(store, task))
    refuse_other_definition(store, run)
    folder = run_folder(run["folder"], store.runs_folder)
    done = results.scored_sample_ids(store, run["run_id"])
    unexplained = results.unexplained_sample_ids(store, run["run_id"]) if explain else set()
    cohort = load_cohort(store, run["task"])
    new = _rows(cohort, lambda name: name not in done)
    late = _rows(cohort, lambda name: name in unexplained)
    if explain and len(new) + len(late):
        arrays = ArrayStore(store, run["run_id"])
        for name, spec in array_specs(load_model(folder)).items():
            arrays.create(name, spec.shape, spec.dtype, spec.axes, spec.note)
    split = cohort.frame["split"].to_numpy()
    if run["shipped"]:
        split = splits_for(read_document(folder)["extra"]["data"]["fit_patients"], cohort.arrays.subject_ids)
    n_scored = 0
    for rows, scored in _scored(folder, cohort, new, explain, progress, "samples"):
        results.add_scored(
            store,
            run["run_id"],
            predictions=refuse_absent(scored.predictions.assign(split=split[rows]), optional=MAY_BE_ABSENT),
            level_scores=scored.level_scores,
            branch_values=scored.branch_values,
            input_effects=scored.input_effects,
            trust=scored.trust,
            arrays=scored.arrays,
        )
        n_scored += len(rows)
    for _, scored in _scored(folder, cohort, late, True, progress, "explanations"):
        results.add_explained(
            store,
            run["run_id"],
            predictions=scored.predictions[["sample_id", "logit"]],
            input_effects=scored.input_effects,
            trust=scored.trust,
            arrays=scored.arrays,
        )
    return {
        "run_id": run["run_id"],
        "scored": n_scored,
        "already_scored": len(done),
        "explained": n_scored + len(late) if explain else 0,
    }


def _rows(cohort: Cohort, wanted: Any) -> np.ndarray:
    """Return the rows (n,) of the samples whose name is wanted."""
    return np.array([row for row, name in enumerate(cohort.arrays.sample_ids) if wanted(name)], dtype=np.int64)


def _scored(folder: Path, cohort: Cohort, rows: np.ndarray, explain: bool, progress: Report, what: str) -> Any:
    """Yield (rows of a batch, what the run says of them), telling how far it is once the caller has stored them."""
    batches: Sequence[np.ndarray] = [rows[i : i + SCORING_BATCH] for i in range(0, len(rows), SCORING_BATCH)]
    done = 0
    for some, scored in zip(batches, score_batches(folder, cohort.arrays, batches, explain=explain), strict=True):
        yield some, scored
        done += len(some)
        progress(what, done, len(rows))

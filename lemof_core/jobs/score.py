"""`lemof score`: a run and the store's samples in, their predictions and explanations in the store out. Resumable."""

from __future__ import annotations

from typing import Any

import numpy as np

from cohort_db import read_results, results
from cohort_db.arrays import ArrayStore
from cohort_db.store import Store
from lemof_core.checkpoint import load_model
from lemof_core.explain.scored import array_specs
from lemof_core.fusion.lemof import SCORING_BATCH
from lemof_core.jobs.bridge import load_cohort, refuse_absent
from lemof_core.jobs.progress import Report, quiet
from lemof_core.jobs.scoring import score_batches
from lemof_core.run_folder import run_folder


def score(
    store: Store, run_id: str | None = None, *, task: str = "los", explain: bool = True, progress: Report = quiet
) -> dict[str, Any]:
    """Score every sample of the run's task that has no prediction yet; return run_id and counts.

    What was reported as stored stays: each batch of 32 is one transaction, and a killed run goes on where it was.
    """
    run = read_results.run(store, run_id or read_results.newest_run(store, task))
    folder = run_folder(run["folder"], store.runs_folder)
    done = results.scored_sample_ids(store, run["run_id"])
    cohort = load_cohort(store, run["task"])
    left = np.array([row for row, name in enumerate(cohort.arrays.sample_ids) if name not in done], dtype=np.int64)
    if explain and len(left):
        arrays = ArrayStore(store, run["run_id"])
        for name, spec in array_specs(load_model(folder)).items():
            arrays.create(name, spec.shape, spec.dtype, spec.axes, spec.note)
    # A shipped run saw nobody of this store: all are test to it.
    split = np.full(len(cohort.frame), "test") if run["shipped"] else cohort.frame["split"].to_numpy()
    batches = [left[start : start + SCORING_BATCH] for start in range(0, len(left), SCORING_BATCH)]
    n_scored = 0
    for rows, scored in zip(batches, score_batches(folder, cohort.arrays, batches, explain=explain), strict=True):
        results.add_scored(
            store,
            run["run_id"],
            predictions=refuse_absent(scored.predictions.assign(split=split[rows]), optional=("p_lo", "p_hi")),
            level_scores=scored.level_scores,
            branch_values=scored.branch_values,
            input_effects=scored.input_effects,
            arrays=scored.arrays,
        )
        n_scored += len(rows)
        progress("samples", n_scored, len(left))
    return {"run_id": run["run_id"], "scored": len(left), "already_scored": len(done), "explained": explain}

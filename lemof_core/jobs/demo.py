"""`lemof demo`: a synthetic cohort, the shipped run and its predictions in the store: all that the dashboard needs."""

from __future__ import annotations

from typing import Any

from cohort_db import read, read_results
from cohort_db.store import Store
from cohort_db.synthetic import write_cohort
from lemof_core.errors import ModelMistake
from lemof_core.jobs.evaluate import evaluate
from lemof_core.jobs.ingest import ingest
from lemof_core.jobs.progress import Report, quiet
from lemof_core.jobs.score import score
from lemof_core.jobs.shipped import import_shipped
from lemof_core.run_folder import SHIPPED_FOLDER

DEMO_STAYS = 200
DEMO_SEED = 2026  # the shipped run was fitted on seed 1: no patient is shared
DEMO_RUN = "demo"
ECG_MISSING = 0.06  # so that the path without an ECG can be seen too


def demo(store: Store, *, progress: Report = quiet) -> dict[str, Any]:
    """Leave the demo cohort ingested, scored and evaluated; what is there already is not done again."""
    shipped = SHIPPED_FOLDER / DEMO_RUN
    if not shipped.is_dir():
        raise ModelMistake(
            f"the shipped run is missing ({shipped}); restore it from the repository or run `lemof train`"
        )
    folder = store.folder / "demo"
    if not (folder / "summary.json").is_file():
        write_cohort(
            folder,
            n_stays=DEMO_STAYS,
            seed=DEMO_SEED,
            ecg_missing=ECG_MISSING,
            progress=lambda done, total, what: progress(what, done, total),
        )
    report = ingest(store, folder, folder / "ecg", progress=progress)
    run_id = import_shipped(store, shipped)
    scored = score(store, run_id, progress=progress)
    fresh = bool(scored["scored"]) or read_results.metrics(store, run_id, "test").empty
    metrics = evaluate(store, run_id, progress=progress)["metrics"] if fresh else None
    return {
        "run_id": run_id,
        "stays": len(read.stays(store)),
        "samples": len(read.samples(store)),
        "scored": scored["scored"],
        "ecgs_prepared": report["ecgs_prepared"],
        "evaluated": metrics is not None,
    }

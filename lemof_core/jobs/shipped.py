"""A run that comes with the project: what it needs is packed into a folder, and unpacked into any store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from cohort_db import read_results, results
from cohort_db.store import Store
from lemof_core.checkpoint import fingerprint
from lemof_core.jobs.train import register
from lemof_core.run_folder import run_folder

HELD_OUT = "heldout"  # the split under which a shipped run's own test metrics are stored


def import_shipped(store: Store, folder: Path) -> str:
    """Leave the run in the folder among the store's runs, with the metrics it came with; return its id."""
    run_id = fingerprint(folder)
    # Where the run was fitted in this very store it stays its own: runs are never changed.
    if run_id not in set(read_results.runs(store)["run_id"]):
        register(store, folder, shipped=True)
    metrics = folder / "metrics.json"
    if metrics.is_file() and read_results.metrics(store, run_id, HELD_OUT).empty:
        rows = json.loads(metrics.read_text(encoding="utf-8"))
        results.replace_metrics(store, run_id, HELD_OUT, pd.DataFrame(rows))
    return run_id


def export(store: Store, run_id: str | None, out: Path, *, task: str = "los") -> dict[str, Any]:
    """Leave weights, configuration and test metrics of a run in `out`, as `import_shipped` reads them."""
    run = read_results.run(store, run_id or read_results.newest_run(store, task))
    shutil.copytree(run_folder(run["folder"], store.runs_folder), out, dirs_exist_ok=True)
    split = HELD_OUT if run["shipped"] else "test"
    metrics = read_results.metrics(store, run["run_id"], split)
    rows = metrics.astype(object).where(metrics.notna(), None).to_dict("records")
    (out / "metrics.json").write_text(json.dumps(rows, indent=0, allow_nan=False), encoding="utf-8")
    return {"run_id": run["run_id"], "out": str(out), "metrics": len(rows)}

"""`lemof export`: a run in; a folder out that another store imports, or tables that any other program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cohort_db import read_results
from cohort_db.errors import InputMistake
from cohort_db.export import export_tables
from cohort_db.store import Store
from lemof_core.jobs import shipped
from lemof_core.jobs.progress import Report, quiet

WEIGHTS = "run"  # the subfolder that `import_shipped` reads, where weights are asked for beside tables


def export(
    store: Store,
    run_id: str | None,
    out: Path,
    *,
    task: str = "los",
    format: str | None = None,
    audit: bool = False,
    saliency: bool = False,
    weights: bool = False,
    progress: Report = quiet,
) -> dict[str, Any]:
    """Leave the run in `out`: without a format its weights and metrics, with one its tables, with weights on demand.

    Raises: InputMistake where something is asked of tables that are not exported; what `export_tables` raises.
    """
    if format is None:
        asked = {"--with-audit": audit, "--with-saliency": saliency, "--with-weights": weights}
        unread = [name for name, value in asked.items() if value]
        if unread:
            raise InputMistake(f"{', '.join(unread)} goes with tables: add --format parquet or --format csv")
        return shipped.export(store, run_id, out, task=task)
    run_id = run_id or read_results.newest_run(store, task)
    how: dict[str, Any] = {"format": format, "audit": audit, "saliency": saliency, "progress": progress}
    manifest = export_tables(store, run_id, out, **how)
    if weights:
        shipped.export(store, run_id, out / WEIGHTS, task=task)
    rows = {one["table"]: one["rows"] for one in manifest["files"]}
    return {"run_id": run_id, "out": str(out), "data_hash": manifest["data_hash"], "rows": rows}

"""The verbs of `lemof` that take a stored result along: `export` and `report`. They are registered in `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lemof_core.jobs.cli_answer import carry_out, with_store
from lemof_core.jobs.cli_options import AsJson, Db, Run, Split, TableFormat, Task


def export(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    run: Run = None,
    format: Annotated[
        TableFormat | None, typer.Option("--format", help="Tables in this format, with a data dictionary; no weights.")
    ] = None,
    audit: Annotated[bool, typer.Option("--with-audit", help="Race group, insurance and language too.")] = False,
    saliency: Annotated[bool, typer.Option("--with-saliency", help="ECG saliency too; large, parquet alone.")] = False,
    weights: Annotated[bool, typer.Option("--with-weights", help="The run's weights beside the tables.")] = False,
    task: Task = "los",
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Write a run into a folder: weights and metrics for another store, or its tables with --format parquet or csv."""
    from lemof_core.jobs import export as job

    what: dict[str, Any] = {"task": task, "audit": audit, "saliency": saliency, "weights": weights}
    what |= {"format": format.value if format else None}
    work = with_store(db, False, lambda store, report: job.export(store, run, out, **what, progress=report))
    carry_out("export", as_json, work)


def report(
    out: Annotated[Path, typer.Option("--out", help="File to write: FILE.html or FILE.pdf.")],
    run: Run = None,
    task: Task = "los",
    split: Annotated[Split, typer.Option("--split", help="Part to report on; anything but test is in-sample.")] = (
        Split.test  # type: ignore[attr-defined]
    ),
    cohort: Annotated[str | None, typer.Option("--cohort", help="Only the members of this saved cohort.")] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's report as one file: data hash, cohort, performance, vector figures, limits; it names no patient."""
    from lemof_core.jobs import report as job

    of: dict[str, Any] = {"task": task, "split": split.value, "cohort": cohort}
    carry_out(
        "report",
        as_json,
        with_store(db, False, lambda store, _: job.report(store, out, run, **of)),
    )

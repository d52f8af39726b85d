"""`lemof report`: a stored, evaluated run in; one HTML or PDF file out that opens anywhere and names no patient.

The report itself is made in `dashboard.report`, where the pages' words and colours are; the page's button makes the
same one. This module alone reaches up to it, as the command line is where all parts meet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cohort_db import read_results
from cohort_db.errors import InputMistake
from cohort_db.store import Store

FORMATS = (".html", ".pdf")


def report(
    store: Store,
    out: Path,
    run_id: str | None = None,
    *,
    task: str = "los",
    split: str = "test",
    cohort: str | None = None,
) -> dict[str, Any]:
    """Leave the report of a run on a split, or on a saved cohort's members in it, in `out`; the suffix is the format.

    Raises: InputMistake for another suffix, a folder that is not there, an unknown run or cohort, or nothing to report.
    """
    if out.suffix.lower() not in FORMATS:
        raise InputMistake(f"--out names the format by its suffix, one of {', '.join(FORMATS)}, however: {out.name!r}")
    if not out.parent.is_dir():
        raise InputMistake(f"there is no folder {out.parent} to write the report into")
    from dashboard.report.contents import contents, of_cohort

    run_id = run_id or read_results.newest_run(store, task)
    made = contents(store, run_id, split) if cohort is None else of_cohort(store, run_id, cohort, split)
    if out.suffix.lower() == ".html":
        from dashboard.report.html_page import html

        data = html(made).encode()
    else:
        from dashboard.report.pdf_document import pdf

        data = pdf(made)
    out.write_bytes(data)
    told = {"run_id": made.facts["Run"], "split": split, "data_hash": made.facts["Data hash (SHA-256)"]}
    return {**told, "out": str(out), "bytes": len(data)}

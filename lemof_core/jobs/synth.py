"""`lemof synth`: a synthetic cohort with known truth, written as raw folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cohort_db.synthetic import write_cohort
from lemof_core.jobs.progress import Report, quiet


def synth(out: Path, *, stays: int, test_stays: int = 0, progress: Report = quiet, **choices: Any) -> dict[str, Any]:
    """Write the cohort into `out` and return its summary: counts, prevalence, what any model could reach."""
    return write_cohort(
        out,
        n_stays=stays,
        n_test_stays=test_stays,
        progress=lambda done, total, what: progress(what, done, total),
        **choices,
    )

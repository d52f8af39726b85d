"""Made-up patients in MIMIC-IV's own files, with a known truth: what a model could know at best."""

from __future__ import annotations

from cohort_db.synthetic.cohort import write_cohort

__all__ = ["write_cohort"]

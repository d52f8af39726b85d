"""The tables of the store. `METADATA` is the single truth; migrations bring a database to it.

Three groups: `patients` (what the raw folders say), `cohort` (who is predicted for, and why not the others),
`results` (what runs said; append-only) with `workbench` (what people add). Every column carries unit and source.
"""

from cohort_db.schema.cohort import attrition, exclusion, sample, split, task
from cohort_db.schema.metadata import METADATA
from cohort_db.schema.patients import (
    admission,
    dataset,
    diagnosis,
    ecg_measurement,
    ecg_record,
    event_interval,
    ingest_step,
    measurement,
    note,
    stay,
    subject,
    variable,
)
from cohort_db.schema.results import (
    array_ref,
    branch_value,
    calibration,
    conformal,
    input_effect,
    level_choice,
    level_score,
    metric,
    prediction,
    run,
    stage_weight,
    trust,
)
from cohort_db.schema.workbench import audit_event, ecg_reading, facet_count, review, saved_cohort

__all__ = [
    "METADATA",
    "admission",
    "array_ref",
    "attrition",
    "audit_event",
    "branch_value",
    "calibration",
    "conformal",
    "dataset",
    "diagnosis",
    "ecg_measurement",
    "ecg_reading",
    "ecg_record",
    "event_interval",
    "exclusion",
    "facet_count",
    "ingest_step",
    "input_effect",
    "level_choice",
    "level_score",
    "measurement",
    "metric",
    "note",
    "prediction",
    "review",
    "run",
    "sample",
    "saved_cohort",
    "split",
    "stage_weight",
    "stay",
    "subject",
    "task",
    "trust",
    "variable",
]

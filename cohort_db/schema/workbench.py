"""What people add to the store: saved cohorts, reviews, measured ECG intervals, the audit trail, counts for filters."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, String, Table, Text

from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Whole
from cohort_db.schema.metadata import METADATA, col

saved_cohort = Table(
    "saved_cohort",
    METADATA,
    col("cohort_id", String(40), "random id used in links", primary_key=True),
    col("task", String(20), "task"),
    col("name", String(120), "given by its author"),
    col("author", String(120), "who saved it"),
    col("note", Text, "why", nullable=True),
    col("filters", Json, "definition"),
    col("sample_ids", Json, "frozen members at saving"),
    col("created_at", Moment, "UTC"),
)

review = Table(
    "review",
    METADATA,
    col("review_id", String(40), "random id", primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), index=True),
    col("run_id", String(40), "run shown, if any", ForeignKey("run.run_id"), nullable=True),
    col("reader", String(120), "who"),
    col("answers", Json, "form as filled in"),
    col("created_at", Moment, "UTC"),
)

ecg_reading = Table(
    "ecg_reading",
    METADATA,
    col("reading_id", String(40), "random id", primary_key=True),
    col("study_id", Whole, "ECG", ForeignKey("ecg_record.study_id"), index=True),
    col("name", String(40), "what was measured by hand, as in ecg_measurement, e.g. qrs_ms; the newest counts"),
    col("value", FiniteFloat, "in the unit of `name`; NULL: the reader says that it is not measurable", nullable=True),
    col("withdrawn", Boolean, "the automated value counts again"),
    col("reader", String(120), "who"),
    col("created_at", Moment, "UTC"),
)

audit_event = Table(
    "audit_event",
    METADATA,
    col("event_id", Whole, "order of events", primary_key=True, autoincrement=False),
    col("at", Moment, "UTC"),
    col("actor", String(120), "who"),
    col("action", String(40), "view, export, review, ..."),
    col("object", String(120), "sample_id, run_id or page"),
    col("detail", Json, "more", nullable=True),
    col("previous_sha256", String(64), "hash of the event before: a chain that shows edits"),
    col("sha256", String(64), "hash of this event"),
)

facet_count = Table(
    "facet_count",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("facet", String(40), "e.g. sex, disease, first_careunit", primary_key=True),
    col("value", String(120), "value of the facet", primary_key=True),
    col("n", Whole, "samples"),
)

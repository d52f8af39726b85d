"""What people add to the store: saved cohorts, reviews, measured ECG intervals, the audit trail.

Beside it what their filters are counted by: a narrow row of codes per stay, which can be read whole, derived from
the other tables and made anew when these change (see `facets`).
"""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, String, Table, Text

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
    col("definition", Json, "filters with their run, a set operation on other saved cohorts, or a list of stays"),
    col("n", Whole, "members at saving"),
    col("created_at", Moment, "UTC"),
    col("archived_at", Moment, "UTC; no longer listed, though its links hold", nullable=True),
)

saved_cohort_member = Table(
    "saved_cohort_member",
    METADATA,
    col("cohort_id", String(40), "saved cohort", ForeignKey("saved_cohort.cohort_id"), primary_key=True),
    # No key of table stay: what was frozen stays so when a re-ingest takes the stay away.
    col("stay_id", Whole, "member at saving", primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
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
    col("facet", String(40), "e.g. sex, disease, unit; age in whole years", primary_key=True),
    col("value", String(120), "value of the facet, as it is written elsewhere", primary_key=True),
    col("code", Whole, "what stands for the value in stay_facet; of a disease, the number of its bit"),
    col("n", Whole, "stays of the cohort with this value"),
    col("n_out", Whole, "stays outside the cohort with this value"),
)

stay_facet = Table(
    "stay_facet",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("stay_id", Whole, "stay", primary_key=True, autoincrement=False),
    col("subject_id", Whole, "subject"),
    col("sample_id", String(60), "the stay's first sample; NULL outside the cohort", nullable=True),
    col("age_years", Whole, "whole years at ICU admission"),
    col("sex", Whole, "code; subject.sex"),
    col("race", Whole, "code of the race group; admission.race; audit stratum, barred from models"),
    col("unit", Whole, "code; stay.first_careunit"),
    col("quality", Whole, "code: what the linked ECG is worth; NULL outside the cohort", nullable=True),
    col("outcome", Whole, "code: long, left or died; NULL where unknown", nullable=True),
    col("split", Whole, "code; split.split; NULL before the split is made", nullable=True),
    col("rule", Whole, "code of the attrition rule that left the stay out", nullable=True),
    col("label", Whole, "sample.label", nullable=True),
    col("diseases", Whole, "bit 2^code for each disease group of the admission; retrospective"),
    Index("ix_stay_facet_subject", "task", "subject_id"),
    sqlite_with_rowid=False,
)

facet_state = Table(
    "facet_state",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("revision", String(64), "read_results.cohort_revision that stay_facet and facet_count were made from"),
    col("n", Whole, "stays of the cohort"),
    col("n_out", Whole, "stays outside it"),
)

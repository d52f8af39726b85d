"""Who is predicted for: samples with their anchor time and outcome, why others are not, and which part each fits."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, String, Table, Text

from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Whole
from cohort_db.schema.metadata import METADATA, col

task = Table(
    "task",
    METADATA,
    col("task", String(20), "what is predicted, e.g. los", primary_key=True),
    col("t0_hours", FiniteFloat, "hours from intime to t0"),
    col("cut_hours", FiniteFloat, "a longer stay has label 1, hours from intime; NULL for other tasks", nullable=True),
    col("rules", Json, "every rule that the task's samples were made by"),
)

sample = Table(
    "sample",
    METADATA,
    col("sample_id", String(60), "task and stay, e.g. los-30001234: the key of predictions", primary_key=True),
    col("task", String(20), "what is predicted, e.g. los"),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id"), index=True),
    col("stay_id", Whole, "stay", ForeignKey("stay.stay_id"), index=True),
    col("t0", Moment, "anchor: nothing after it may reach a model"),
    col("t0_offset_s", Whole, "seconds from intime to t0"),
    col("label", Whole, "1 still in ICU after the cut, 0 not; NULL when unknown", nullable=True),
    col("outcome_hours", FiniteFloat, "ICU length of stay in hours", nullable=True),
    col("died_before_cut", Boolean, "death in ICU before the cut: a competing outcome, label 0"),
    col("study_id", Whole, "linked ECG", ForeignKey("ecg_record.study_id"), nullable=True),
    col("ecg_offset_s", Whole, "seconds from intime to ecg_time, negative before admission", nullable=True),
    Index("ix_sample_task_stay", "task", "stay_id"),
)

attrition = Table(
    "attrition",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("step", Whole, "order of the rule from 0 (all stays)", primary_key=True, autoincrement=False),
    col("rule", String(40), "name of the rule"),
    col("label", Text, "the rule as a sentence"),
    col("n_before", Whole, "stays before the rule"),
    col("n_left_out", Whole, "stays that the rule left out"),
    col("n_after", Whole, "stays after the rule"),
)

exclusion = Table(
    "exclusion",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("stay_id", Whole, "stay left out", ForeignKey("stay.stay_id"), primary_key=True, autoincrement=False),
    col("rule", String(40), "first rule that left it out; attrition.rule"),
)

split = Table(
    "split",
    METADATA,
    col("task", String(20), "task", primary_key=True),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id"), primary_key=True, autoincrement=False),
    col("split", String(8), "train, val, meta, cal or test"),
)

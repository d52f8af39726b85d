"""What the raw folders say, and who is predicted for.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables exist, empty."""
    _sources()
    _people()
    _ecgs()
    _courses()
    _cohort()


def _sources() -> None:
    """Where rows came from, and which steps of ingest finished."""
    op.create_table(
        "dataset",
        sa.Column("dataset_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("surrogate_ecg", sa.Boolean, nullable=False),
        sa.Column("ehr_folder", sa.Text, nullable=False),
        sa.Column("ecg_folder", sa.Text),
        sa.Column("description", sa.Text),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_dataset"),
        sa.UniqueConstraint("name", name="uq_dataset_name"),
    )
    op.create_table(
        "ingest_step",
        sa.Column("dataset_id", sa.BigInteger, nullable=False),
        sa.Column("step", sa.String(60), nullable=False),
        sa.Column("fingerprint", sa.String(80), nullable=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "step", name="pk_ingest_step"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.dataset_id"], name="fk_ingest_step_dataset_id_dataset"),
    )
    op.create_table(
        "variable",
        sa.Column("variable_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("unit", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("panel", sa.String(40), nullable=False),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("ref_low", sa.Float(53)),
        sa.Column("ref_high", sa.Float(53)),
        sa.Column("ref_low_f", sa.Float(53)),
        sa.Column("ref_high_f", sa.Float(53)),
        sa.Column("ref_source", sa.Text),
        sa.Column("decimals", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("variable_id", name="pk_variable"),
        sa.UniqueConstraint("name", name="uq_variable_name"),
    )


def _people() -> None:
    """Subjects, admissions and ICU stays."""
    op.create_table(
        "subject",
        sa.Column("subject_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.BigInteger, nullable=False),
        sa.Column("sex", sa.String(1), nullable=False),
        sa.Column("anchor_age", sa.BigInteger, nullable=False),
        sa.Column("anchor_year", sa.BigInteger, nullable=False),
        sa.Column("dod", sa.Date),
        sa.PrimaryKeyConstraint("subject_id", name="pk_subject"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.dataset_id"], name="fk_subject_dataset_id_dataset"),
    )
    op.create_index("ix_subject_dataset_id", "subject", ["dataset_id"])
    op.create_table(
        "admission",
        sa.Column("hadm_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("admittime", sa.DateTime, nullable=False),
        sa.Column("dischtime", sa.DateTime),
        sa.Column("deathtime", sa.DateTime),
        sa.Column("admission_type", sa.String(60), nullable=False),
        sa.Column("admission_location", sa.String(80)),
        sa.Column("discharge_location", sa.String(80)),
        sa.Column("insurance", sa.String(60)),
        sa.Column("language", sa.String(60)),
        sa.Column("marital_status", sa.String(60)),
        sa.Column("race", sa.String(80)),
        sa.Column("hospital_expire_flag", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("hadm_id", name="pk_admission"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_admission_subject_id_subject"),
    )
    op.create_index("ix_admission_subject_id", "admission", ["subject_id"])
    op.create_table(
        "stay",
        sa.Column("stay_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("hadm_id", sa.BigInteger, nullable=False),
        sa.Column("first_careunit", sa.String(80), nullable=False),
        sa.Column("last_careunit", sa.String(80), nullable=False),
        sa.Column("intime", sa.DateTime, nullable=False),
        sa.Column("outtime", sa.DateTime),
        sa.Column("los_hours", sa.Float(53)),
        sa.Column("age_years", sa.BigInteger, nullable=False),
        sa.Column("died_in_icu", sa.Boolean, nullable=False),
        sa.Column("death_offset_s", sa.BigInteger),
        sa.PrimaryKeyConstraint("stay_id", name="pk_stay"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_stay_subject_id_subject"),
        sa.ForeignKeyConstraint(["hadm_id"], ["admission.hadm_id"], name="fk_stay_hadm_id_admission"),
    )
    op.create_index("ix_stay_hadm_id", "stay", ["hadm_id"])
    op.create_index("ix_stay_subject_id", "stay", ["subject_id"])


def _ecgs() -> None:
    """ECG records and what was measured in them."""
    op.create_table(
        "ecg_record",
        sa.Column("study_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("dataset_id", sa.BigInteger, nullable=False),
        sa.Column("ecg_time", sa.DateTime, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("fs", sa.Float(53)),
        sa.Column("sig_len", sa.BigInteger),
        sa.Column("sig_name", sa.Text),
        sa.Column("units", sa.Text),
        sa.Column("adc_gain", sa.Text),
        sa.Column("surrogate", sa.Boolean, nullable=False),
        sa.Column("readable", sa.Boolean, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("quality", sa.Text),
        sa.Column("usable", sa.Boolean),
        sa.Column("array_row", sa.BigInteger),
        sa.PrimaryKeyConstraint("study_id", name="pk_ecg_record"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_ecg_record_subject_id_subject"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.dataset_id"], name="fk_ecg_record_dataset_id_dataset"),
    )
    op.create_index("ix_ecg_record_subject_time", "ecg_record", ["subject_id", "ecg_time"])
    op.create_table(
        "ecg_measurement",
        sa.Column("study_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("study_id", "name", name="pk_ecg_measurement"),
        sa.ForeignKeyConstraint(["study_id"], ["ecg_record.study_id"], name="fk_ecg_measurement_study_id_ecg_record"),
        sqlite_with_rowid=False,
    )


def _courses() -> None:
    """What was charted, given, coded and written."""
    op.create_table(
        "measurement",
        sa.Column("stay_id", sa.BigInteger, nullable=False),
        sa.Column("variable_id", sa.BigInteger, nullable=False),
        sa.Column("offset_s", sa.BigInteger, nullable=False),
        sa.Column("itemid", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("stored_offset_s", sa.BigInteger),
        sa.PrimaryKeyConstraint("stay_id", "variable_id", "offset_s", "itemid", name="pk_measurement"),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.stay_id"], name="fk_measurement_stay_id_stay"),
        sa.ForeignKeyConstraint(["variable_id"], ["variable.variable_id"], name="fk_measurement_variable_id_variable"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_interval",
        sa.Column("stay_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("start_s", sa.BigInteger, nullable=False),
        sa.Column("source_id", sa.String(40), nullable=False),
        sa.Column("itemid", sa.BigInteger),
        sa.Column("label", sa.String(160), nullable=False),
        sa.Column("end_s", sa.BigInteger),
        sa.Column("amount", sa.Float(53)),
        sa.Column("amount_unit", sa.String(40)),
        sa.Column("rate", sa.Float(53)),
        sa.Column("rate_unit", sa.String(40)),
        sa.PrimaryKeyConstraint("stay_id", "kind", "start_s", "source_id", name="pk_event_interval"),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.stay_id"], name="fk_event_interval_stay_id_stay"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "diagnosis",
        sa.Column("hadm_id", sa.BigInteger, nullable=False),
        sa.Column("seq_num", sa.BigInteger, nullable=False),
        sa.Column("icd_version", sa.BigInteger, nullable=False),
        sa.Column("icd_code", sa.String(10), nullable=False),
        sa.Column("disease_group", sa.String(40)),
        sa.PrimaryKeyConstraint("hadm_id", "seq_num", "icd_version", "icd_code", name="pk_diagnosis"),
        sa.ForeignKeyConstraint(["hadm_id"], ["admission.hadm_id"], name="fk_diagnosis_hadm_id_admission"),
    )
    op.create_index("ix_diagnosis_disease_group", "diagnosis", ["disease_group"])
    op.create_table(
        "note",
        sa.Column("note_id", sa.String(40), nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("hadm_id", sa.BigInteger),
        sa.Column("note_type", sa.String(20), nullable=False),
        sa.Column("charttime", sa.DateTime),
        sa.Column("storetime", sa.DateTime),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_note"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_note_subject_id_subject"),
        sa.ForeignKeyConstraint(["hadm_id"], ["admission.hadm_id"], name="fk_note_hadm_id_admission"),
    )
    op.create_index("ix_note_hadm_id", "note", ["hadm_id"])


def _cohort() -> None:
    """Samples, the stays left out, and the split."""
    op.create_table(
        "sample",
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("stay_id", sa.BigInteger, nullable=False),
        sa.Column("t0", sa.DateTime, nullable=False),
        sa.Column("t0_offset_s", sa.BigInteger, nullable=False),
        sa.Column("label", sa.BigInteger),
        sa.Column("outcome_hours", sa.Float(53)),
        sa.Column("died_before_cut", sa.Boolean, nullable=False),
        sa.Column("study_id", sa.BigInteger),
        sa.Column("ecg_offset_s", sa.BigInteger),
        sa.PrimaryKeyConstraint("sample_id", name="pk_sample"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_sample_subject_id_subject"),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.stay_id"], name="fk_sample_stay_id_stay"),
        sa.ForeignKeyConstraint(["study_id"], ["ecg_record.study_id"], name="fk_sample_study_id_ecg_record"),
    )
    op.create_index("ix_sample_stay_id", "sample", ["stay_id"])
    op.create_index("ix_sample_subject_id", "sample", ["subject_id"])
    op.create_index("ix_sample_task_stay", "sample", ["task", "stay_id"])
    op.create_table(
        "attrition",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("n_before", sa.BigInteger, nullable=False),
        sa.Column("n_left_out", sa.BigInteger, nullable=False),
        sa.Column("n_after", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task", "step", name="pk_attrition"),
    )
    op.create_table(
        "exclusion",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("stay_id", sa.BigInteger, nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("task", "stay_id", name="pk_exclusion"),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.stay_id"], name="fk_exclusion_stay_id_stay"),
    )
    op.create_table(
        "split",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("task", "subject_id", name="pk_split"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.subject_id"], name="fk_split_subject_id_subject"),
    )

"""What runs said, and what people add.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables exist, empty."""
    _runs()
    _fits()
    _scored()
    _summaries()
    _workbench()


def _runs() -> None:
    """Runs."""
    op.create_table(
        "run",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("fusion", sa.String(30), nullable=False),
        sa.Column("preset", sa.String(20), nullable=False),
        sa.Column("ecg_encoder", sa.String(30), nullable=False),
        sa.Column("ehr_encoder", sa.String(30), nullable=False),
        sa.Column("fitting", sa.String(10), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("code_version", sa.String(40), nullable=False),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("surrogate_ecg", sa.Boolean, nullable=False),
        sa.Column("shipped", sa.Boolean, nullable=False),
        sa.Column("n_by_split", sa.Text, nullable=False),
        sa.Column("not_estimable", sa.Text, nullable=False),
        sa.Column("fit_report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_run"),
    )
    op.create_index("ix_run_task", "run", ["task"])


def _fits() -> None:
    """What each run was fitted to."""
    op.create_table(
        "calibration",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("path", sa.String(10), nullable=False),
        sa.Column("slope", sa.Float(53), nullable=False),
        sa.Column("intercept", sa.Float(53), nullable=False),
        sa.Column("threshold", sa.Float(53)),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("base_logit", sa.Float(53), nullable=False),
        sa.Column("base_p", sa.Float(53), nullable=False),
        sa.Column("base_rate", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "path", name="pk_calibration"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_calibration_run_id_run"),
    )
    op.create_table(
        "level_choice",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("modality", sa.String(10), nullable=False),
        sa.Column("level", sa.BigInteger, nullable=False),
        sa.Column("mean_abs_phi", sa.Float(53)),
        sa.Column("weight", sa.Float(53)),
        sa.Column("frequency", sa.Float(53)),
        sa.Column("is_k_star", sa.Boolean, nullable=False),
        sa.Column("is_cross_level", sa.Boolean, nullable=False),
        sa.Column("cross_frequency", sa.Float(53)),
        sa.Column("auroc", sa.Float(53)),
        sa.PrimaryKeyConstraint("run_id", "modality", "level", name="pk_level_choice"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_level_choice_run_id_run"),
    )
    op.create_table(
        "stage_weight",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("path", sa.String(10), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("input", sa.String(20), nullable=False),
        sa.Column("weight", sa.Float(53), nullable=False),
        sa.Column("mean", sa.Float(53), nullable=False),
        sa.Column("scale", sa.Float(53), nullable=False),
        sa.Column("lo", sa.Float(53)),
        sa.Column("hi", sa.Float(53)),
        sa.PrimaryKeyConstraint("run_id", "path", "stage", "input", name="pk_stage_weight"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_stage_weight_run_id_run"),
    )


def _scored() -> None:
    """What a run says of each sample."""
    op.create_table(
        "prediction",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("path", sa.String(10), nullable=False),
        sa.Column("logit", sa.Float(53), nullable=False),
        sa.Column("p", sa.Float(53), nullable=False),
        sa.Column("p_lo", sa.Float(53)),
        sa.Column("p_hi", sa.Float(53)),
        sa.Column("logit_raw", sa.Float(53), nullable=False),
        sa.Column("array_row", sa.BigInteger),
        sa.PrimaryKeyConstraint("run_id", "sample_id", name="pk_prediction"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_prediction_run_id_run"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.sample_id"], name="fk_prediction_sample_id_sample"),
    )
    op.create_index("ix_prediction_sample", "prediction", ["sample_id"])
    op.create_table(
        "level_score",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("modality", sa.String(10), nullable=False),
        sa.Column("level", sa.BigInteger, nullable=False),
        sa.Column("logit", sa.Float(53), nullable=False),
        sa.Column("phi_logit", sa.Float(53), nullable=False),
        sa.Column("phi_prob", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sample_id", "modality", "level", name="pk_level_score"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_level_score_run_id_run"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.sample_id"], name="fk_level_score_sample_id_sample"),
    )
    op.create_table(
        "branch_value",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("port", sa.String(10), nullable=False),
        sa.Column("logit", sa.Float(53), nullable=False),
        sa.Column("phi_logit", sa.Float(53), nullable=False),
        sa.Column("phi_prob", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sample_id", "port", name="pk_branch_value"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_branch_value_run_id_run"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.sample_id"], name="fk_branch_value_sample_id_sample"),
    )
    op.create_table(
        "input_effect",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("v_none", sa.Float(53), nullable=False),
        sa.Column("v_ecg", sa.Float(53), nullable=False),
        sa.Column("v_ehr", sa.Float(53), nullable=False),
        sa.Column("v_both", sa.Float(53), nullable=False),
        sa.Column("n_background", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sample_id", name="pk_input_effect"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_input_effect_run_id_run"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.sample_id"], name="fk_input_effect_sample_id_sample"),
    )


def _summaries() -> None:
    """Arrays beside the store, and metrics."""
    op.create_table(
        "array_ref",
        sa.Column("owner", sa.String(60), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("shape", sa.Text, nullable=False),
        sa.Column("dtype", sa.String(10), nullable=False),
        sa.Column("axes", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name="pk_array_ref"),
    )
    op.create_table(
        "metric",
        sa.Column("run_id", sa.String(40), nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("stratum_kind", sa.String(20), nullable=False),
        sa.Column("stratum", sa.String(60), nullable=False),
        sa.Column("deaths", sa.String(10), nullable=False),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("lo", sa.Float(53)),
        sa.Column("hi", sa.Float(53)),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint(
            "run_id", "split", "source", "stratum_kind", "stratum", "deaths", "name", name="pk_metric"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_metric_run_id_run"),
    )


def _workbench() -> None:
    """Saved cohorts, reviews, the audit trail and facet counts."""
    op.create_table(
        "saved_cohort",
        sa.Column("cohort_id", sa.String(40), nullable=False),
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("author", sa.String(120), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("filters", sa.Text, nullable=False),
        sa.Column("sample_ids", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("cohort_id", name="pk_saved_cohort"),
    )
    op.create_table(
        "review",
        sa.Column("review_id", sa.String(40), nullable=False),
        sa.Column("sample_id", sa.String(60), nullable=False),
        sa.Column("run_id", sa.String(40)),
        sa.Column("reader", sa.String(120), nullable=False),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_review"),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.sample_id"], name="fk_review_sample_id_sample"),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name="fk_review_run_id_run"),
    )
    op.create_index("ix_review_sample_id", "review", ["sample_id"])
    op.create_table(
        "audit_event",
        sa.Column("event_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("object", sa.String(120), nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("previous_sha256", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_audit_event"),
    )
    op.create_table(
        "facet_count",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("facet", sa.String(40), nullable=False),
        sa.Column("value", sa.String(120), nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task", "facet", "value", name="pk_facet_count"),
    )

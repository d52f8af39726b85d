"""What the case page says of a prediction's honesty, critical limits of variables, and intervals that people measured.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables and the columns exist."""
    op.add_column("variable", sa.Column("crit_low", sa.Float(53)))
    op.add_column("variable", sa.Column("crit_high", sa.Float(53)))
    op.add_column("variable", sa.Column("crit_source", sa.Text))
    op.add_column("prediction", sa.Column("typical_ecg", sa.Float(53)))
    op.add_column("prediction", sa.Column("typical_ehr", sa.Float(53)))
    op.add_column("prediction", sa.Column("unusual", sa.Text))
    op.create_table(
        "conformal",
        sa.Column("run_id", sa.String(40), sa.ForeignKey("run.run_id", name="fk_conformal_run_id_run"), nullable=False),
        sa.Column("path", sa.String(10), nullable=False),
        sa.Column("label", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("alpha", sa.Float(53), nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("cutoff", sa.Float(53)),
        sa.PrimaryKeyConstraint("run_id", "path", "label", name="pk_conformal"),
    )
    op.create_table(
        "trust",
        sa.Column("run_id", sa.String(40), sa.ForeignKey("run.run_id", name="fk_trust_run_id_run"), nullable=False),
        sa.Column(
            "sample_id",
            sa.String(60),
            sa.ForeignKey("sample.sample_id", name="fk_trust_sample_id_sample"),
            nullable=False,
        ),
        sa.Column("modality", sa.String(10), nullable=False),
        sa.Column("deleted_salient", sa.Float(53), nullable=False),
        sa.Column("deleted_random", sa.Float(53), nullable=False),
        sa.Column("deleted_random_most", sa.Float(53), nullable=False),
        sa.Column("n_random", sa.BigInteger, nullable=False),
        sa.Column("rank_correlation", sa.Float(53)),
        sa.PrimaryKeyConstraint("run_id", "sample_id", "modality", name="pk_trust"),
    )
    op.create_table(
        "ecg_reading",
        sa.Column("reading_id", sa.String(40), nullable=False),
        sa.Column(
            "study_id",
            sa.BigInteger,
            sa.ForeignKey("ecg_record.study_id", name="fk_ecg_reading_study_id_ecg_record"),
            nullable=False,
        ),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("reader", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("reading_id", name="pk_ecg_reading"),
    )
    op.create_index("ix_ecg_reading_study_id", "ecg_reading", ["study_id"])

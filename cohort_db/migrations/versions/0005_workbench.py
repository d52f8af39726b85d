"""What the researcher's workbench counts and keeps: facets of stays as codes, saved cohorts with frozen members.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables and the columns exist; predictions know their stays. The tables dropped were never written."""
    op.add_column("prediction", sa.Column("stay_id", sa.BigInteger))
    op.execute(
        "UPDATE prediction SET stay_id = (SELECT stay_id FROM sample WHERE sample.sample_id = prediction.sample_id)"
    )
    op.create_index("ix_prediction_browse", "prediction", ["run_id", "stay_id", "sample_id", "p", "path", "split"])
    for name in ("saved_cohort", "facet_count"):
        op.drop_table(name)
    _cohorts()
    _facets()


def _cohorts() -> None:
    op.create_table(
        "saved_cohort",
        sa.Column("cohort_id", sa.String(40), nullable=False),
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("author", sa.String(120), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("archived_at", sa.DateTime),
        sa.PrimaryKeyConstraint("cohort_id", name="pk_saved_cohort"),
    )
    op.create_table(
        "saved_cohort_member",
        sa.Column(
            "cohort_id",
            sa.String(40),
            sa.ForeignKey("saved_cohort.cohort_id", name="fk_saved_cohort_member_cohort_id_saved_cohort"),
            nullable=False,
        ),
        sa.Column("stay_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("cohort_id", "stay_id", name="pk_saved_cohort_member"),
        sqlite_with_rowid=False,
    )


def _facets() -> None:
    op.create_table(
        "facet_count",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("facet", sa.String(40), nullable=False),
        sa.Column("value", sa.String(120), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("code", "n", "n_out")),
        sa.PrimaryKeyConstraint("task", "facet", "value", name="pk_facet_count"),
    )
    op.create_table(
        "stay_facet",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("stay_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("subject_id", sa.BigInteger, nullable=False),
        sa.Column("sample_id", sa.String(60)),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("age_years", "sex", "race", "unit")),
        *(sa.Column(name, sa.BigInteger) for name in ("quality", "outcome", "split", "rule", "label")),
        sa.Column("diseases", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task", "stay_id", name="pk_stay_facet"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_stay_facet_subject", "stay_facet", ["task", "subject_id"])
    op.create_table(
        "facet_state",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("n_out", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_facet_state"),
    )

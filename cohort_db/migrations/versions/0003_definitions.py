"""What a task and a run predict, of whom a base rate is made, how sure an input effect is, which bytes an ECG is.

Runs of an older store were fitted under the default rules, the only ones that their pages could show.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table and the columns exist."""
    op.create_table(
        "task",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("t0_hours", sa.Float(53), nullable=False),
        sa.Column("cut_hours", sa.Float(53)),
        sa.Column("rules", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_task"),
    )
    op.add_column("run", sa.Column("t0_hours", sa.Float(53), nullable=False, server_default="24"))
    op.add_column("run", sa.Column("cut_hours", sa.Float(53), server_default="72"))
    op.add_column("calibration", sa.Column("n_base", sa.BigInteger))
    for name in ("se_ecg", "se_ehr", "se_joint"):
        op.add_column("input_effect", sa.Column(name, sa.Float(53)))
    op.add_column("ecg_record", sa.Column("content_sha256", sa.String(64)))
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("run", "t0_hours", server_default=None)
        op.alter_column("run", "cut_hours", server_default=None)

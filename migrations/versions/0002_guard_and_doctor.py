"""login refusals, diagnoses, and how long a calendar has been quiet"""

import sqlalchemy as sa
from alembic import op

from broker.models.base import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "login_refusals",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("window_at", UtcDateTime(), nullable=False),
        sa.Column("pauses", sa.Integer(), nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_login_refusals"),
    )
    op.create_index("ix_login_refusals_window_at", "login_refusals", ["window_at"])
    op.create_table(
        "diagnoses",
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("wrapped_findings", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_diagnoses"),
    )
    op.create_index("ix_diagnoses_expires_at", "diagnoses", ["expires_at"])
    # Added in place: rebuilding the table on SQLite would cascade to every event.
    # The default is the server's, because the code before this one inserts without it.
    op.add_column(
        "calendars", sa.Column("quiet_passes", sa.Integer(), nullable=False, server_default="0")
    )

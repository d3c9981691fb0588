"""revisions of copies, how far series reach, what a pause remembers, and two indexes"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Added in place, as in 0002. The default is the server's, for the code before this one.
    op.add_column(
        "calendars", sa.Column("revision", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("events", sa.Column("expanded_to", sa.BigInteger(), nullable=True))
    op.create_index("ix_grants_profile_id", "grants", ["profile_id"])
    op.create_index("ix_connect_attempts_profile_id", "connect_attempts", ["profile_id"])
    op.add_column("login_refusals", sa.Column("refused_passwords", sa.LargeBinary()))
    op.add_column(
        "login_refusals",
        sa.Column("chance_taken", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
